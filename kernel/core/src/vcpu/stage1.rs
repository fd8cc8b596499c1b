//! Translations of guests in the CPU's TLB.
//!
//! The TLB keeps what stage 1 and stage 2 together made of an address under the tag of the VSpace, and two virtual
//! processors of one VSpace need not agree on what an address or an ASID of theirs means. Who runs under a tag after
//! another finds nothing of that one's.

use crate::Kernel;
use crate::hal::Hal;
use crate::object::Vcpu;
use crate::store::Handle;

const TAGS: usize = 1 << 8;

/// Whose translations are in the TLB, by tag.
pub(super) struct Stage1Tags([Option<Handle<Vcpu>>; TAGS]);

impl Stage1Tags {
    pub(super) const fn new() -> Self {
        Self([None; TAGS])
    }
}

impl<H: Hal> Kernel<H> {
    /// Makes the translations under the loaded tag those of `vcpu`, which is about to run.
    pub(crate) fn claim_tag(&mut self, vcpu: Handle<Vcpu>) {
        let tag = self.loaded_tag();
        let user = &mut self.vcpus.stage1.0[usize::from(tag)];
        if *user == Some(vcpu) {
            return;
        }
        if user.replace(vcpu).is_some() {
            self.hal.invalidate_vmid(tag);
        }
    }

    /// Forgets the translations of a virtual processor that is no more: another may be made where it was.
    pub(super) fn release_tags(&mut self, vcpu: Handle<Vcpu>) {
        for (tag, user) in (0..=u8::MAX).zip(&mut self.vcpus.stage1.0) {
            if *user == Some(vcpu) {
                *user = None;
                self.hal.invalidate_vmid(tag);
            }
        }
    }
}
