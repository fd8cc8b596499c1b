//! What a function may do: decode its ranges, raise its interrupt pin, master memory.

use sluice_platform::PciAddress;

use super::capability::{Capability, capabilities};
use super::config::{Access, COMMAND};

/// Command bits (PCI Local Bus 3.0, 6.2.2).
const IO: u32 = 1 << 0;
pub(super) const MEMORY: u32 = 1 << 1;
pub(super) const MASTER: u32 = 1 << 2;
const INTX_DISABLE: u32 = 1 << 10;
/// Enable bits in the first word of the MSI and MSI-X capabilities.
const MSI_ENABLE: u32 = 1 << 16;
const MSIX_ENABLE: u32 = 1 << 31;

/// Kinds of address range a function decodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Decode {
    /// I/O ranges.
    pub io: bool,
    /// Memory ranges.
    pub memory: bool,
}

/// Makes a function harmless: no decoding, no mastering, no interrupt of any kind.
pub fn quiesce(access: &mut impl Access, at: PciAddress) {
    access.write(at, COMMAND, INTX_DISABLE);
    for capability in capabilities(access, at) {
        let enable = match capability.id {
            Capability::MSI => MSI_ENABLE,
            Capability::MSIX => MSIX_ENABLE,
            _ => continue,
        };
        let word = access.read(at, capability.offset);
        access.write(at, capability.offset, word & !enable);
    }
}

/// Lets a function answer at the ranges its BARs hold.
pub fn enable_decode(access: &mut impl Access, at: PciAddress, decode: Decode) {
    let bits = if decode.io { IO } else { 0 } | if decode.memory { MEMORY } else { 0 };
    set(access, at, bits, 0);
}

/// Lets a function raise its interrupt pin.
pub fn enable_interrupt(access: &mut impl Access, at: PciAddress) {
    set(access, at, 0, INTX_DISABLE);
}

/// Lets a function master memory; its stream must be bound by then.
pub fn enable_mastering(access: &mut impl Access, at: PciAddress) {
    set(access, at, MASTER, 0);
}

/// Lets a function master no memory any more.
pub fn disable_mastering(access: &mut impl Access, at: PciAddress) {
    set(access, at, 0, MASTER);
}

/// Changes command bits; the status half is written as zeroes, which leaves it alone.
fn set(access: &mut impl Access, at: PciAddress, on: u32, off: u32) {
    let command = access.read(at, COMMAND) & 0xffff;
    access.write(at, COMMAND, command & !off | on);
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Device, Host};
    use super::*;

    const AT: PciAddress = PciAddress::from_rid(0x19);

    #[test]
    fn a_quiet_function_gains_rights_one_by_one() {
        let mut device = Device::endpoint(1, 2);
        device.set(COMMAND, 1 << 20 | 0x0407);
        device.set(0x34, 0x40);
        device.set(0x40, 0x0081_5005);
        device.set(0x50, 0xc003_0011);
        let mut host = Host::new([(AT, device)]);
        quiesce(&mut host, AT);
        assert_eq!(host.read(AT, COMMAND) & 0xffff, 0x0400);
        assert_eq!(host.read(AT, 0x40), 0x0080_5005);
        assert_eq!(host.read(AT, 0x50), 0x4003_0011);
        enable_decode(&mut host, AT, Decode { io: false, memory: true });
        assert_eq!(host.read(AT, COMMAND) & 0xffff, 0x0402);
        enable_interrupt(&mut host, AT);
        assert_eq!(host.read(AT, COMMAND) & 0xffff, 0x0002);
        enable_mastering(&mut host, AT);
        assert_eq!(host.read(AT, COMMAND) & 0xffff, 0x0006);
        disable_mastering(&mut host, AT);
        assert_eq!(host.read(AT, COMMAND) & 0xffff, 0x0002);
        assert_eq!(host.read(AT, COMMAND) >> 16, 1 << 4, "status is left alone");
    }
}
