//! The capability list (PCI Local Bus 3.0, 6.7).

use alloc::vec::Vec;

use sluice_platform::PciAddress;

use super::config::{self, Access};

/// One capability of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// What it is.
    pub id: u8,
    /// Where its registers start.
    pub offset: u16,
}

impl Capability {
    /// Number of the power management capability.
    pub const POWER: u8 = 0x01;
    /// Number of the PCI Express capability.
    pub const EXPRESS: u8 = 0x10;
    /// Number of the conventional PCI Advanced Features capability.
    pub const ADVANCED: u8 = 0x13;
    /// Number of the MSI capability.
    pub const MSI: u8 = 0x05;
    /// Number of the MSI-X capability.
    pub const MSIX: u8 = 0x11;
}

/// Capabilities that fit between the header and the end of the first 256 bytes; a longer list is a loop.
const MOST: usize = (256 - 64) / 4;

/// The capabilities of a function. The list is the device's word: an offset into the header ends it, and so does one
/// seen before.
pub fn capabilities(access: &impl Access, at: PciAddress) -> Vec<Capability> {
    let mut found: Vec<Capability> = Vec::new();
    if access.read(at, config::COMMAND) & config::STATUS_CAPABILITIES == 0 {
        return found;
    }
    let mut offset = (access.read(at, config::CAPABILITIES) & 0xfc) as u16;
    while offset >= 0x40 && found.len() < MOST && found.iter().all(|seen| seen.offset != offset) {
        let word = access.read(at, offset);
        found.push(Capability { id: word as u8, offset });
        offset = (word >> 8 & 0xfc) as u16;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Device, Host};
    use super::*;

    const AT: PciAddress = PciAddress::from_rid(0x8);

    fn list(words: &[(u16, u32)], first: u32, status: u32) -> Vec<(u8, u16)> {
        let mut device = Device::endpoint(0x1234, 0x11e8);
        device.set(config::COMMAND, status);
        device.set(config::CAPABILITIES, first);
        words.iter().for_each(|(at, word)| device.set(*at, *word));
        let host = Host::new([(AT, device)]);
        capabilities(&host, AT).into_iter().map(|found| (found.id, found.offset)).collect()
    }

    #[test]
    fn a_list_is_walked_to_its_end() {
        let words = [(0x40, 0x0000_6005), (0x60, 0x0000_0011)];
        assert_eq!(list(&words, 0x40, 1 << 20), [(5, 0x40), (0x11, 0x60)]);
        assert_eq!(list(&words, 0x40, 0), []);
    }

    #[test]
    fn a_hostile_list_ends() {
        assert_eq!(list(&[(0x40, 0x0000_4005)], 0x40, 1 << 20), [(5, 0x40)]);
        assert_eq!(list(&[(0x40, 0x0000_5005), (0x50, 0x0000_4011)], 0x40, 1 << 20), [(5, 0x40), (0x11, 0x50)]);
        assert_eq!(list(&[(0x40, 0x0000_1005)], 0x43, 1 << 20), [(5, 0x40)]);
        assert_eq!(list(&[], 0x10, 1 << 20), []);
    }
}
