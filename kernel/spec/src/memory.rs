//! Mapping frames and tables, and naming address spaces.

use sluice_abi::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS, LookupFailure, PAGE_BITS, PhysAddr, USER_TOP, VirtAddr};

use crate::space::{TABLE_LEVELS, coverage_bits, level_of};
use crate::step::{Answer, Stepped};
use crate::{Asid, Cap, Mapping, Object, Page, Refused, Rights, Slot, Space, State};

impl State {
    /// The name of an address space that has one and is still the one it names; `number` is the capability's in the
    /// message.
    pub(crate) fn live_space(&self, vspace: Slot, number: u64) -> Result<(Asid, &Space), Refused> {
        let Some(Cap::VSpace { root, asid: Some(asid) }) = self.cap(vspace) else {
            return Err(Refused::InvalidCapability(number));
        };
        let space = self.spaces.get(&asid).ok_or(Refused::target(LookupFailure::InvalidRoot))?;
        if space.root == root { Ok((asid, space)) } else { Err(Refused::InvalidCapability(number)) }
    }

    pub(crate) fn map_page(
        &self,
        slot: Slot,
        vspace: Slot,
        at: VirtAddr,
        asked: Rights,
        execute: bool,
        cacheable: bool,
    ) -> Stepped {
        let Cap::Frame { base, size, rights, device, mapped } = self.invoked(slot)? else {
            return Err(Refused::IllegalOperation);
        };
        let (asid, space) = self.live_space(vspace, 1)?;
        if !at.is_aligned(size.bits()) {
            return Err(Refused::Alignment);
        }
        match mapped {
            Some(mapping) if mapping.asid != asid => return Err(Refused::InvalidCapability(1)),
            Some(mapping) if mapping.at != at => return Err(Refused::InvalidArgument(0)),
            Some(_) => {}
            None => {
                let last = at.0.checked_add(size.bytes() - 1);
                if last.is_none_or(|last| last > USER_TOP) {
                    return Err(Refused::InvalidArgument(0));
                }
            }
        }
        let level = space.level_at(at);
        if level != level_of(size) {
            let bits_left = coverage_bits(level).into();
            return Err(Refused::target(LookupFailure::MissingCapability { bits_left }));
        }
        let allowed = rights.and(asked).to_memory();
        let page = Page { frame: base, size, rights: allowed, execute: allowed.read && execute, cacheable };
        Ok(self.changed(|after| {
            if let Some(space) = after.spaces.get_mut(&asid) {
                space.pages.insert(at, page);
            }
            after.replace(slot, Cap::Frame { base, size, rights, device, mapped: Some(Mapping { asid, at }) });
        }))
    }

    pub(crate) fn unmap_frame(&self, slot: Slot) -> Stepped {
        let Cap::Frame { base, size, rights, device, mapped } = self.invoked(slot)? else {
            return Err(Refused::IllegalOperation);
        };
        Ok(self.changed(|after| {
            if let Some(Mapping { asid, at }) = mapped {
                after.unmap_page(asid, at, |page| page.frame == base && page.size == size);
            }
            after.replace(slot, Cap::Frame { base, size, rights, device, mapped: None });
        }))
    }

    pub(crate) fn get_address(&self, slot: Slot) -> Stepped {
        let Cap::Frame { base, .. } = self.invoked(slot)? else { return Err(Refused::IllegalOperation) };
        Ok(Answer { state: self.clone(), words: alloc::vec![base.0] })
    }

    pub(crate) fn map_table(&self, slot: Slot, vspace: Slot, at: VirtAddr) -> Stepped {
        let Cap::PageTable { base, mapped } = self.invoked(slot)? else { return Err(Refused::IllegalOperation) };
        if mapped.is_some() {
            return Err(Refused::InvalidCapability(0));
        }
        if !matches!(self.cap(vspace), Some(Cap::VSpace { asid: Some(_), .. })) {
            return Err(Refused::InvalidCapability(1));
        }
        if at.0 > USER_TOP {
            return Err(Refused::InvalidArgument(0));
        }
        let (asid, space) = self.live_space(vspace, 1)?;
        let level = space.level_at(at);
        if level == TABLE_LEVELS || space.page_at(at).is_some() {
            return Err(Refused::DeleteFirst);
        }
        let at = at.align_down(coverage_bits(level));
        Ok(self.changed(|after| {
            if let Some(space) = after.spaces.get_mut(&asid) {
                space.tables.insert((level, at), base);
            }
            after.replace(slot, Cap::PageTable { base, mapped: Some(Mapping { asid, at }) });
        }))
    }

    pub(crate) fn unmap_table(&self, slot: Slot) -> Stepped {
        let Cap::PageTable { base, mapped } = self.invoked(slot)? else { return Err(Refused::IllegalOperation) };
        if !self.is_last(slot) {
            return Err(Refused::RevokeFirst);
        }
        Ok(self.changed(|after| {
            after.uninstall_table(mapped, base);
            after.replace(slot, Cap::PageTable { base, mapped: None });
        }))
    }

    pub(crate) fn make_pool(&self, control: Slot, untyped: Slot, dest: Slot) -> Stepped {
        let Cap::AsidControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        let base = (0..1u16 << ASID_POOL_COUNT_BITS).map(|index| Asid(index << ASID_POOL_INDEX_BITS));
        let base = base.into_iter().find(|base| !self.pools.contains_key(base)).ok_or(Refused::DeleteFirst)?;
        let Some(Cap::Untyped { base: pool, bits: PAGE_BITS, device: false, .. }) = self.cap(untyped) else {
            return Err(Refused::InvalidCapability(1));
        };
        if self.children(untyped).next().is_some() {
            return Err(Refused::RevokeFirst);
        }
        self.expect_empty(dest)?;
        Ok(self.changed(|after| {
            after.replace(untyped, Cap::Untyped { base: pool, bits: PAGE_BITS, device: false, used: 1 << PAGE_BITS });
            after.objects.insert(pool, Object::AsidPool);
            after.pools.insert(base, pool);
            after.insert_copy(untyped, Cap::AsidPool { pool, base }, dest);
        }))
    }

    pub(crate) fn assign_asid(&self, pool: Slot, vspace: Slot) -> Stepped {
        let Cap::AsidPool { pool, base } = self.invoked(pool)? else { return Err(Refused::IllegalOperation) };
        let Some(Cap::VSpace { root, asid: None }) = self.cap(vspace) else {
            return Err(Refused::InvalidCapability(1));
        };
        match self.pools.get(&base) {
            None => return Err(Refused::target(LookupFailure::InvalidRoot)),
            Some(found) if *found != pool => return Err(Refused::InvalidCapability(0)),
            Some(_) => {}
        }
        // Name 0 is never given out.
        let mut names = (base.0..base.0 + (1 << ASID_POOL_INDEX_BITS)).filter(|name| *name != 0).map(Asid);
        let asid = names.find(|asid| !self.spaces.contains_key(asid)).ok_or(Refused::DeleteFirst)?;
        Ok(self.changed(|after| {
            after.spaces.insert(asid, Space::empty(root));
            after.replace(vspace, Cap::VSpace { root, asid: Some(asid) });
        }))
    }

    pub(crate) fn replace(&mut self, slot: Slot, cap: Cap) {
        if let Some(held) = self.slots.get_mut(&slot) {
            held.cap = cap;
        }
    }

    /// The size of the object at an address.
    pub(crate) fn object_bits(&self, at: PhysAddr) -> Option<u32> {
        self.objects.get(&at).map(Object::bits)
    }
}
