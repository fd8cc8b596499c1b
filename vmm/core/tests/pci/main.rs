//! The guest's PCI host.

mod bars;
mod capabilities;
mod effects;
mod fixtures;
mod random;
mod registers;

use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::pci::{Effect, PciHost};

/// Offset in ECAM of a register of the function at `slot`.
fn offset(slot: u8, register: u64) -> u64 {
    u64::from(slot) << 15 | register
}

fn read(host: &PciHost, slot: u8, register: u64) -> u32 {
    host.read(Place { offset: offset(slot, register), width: Width::Word }) as u32
}

fn write(host: &mut PciHost, slot: u8, register: u64, value: u32) -> Vec<Effect> {
    host.write(Place { offset: offset(slot, register), width: Width::Word }, u64::from(value))
}

fn write_half(host: &mut PciHost, slot: u8, register: u64, value: u16) -> Vec<Effect> {
    host.write(Place { offset: offset(slot, register), width: Width::Half }, u64::from(value))
}

/// Identifiers and offsets of the capabilities, as a guest's kernel walks them.
fn capabilities(host: &PciHost, slot: u8) -> Vec<(u8, u64)> {
    let mut found = Vec::new();
    if read(host, slot, 0x04) >> 16 & 1 << 4 == 0 {
        return found;
    }
    let mut at = u64::from(read(host, slot, 0x34) & 0xff);
    while at != 0 {
        assert!(at >= 0x40 && at.is_multiple_of(4) && found.len() < 48, "{found:x?}");
        let word = read(host, slot, at);
        found.push((word as u8, at));
        at = u64::from(word >> 8 & 0xff);
    }
    found
}
