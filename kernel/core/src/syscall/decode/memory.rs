//! Invocations of frames, tables, VSpaces and ASID pools.

use sluice_abi::{CapRights, Label, LookupFailure, PAGE_BITS, USER_TOP, VirtAddr, VmAttributes};
use sluice_paging::{Access, Entry, Format, Found, Leaf, MemoryType};

use super::super::invocation::MemoryInvocation;
use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::{Asid, Cap, Frame, Mapping, PageTable, Untyped, VSpace, frame_rights};
use crate::error::SyscallError;
use crate::hal::{CacheOp, Hal};
use crate::object::{AsidEntry, AsidPool};
use crate::store::Handle;

impl<H: Hal> Kernel<H> {
    /// ASID of a VSpace capability that is in its pool, and what the pool says of it; `number` is the capability's in the
    /// message.
    pub(super) fn live_vspace(&self, vspace: Option<VSpace>, number: u64) -> Decoded<(Asid, AsidEntry)> {
        let Some(VSpace { root, asid: Some(asid), .. }) = vspace else {
            return Err(SyscallError::InvalidCapability(number));
        };
        match self.spaces.entry(&self.hal, asid) {
            None => Err(SyscallError::target(LookupFailure::InvalidRoot)),
            Some(entry) if entry.root != root => Err(SyscallError::InvalidCapability(number)),
            Some(entry) => Ok((asid, entry)),
        }
    }

    pub(in crate::syscall) fn decode_frame(
        &self,
        request: &Request,
        label: Option<Label>,
        frame: Frame,
    ) -> Decoded<MemoryInvocation> {
        match label.ok_or(SyscallError::IllegalOperation)? {
            Label::PageMap => self.decode_map(request, frame),
            Label::PageUnmap => Ok(MemoryInvocation::UnmapFrame { slot: request.slot, frame }),
            Label::PageGetAddress => Ok(MemoryInvocation::GetAddress(frame.base)),
            label => self.decode_frame_maintenance(request, page_operation(label)?, frame),
        }
    }

    fn decode_map(&self, request: &Request, frame: Frame) -> Decoded<MemoryInvocation> {
        Self::expect(request, 3, 1)?;
        let vaddr = VirtAddr(self.word(request, 0));
        let rights = CapRights::from_bits_truncate(self.word(request, 1));
        let attributes = VmAttributes::from_bits_truncate(self.word(request, 2));
        let (asid, AsidEntry { root, format, .. }) = self.live_vspace(self.extra_as(request, 0)?, 1)?;
        if !vaddr.is_aligned(frame.size.bits()) {
            return Err(SyscallError::Alignment);
        }
        match frame.mapped {
            Some(mapping) if mapping.asid() != asid => return Err(SyscallError::InvalidCapability(1)),
            Some(mapping) if mapping.vaddr() != vaddr => return Err(SyscallError::InvalidArgument(0)),
            Some(_) => {}
            None => {
                let last = vaddr.0.checked_add(frame.size.bytes() - 1);
                if last.is_none_or(|last| last > USER_TOP) {
                    return Err(SyscallError::InvalidArgument(0));
                }
            }
        }
        let Found { slot: entry_at, level, entry: old } = self.find_entry(format, root, vaddr);
        if level != Format::level_of(frame.size) {
            let bits_left = Format::coverage_bits(level).into();
            return Err(SyscallError::target(LookupFailure::MissingCapability { bits_left }));
        }
        let leaf = leaf(&frame, rights, attributes);
        let word = format.encode_leaf(&leaf);
        let mapping = Mapping::new(asid, vaddr).ok_or(SyscallError::InvalidCapability(1))?;
        Ok(MemoryInvocation::MapFrame { slot: request.slot, frame, mapping, entry_at, word, old })
    }

    fn decode_frame_maintenance(
        &self,
        request: &Request,
        operation: CacheOp,
        frame: Frame,
    ) -> Decoded<MemoryInvocation> {
        Self::expect(request, 2, 0)?;
        let mapping = frame.mapped.ok_or(SyscallError::IllegalOperation)?;
        if self.root_of(mapping.asid()).is_none() {
            return Err(SyscallError::target(LookupFailure::InvalidRoot));
        }
        let (start, end) = (self.word(request, 0), self.word(request, 1));
        if end <= start {
            return Err(SyscallError::InvalidArgument(1));
        }
        if start >= frame.size.bytes() || end > frame.size.bytes() {
            return Err(SyscallError::InvalidArgument(0));
        }
        if frame.device {
            return Err(SyscallError::IllegalOperation);
        }
        Ok(MemoryInvocation::Maintain { operation, at: frame.base.offset(start), bytes: end - start })
    }

    pub(in crate::syscall) fn decode_page_table(
        &self,
        request: &Request,
        label: Option<Label>,
        table: PageTable,
    ) -> Decoded<MemoryInvocation> {
        if label == Some(Label::PageTableUnmap) {
            if !self.is_final(request.slot) {
                return Err(SyscallError::RevokeFirst);
            }
            return Ok(MemoryInvocation::UnmapTable { slot: request.slot, table });
        }
        if label != Some(Label::PageTableMap) {
            return Err(SyscallError::IllegalOperation);
        }
        Self::expect(request, 2, 1)?;
        if table.mapped.is_some() {
            return Err(SyscallError::InvalidCapability(0));
        }
        let vaddr = VirtAddr(self.word(request, 0));
        let vspace = self.extra_as(request, 0)?;
        let Some(VSpace { asid: Some(_), .. }) = vspace else { return Err(SyscallError::InvalidCapability(1)) };
        if vaddr.0 > USER_TOP {
            return Err(SyscallError::InvalidArgument(0));
        }
        let (asid, AsidEntry { root, format, .. }) = self.live_vspace(vspace, 1)?;
        let Found { slot: entry_at, level, entry } = self.find_entry(format, root, vaddr);
        let coverage = Format::coverage_bits(level);
        if coverage == PAGE_BITS || entry != Entry::Invalid {
            return Err(SyscallError::DeleteFirst);
        }
        let mapping = Mapping::new(asid, vaddr.align_down(coverage)).ok_or(SyscallError::InvalidCapability(1))?;
        let word = Format::STAGE2.encode_table(table.base);
        Ok(MemoryInvocation::MapTable { slot: request.slot, table, mapping, entry_at, word })
    }

