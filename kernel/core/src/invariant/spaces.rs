//! Address spaces and their tags.

use sluice_abi::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS};

use super::{Checked, ensure};
use crate::Kernel;
use crate::cap::Asid;
use crate::hal::Hal;

impl<H: Hal> Kernel<H> {
    /// Each CPU tag has the owner that its table says, no tag is left of one that is gone, and each context in an ASID's list exists.
    pub(super) fn spaces_are_sound(&self) -> Checked {
        let pools = (0..1u16 << ASID_POOL_COUNT_BITS).map(|pool| Asid(pool << ASID_POOL_INDEX_BITS));
        for base in pools.filter(|base| self.spaces.pool(*base).is_some()) {
            for asid in (0..1u16 << ASID_POOL_INDEX_BITS).map(|index| Asid(base.0 + index)) {
                let Some(entry) = self.spaces.entry(&self.hal, asid) else { continue };
                if let Some(vmid) = entry.vmid {
                    ensure(self.spaces.owner(vmid) == Some(asid), "tags-have-one-owner")?;
                }
                let mut next = entry.contexts;
                while let Some(context) = next {
                    let Some(handle) = self.smmus.context(context) else { return Err("contexts-exist") };
                    ensure(self.context_root(context) == Some(entry.root), "contexts-translate-with-their-list")?;
                    next = self.get(handle).next_of_vspace.get();
                }
            }
        }
        for vmid in 0..=u8::MAX {
            let owner = self.spaces.owner(vmid);
            let held =
                owner.and_then(|asid| self.spaces.entry(&self.hal, asid)).is_some_and(|entry| entry.vmid == Some(vmid));
            ensure(owner.is_none() || held, "tags-have-living-owners")?;
        }
        Ok(())
    }
}
