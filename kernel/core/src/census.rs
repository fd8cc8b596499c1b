//! How much is in use in the whole system, for whoever looks for leaks on a debug kernel.

use sluice_abi::smmu::{ContextId, MAX_SMMUS};
use sluice_abi::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS};

use crate::Kernel;
use crate::cap::{Asid, Cap, Untyped};
use crate::hal::Hal;
use crate::interrupt::InterruptUse;

impl<H: Hal> Kernel<H> {
    /// The words of `DebugCensus`: ASID pools, ASIDs, contexts, interrupts, capabilities, unused bytes.
    ///
    /// Capabilities to reply come and go with every call, so they do not count. A CPU tag needs no count: that each in use
    /// has a living owner is an invariant, and all of them are looked at first.
    pub(crate) fn census(&self) -> [u64; 6] {
        self.check_everything();
        let pools = (0..1u16 << ASID_POOL_COUNT_BITS).map(|pool| Asid(pool << ASID_POOL_INDEX_BITS));
        let pools = pools.filter(|base| self.spaces.pool(*base).is_some());
        let asids =
            pools.clone().flat_map(|base| (0..1u16 << ASID_POOL_INDEX_BITS).map(move |index| Asid(base.0 + index)));
        let asids = asids.filter(|asid| self.spaces.entry(&self.hal, *asid).is_some());
        let units = (0..MAX_SMMUS as u8).filter_map(|smmu| Some((smmu, self.smmus.unit(smmu)?.context_count())));
        let contexts = units.flat_map(|(smmu, count)| (0..count as u16).map(move |cb| ContextId { smmu, cb }));
        let contexts = contexts.filter_map(|context| self.smmus.context(context));
        let contexts = contexts.filter(|context| self.get(*context).issued.get());
        let interrupts = (0..=self.interrupts.last())
            .filter(|intid| matches!(self.interrupts.get(*intid), InterruptUse::Signal | InterruptUse::Forward(..)));
        let (mut capabilities, mut unused) = (0, 0);
        self.each_capability(|cap| {
            capabilities += u64::from(!matches!(cap, Cap::Reply(_)));
            if let Cap::Untyped(untyped @ Untyped { device: false, .. }) = cap {
                unused += untyped.size() - untyped.used;
            }
        });
        [
            pools.count() as u64,
            asids.count() as u64,
            contexts.count() as u64,
            interrupts.count() as u64,
            capabilities,
            unused,
        ]
    }

    /// Every capability in the lists that begin in the root task's CNode.
    pub(crate) fn each_capability(&self, mut look: impl FnMut(Cap)) {
        let Some((first, count)) = self.watch.root() else { return };
        for start in (0..count).map(|index| first.nth(index)) {
            let begins = !self.slot(start).is_empty() && self.slot(start).links().prev.is_none();
            let mut next = begins.then_some(start);
            while let Some(slot) = next {
                look(self.cap(slot));
                next = self.slot(slot).links().next;
            }
        }
    }
}
