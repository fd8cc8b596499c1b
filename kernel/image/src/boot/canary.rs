//! A page of kernel memory that nothing uses, for attacks to aim at.

use sluice_abi::bootinfo::DebugCanary;
use sluice_abi::{PAGE_SIZE, PhysAddr};

use crate::{console, phys};

const VALUE: u64 = 0x5afe_c0de_5afe_c0de;

/// The page; every word holds the same value until somebody without authority writes there.
#[derive(Clone, Copy)]
pub(crate) struct Canary(DebugCanary);

impl Canary {
    /// Fills the page.
    pub(crate) fn new(page: PhysAddr) -> Self {
        for word in 0..PAGE_SIZE / 8 {
            phys::store(page.offset(8 * word), VALUE);
        }
        Self(DebugCanary { paddr: page.0, value: VALUE })
    }

    /// What the boot information says of it.
    pub(crate) fn chunk(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.paddr.to_le_bytes());
        bytes[8..].copy_from_slice(&self.0.value.to_le_bytes());
        bytes
    }

    /// Prints whether the page is as it was.
    pub(crate) fn report(&self) {
        let page = PhysAddr(self.0.paddr);
        let damaged = (0..PAGE_SIZE / 8).filter(|word| phys::load(page.offset(8 * word)) != self.0.value).count();
        let verdict = if damaged == 0 { "pass" } else { "FAIL" };
        console::line(format_args!("CHECK {verdict} kernel-canary-intact: {damaged} words changed at {page}"));
    }
}
