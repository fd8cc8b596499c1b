//! Where something is mapped.

use core::fmt;
use core::num::NonZeroU64;

use sluice_abi::VirtAddr;

use super::Asid;
use super::raw;

/// An address in an address space, as it is packed: with an [`Option`] around it, it is still one word, which keeps
/// [`Cap`](super::Cap) at four. Larger ones are copied by calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mapping(NonZeroU64);

impl Mapping {
    /// The page of `vaddr` (below 2^48) in the VSpace that `asid` names; none for ASID 0, which names no VSpace.
    #[inline(always)]
    #[must_use]
    pub fn new(asid: Asid, vaddr: VirtAddr) -> Option<Self> {
        debug_assert!(asid.0 != 0);
        Self::of(raw::ASID.put(asid.0.into()) | raw::MAPPED_PAGE.put(vaddr.0 >> 12))
    }

    /// What is in the second word of a capability.
    #[inline(always)]
    pub(super) fn of(word: u64) -> Option<Self> {
        NonZeroU64::new(word & (raw::ASID.mask() | raw::MAPPED_PAGE.mask())).map(Self)
    }

    /// As the second word of a capability.
    #[inline(always)]
    pub(super) const fn word(self) -> u64 {
        self.0.get()
    }

    /// The VSpace.
    #[inline(always)]
    #[must_use]
    pub const fn asid(self) -> Asid {
        Asid(raw::ASID.get(self.0.get()) as u16)
    }

    /// Address of the first byte.
    #[inline(always)]
    #[must_use]
    pub const fn vaddr(self) -> VirtAddr {
        VirtAddr(raw::MAPPED_PAGE.get(self.0.get()) << 12)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("asid", &self.asid()).field("vaddr", &self.vaddr()).finish()
    }
}

const _: () = assert!(size_of::<super::Cap>() == 32);
