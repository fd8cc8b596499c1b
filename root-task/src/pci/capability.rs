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
    /// Number of the extended capability Access Control Services.
    pub const ACS: u16 = 0x000d;
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

/// Where the extended capabilities of a PCI Express function are (PCI Express Base 4.0, 7.6).
const EXTENDED: core::ops::Range<u16> = 0x100..0x1000;
/// Extended capabilities that have room; a longer list is a loop.
const MOST_EXTENDED: usize = (0x1000 - 0x100) / 8;

/// Where the registers of an extended capability start.
pub(super) fn extended(access: &impl Access, at: PciAddress, id: u16) -> Option<u16> {
    let is_express = |capability: &Capability| capability.id == Capability::EXPRESS;
    capabilities(access, at).iter().find(|capability| is_express(capability))?;
    let mut offset = EXTENDED.start;
    for _ in 0..MOST_EXTENDED {
        let word = access.read(at, offset);
        if word == 0 || word == u32::MAX {
            return None;
        }
        if word as u16 == id {
            return Some(offset);
        }
        offset = (word >> 20 & 0xffc) as u16;
        if !EXTENDED.contains(&offset) {
            return None;
        }
    }
    None
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
    fn extended_capabilities_are_express_and_their_list_ends() {
        let find = |words: &[(u16, u32)]| {
            let mut device = Device::endpoint(0x1b36, 0x000c);
            words.iter().for_each(|(at, word)| device.set(*at, *word));
            extended(&Host::new([(AT, device)]), AT, Capability::ACS)
        };
        let express = [(config::COMMAND, 1 << 20), (config::CAPABILITIES, 0x40), (0x40, 0x0042_0010)];
        let with = |more: &[(u16, u32)]| find(&[&express[..], more].concat());
        assert_eq!(with(&[(0x100, 0x1481_0001), (0x148, 0x0001_000d)]), Some(0x148));
        assert_eq!(with(&[(0x100, 0x1481_0001), (0x148, 0x1001_0002)]), None, "a loop");
        assert_eq!(with(&[(0x100, 0x0401_0001), (0x40, 0x0001_000d)]), None, "into the header");
        assert_eq!(with(&[]), None);
        assert_eq!(find(&[(0x100, 0x0001_000d)]), None, "no PCI Express");
    }

    #[test]
    fn a_hostile_list_ends() {
        assert_eq!(list(&[(0x40, 0x0000_4005)], 0x40, 1 << 20), [(5, 0x40)]);
        assert_eq!(list(&[(0x40, 0x0000_5005), (0x50, 0x0000_4011)], 0x40, 1 << 20), [(5, 0x40), (0x11, 0x50)]);
        assert_eq!(list(&[(0x40, 0x0000_1005)], 0x43, 1 << 20), [(5, 0x40)]);
        assert_eq!(list(&[], 0x10, 1 << 20), []);
    }
}
