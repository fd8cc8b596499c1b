//! A configuration space for tests: functions behave as their writable bits say.

use std::collections::BTreeMap;
use std::vec::Vec;

use sluice_platform::PciAddress;

use super::config::{self, Access};

/// Registers of one function and the bits software can change.
#[derive(Clone, Default)]
pub(crate) struct Device {
    registers: BTreeMap<u16, (u32, u32)>,
}

impl Device {
    pub(crate) fn endpoint(vendor: u16, device: u16) -> Self {
        let mut registers: BTreeMap<u16, (u32, u32)> = BTreeMap::new();
        registers.insert(config::ID, (u32::from(device) << 16 | u32::from(vendor), 0));
        registers.insert(config::COMMAND, (0, 0x0407));
        Self { registers }
    }

    /// A bridge without PCI Express, whose prefetchable window can lie anywhere.
    pub(crate) fn bridge() -> Self {
        let mut device = Self::endpoint(0x1b36, 0x000c);
        device.set(config::HEADER, 0x0001_0000);
        let windows = [(0x1c, (0, 0xf0f0)), (0x20, (0, 0xfff0_fff0)), (0x24, (0x0001_0001, 0xfff0_fff0))];
        let rest = [(config::BUSES, (0, 0x00ff_ffff)), (0x28, (0, u32::MAX)), (0x2c, (0, u32::MAX))];
        device.registers.extend(windows.into_iter().chain(rest));
        device.registers.insert(config::INTERRUPT, (0x100, 0x00ff_00ff));
        device
    }

    /// A PCI Express port of this kind, with or without Access Control Services.
    pub(crate) fn port(kind: u32, acs: bool) -> Self {
        let mut device = Self::bridge();
        let listed = [(config::COMMAND, 1 << 20), (config::CAPABILITIES, 0x40), (0x40, kind << 20 | 0x0002_0010)];
        listed.into_iter().for_each(|(register, value)| device.set(register, value));
        if acs {
            device.set(0x100, 0x0001_000d);
            device.registers.insert(0x104, (0x001f, 0x007f_0000));
        }
        device
    }

    /// The same, with a register that keeps nothing.
    pub(crate) fn stuck(self, register: u16) -> Self {
        self.fixed(register, 0)
    }

    /// The same, with a register that stays as it is.
    pub(crate) fn fixed(mut self, register: u16, value: u32) -> Self {
        self.registers.insert(register, (value, 0));
        self
    }

    /// Sets a register; below 0x40 its writable bits stay as they are, above all are writable.
    pub(crate) fn set(&mut self, register: u16, value: u32) {
        let writable = if register < 0x40 { 0 } else { u32::MAX };
        self.registers.entry(register).or_insert((0, writable)).0 = value;
    }

    /// A BAR of `size` bytes with the type bits `flags`.
    pub(crate) fn bar(mut self, index: u16, size: u64, flags: u32) -> Self {
        let keep = if flags & 1 != 0 { 3 } else { 15 };
        let mask = !(size - 1);
        self.registers.insert(config::BAR0 + 4 * index, (flags, mask as u32 & !keep));
        if flags & 0b111 == 0b100 {
            self.registers.insert(config::BAR0 + 4 * index + 4, (0, (mask >> 32) as u32));
        }
        self
    }
}

/// A host with devices, and the buses opened so far.
pub(crate) struct Host {
    devices: BTreeMap<PciAddress, Device>,
    pub(crate) opened: Vec<u8>,
    /// Number of buses that can be opened.
    pub(crate) reachable: u16,
    pub(crate) writes: Vec<(PciAddress, u16, u32)>,
}

impl Host {
    pub(crate) fn new(devices: impl IntoIterator<Item = (PciAddress, Device)>) -> Self {
        Self { devices: devices.into_iter().collect(), opened: Vec::new(), reachable: 256, writes: Vec::new() }
    }
}

impl Host {
    /// Whether something is there.
    pub(crate) fn has(&self, at: PciAddress) -> bool {
        self.devices.contains_key(&at)
    }

    /// The same with another device in the place of one.
    pub(crate) fn with(mut self, at: PciAddress, change: impl FnOnce(Device) -> Device) -> Self {
        let old = self.devices.remove(&at).unwrap_or_default();
        self.devices.insert(at, change(old));
        self
    }
}

impl Access for Host {
    type Error = u8;

    fn open(&mut self, bus: u8) -> Result<(), u8> {
        if u16::from(bus) >= self.reachable {
            return Err(bus);
        }
        self.opened.push(bus);
        Ok(())
    }

    fn read(&self, at: PciAddress, register: u16) -> u32 {
        let Some(device) = self.devices.get(&at) else { return u32::MAX };
        device.registers.get(&register).map_or(0, |(value, _)| *value)
    }

    fn write(&mut self, at: PciAddress, register: u16, value: u32) {
        self.writes.push((at, register, value));
        if let Some((old, writable)) = self.devices.get_mut(&at).and_then(|device| device.registers.get_mut(&register))
        {
            *old = *old & !*writable | value & *writable;
        }
    }
}
