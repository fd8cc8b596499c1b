//! Names of PCI functions and their interrupt pins.

use core::fmt;

/// A function: bus, device 0..32, function 0..8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    /// The function; `None` when device or function are out of range.
    #[must_use]
    pub const fn new(bus: u8, device: u8, function: u8) -> Option<Self> {
        if device < 32 && function < 8 { Some(Self { bus, device, function }) } else { None }
    }

    /// The function that a requester ID names.
    #[must_use]
    pub const fn from_rid(rid: u16) -> Self {
        Self { bus: (rid >> 8) as u8, device: (rid >> 3) as u8 & 31, function: rid as u8 & 7 }
    }

    /// Its requester ID: bus `[15:8]`, device `[7:3]`, function `[2:0]`.
    #[must_use]
    pub const fn rid(self) -> u16 {
        (self.bus as u16) << 8 | (self.device as u16) << 3 | self.function as u16
    }

    /// Its bus.
    #[must_use]
    pub const fn bus(self) -> u8 {
        self.bus
    }

    /// Its device number.
    #[must_use]
    pub const fn device(self) -> u8 {
        self.device
    }

    /// Its function number.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.function
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus, self.device, self.function)
    }
}

impl fmt::Debug for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PciAddress({self})")
    }
}

/// An interrupt pin, INTA to INTD.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pin {
    /// INTA.
    A = 1,
    /// INTB.
    B = 2,
    /// INTC.
    C = 3,
    /// INTD.
    D = 4,
}

impl Pin {
    /// Every pin.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// The pin in a function's Interrupt Pin register; `None` for a function that uses none.
    #[must_use]
    pub fn from_register(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&pin| pin as u8 == value)
    }

    /// The pin of a bridge that this pin of device `device` behind it arrives on.
    #[must_use]
    pub const fn behind_bridge(self, device: u8) -> Self {
        Self::ALL[(self as usize - 1 + device as usize) % 4]
    }
}