    pub(in crate::syscall) fn decode_vspace(
        &self,
        request: &Request,
        label: Option<Label>,
        vspace: VSpace,
    ) -> Decoded<MemoryInvocation> {
        let operation = vspace_operation(label.ok_or(SyscallError::IllegalOperation)?)?;
        Self::expect(request, 2, 0)?;
        let (start, end) = (self.word(request, 0), self.word(request, 1));
        if end <= start {
            return Err(SyscallError::InvalidArgument(1));
        }
        if end > USER_TOP {
            return Err(SyscallError::IllegalOperation);
        }
        let (_, AsidEntry { root, format, .. }) = self.live_vspace(Some(vspace), 0)?;
        let Found { level, entry, .. } = self.find_entry(format, root, VirtAddr(start));
        let Entry::Leaf(leaf) = entry else { return Ok(MemoryInvocation::Nothing) };
        let mask = (1u64 << Format::coverage_bits(level)) - 1;
        if start & !mask != (end - 1) & !mask {
            return Err(SyscallError::Range { min: start, max: start | mask });
        }
        if leaf.memory == MemoryType::Device {
            return Ok(MemoryInvocation::Nothing);
        }
        let at = leaf.address.offset(start & mask);
        // A device frame may be mapped cacheable; the kernel does not touch it all the same.
        if !self.hal.is_memory(at, end - start) {
            return Err(SyscallError::IllegalOperation);
        }
        Ok(MemoryInvocation::Maintain { operation, at, bytes: end - start })
    }

    pub(in crate::syscall) fn decode_asid_control(
        &self,
        request: &Request,
        label: Option<Label>,
    ) -> Decoded<MemoryInvocation> {
        if label != Some(Label::AsidControlMakePool) {
            return Err(SyscallError::IllegalOperation);
        }
        Self::expect(request, 2, 2)?;
        let (untyped, cap) = self.extra(request, 0)?;
        let base = self.spaces.free_pool().ok_or(SyscallError::DeleteFirst)?;
        let at = match cap {
            Cap::Untyped(Untyped { base, bits, device: false, .. }) if u32::from(bits) == PAGE_BITS => base,
            _ => return Err(SyscallError::InvalidCapability(1)),
        };
        self.ensure_childless(untyped)?;
        let dest = self.destination(request, 1, 0)?;
        Ok(MemoryInvocation::MakePool { untyped, at, base, dest })
    }

    pub(in crate::syscall) fn decode_asid_pool(
        &self,
        request: &Request,
        label: Option<Label>,
        pool: Handle<AsidPool>,
        base: Asid,
    ) -> Decoded<MemoryInvocation> {
        if label != Some(Label::AsidPoolAssign) {
            return Err(SyscallError::IllegalOperation);
        }
        let (slot, cap) = self.extra(request, 0)?;
        let Cap::VSpace(vspace @ VSpace { asid: None, .. }) = cap else {
            return Err(SyscallError::InvalidCapability(1));
        };
        match self.spaces.pool(base) {
            None => return Err(SyscallError::target(LookupFailure::InvalidRoot)),
            Some(found) if found != pool => return Err(SyscallError::InvalidCapability(0)),
            Some(_) => {}
        }
        let asid = self.free_asid(pool, base).ok_or(SyscallError::DeleteFirst)?;
        Ok(MemoryInvocation::AssignAsid { pool, asid, slot, vspace })
    }
}

fn leaf(frame: &Frame, rights: CapRights, attributes: VmAttributes) -> Leaf {
    let rights = frame_rights(frame.rights & rights);
    let access = Access {
        read: rights.contains(CapRights::READ),
        write: rights.contains(CapRights::WRITE),
        execute: rights.contains(CapRights::READ) && !attributes.contains(VmAttributes::EXECUTE_NEVER),
    };
    let memory = if attributes.contains(VmAttributes::CACHEABLE) { MemoryType::Normal } else { MemoryType::Device };
    Leaf { address: frame.base, size: frame.size, access, memory }
}

fn page_operation(label: Label) -> Decoded<CacheOp> {
    match label {
        Label::PageCleanData => Ok(CacheOp::Clean),
        Label::PageInvalidateData | Label::PageCleanInvalidateData => Ok(CacheOp::CleanInvalidate),
        Label::PageUnifyInstruction => Ok(CacheOp::Unify),
        _ => Err(SyscallError::IllegalOperation),
    }
}

fn vspace_operation(label: Label) -> Decoded<CacheOp> {
    match label {
        Label::VSpaceCleanData => Ok(CacheOp::Clean),
        Label::VSpaceInvalidateData | Label::VSpaceCleanInvalidateData => Ok(CacheOp::CleanInvalidate),
        Label::VSpaceUnifyInstruction => Ok(CacheOp::Unify),
        _ => Err(SyscallError::IllegalOperation),
    }
}
