//! Configuration space: the few registers of the common header (PCI Local Bus 3.0, 6.1).

use core::fmt;

use sluice_platform::PciAddress;

/// Vendor and device number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

/// Configuration accesses of one host, 32 bits at a time.
pub trait Access {
    /// Why a bus cannot be reached.
    type Error;

    /// Makes a bus reachable; accesses to it are defined from then on.
    ///
    /// # Errors
    /// When its part of ECAM cannot be mapped.
    fn open(&mut self, bus: u8) -> Result<(), Self::Error>;
    /// Reads the register at a multiple of four; all ones where there is no function.
    fn read(&self, at: PciAddress, register: u16) -> u32;
    /// Writes the register at a multiple of four.
    fn write(&mut self, at: PciAddress, register: u16, value: u32);
}

/// Vendor and device number.
pub(super) const ID: u16 = 0x00;
/// Command in the low half; status, whose bits clear when written as one, in the high half.
pub(super) const COMMAND: u16 = 0x04;
/// Header type in bits 23:16, of which the top one says that there are more functions.
pub(super) const HEADER: u16 = 0x0c;
/// First base address register.
pub(super) const BAR0: u16 = 0x10;
/// Primary, secondary and subordinate bus of a bridge, lowest byte first.
pub(super) const BUSES: u16 = 0x18;
/// Offset of the first capability.
pub(super) const CAPABILITIES: u16 = 0x34;
/// Interrupt pin in bits 15:8; 0 for none, else 1 for INTA#.
pub(super) const INTERRUPT: u16 = 0x3c;
/// Status: there is a capability list.
pub(super) const STATUS_CAPABILITIES: u32 = 1 << 20;
