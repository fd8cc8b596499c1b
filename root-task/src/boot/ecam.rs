//! Configuration space through the host's memory window (PCI Express Base 4.0, 7.2.2).

use sluice_abi::VirtAddr;
use sluice_platform::{PciAddress, PciHost};

use super::builder::Builder;
use crate::Stop;
use crate::kernel::Kernel;
use crate::pci::Access;

/// Bytes of one bus.
const BUS: u64 = 1 << 20;

/// Configuration space of one host. Buses are mapped when enumeration gets to them.
pub(super) struct Ecam<'a, 'b, K> {
    pub(super) builder: &'a mut Builder<K>,
    pub(super) host: &'a PciHost<'b>,
}

impl<K: Kernel> Ecam<'_, '_, K> {
    fn register(&self, at: PciAddress, register: u16) -> Option<VirtAddr> {
        let base = self.host.configuration(at)?;
        self.builder.configuration(base.0 + u64::from(register & 0xffc), BUS)
    }
}

impl<K: Kernel> Access for Ecam<'_, '_, K> {
    type Error = Stop;

    fn open(&mut self, bus: u8) -> Result<(), Stop> {
        let first = PciAddress::from_rid(u16::from(bus) << 8);
        let base = self.host.configuration(first);
        let base = base.ok_or_else(|| Stop::Buses(alloc::format!("the PCI host has no bus {bus:02x}")))?;
        self.builder.map_configuration("PCI host", base.0, BUS)
    }

    fn read(&self, at: PciAddress, register: u16) -> u32 {
        // What is not mapped answers as an absent function does.
        self.register(at, register).map_or(u32::MAX, |place| self.builder.kernel.load(place))
    }

    fn write(&mut self, at: PciAddress, register: u16, value: u32) {
        if let Some(place) = self.register(at, register) {
            self.builder.kernel.store(place, value);
        }
    }
}
