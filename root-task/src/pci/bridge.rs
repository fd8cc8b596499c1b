//! Bridges: what they pass on (PCI-to-PCI Bridge 1.2, 3.2; PCI Express Base 4.0, 7.5.1.3).
//!
//! A bridge is closed until the spec has a device behind it: no bus, no window, no mastering. Then it gets the buses and
//! the windows of what the spec has there, and forwards memory accesses of devices while one of them may make some.

use core::fmt;

use sluice_platform::PciAddress;

use super::capability::{Capability, capabilities};
use super::config::{Access, BUSES, COMMAND, INTERRUPT};
use super::control::{MASTER, MEMORY, quiesce};
use super::enumerate::{Found, Role};

/// I/O base and limit; secondary status, whose bits clear when written as one, in the high half.
const IO_WINDOW: u16 = 0x1c;
const MEMORY_WINDOW: u16 = 0x20;
const PREFETCHABLE_WINDOW: u16 = 0x24;
const PREFETCHABLE_BASE_HIGH: u16 = 0x28;
const PREFETCHABLE_LIMIT_HIGH: u16 = 0x2c;
const IO_HIGH: u16 = 0x30;
/// A base above its limit: nothing is passed on.
const CLOSED: u32 = 0x0000_fff0;
const IO_CLOSED: u32 = 0x0000_00f0;
/// The low bits of the prefetchable base when the window can lie above 4 GiB.
const WIDE: u32 = 1;
/// Bridge control, in the half above interrupt line and pin: reset of the secondary bus.
const SECONDARY_RESET: u32 = 1 << 22;
/// Milliseconds that the reset is held (PCI Express Base 4.0, 6.6.1: 1 ms at least).
const HELD_MS: u32 = 2;

/// Bytes that a window of a bridge is a multiple of.
pub(super) const GRANULE: u64 = 1 << 20;

/// The windows of a bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Memory below 4 GiB.
    Low,
    /// Prefetchable memory anywhere.
    Prefetchable,
}

/// What kind of bridge it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Port {
    /// Root port of a PCI Express host, or downstream port of a switch.
    Downstream,
    /// Upstream port of a switch.
    Upstream,
    /// To a conventional bus, or no PCI Express at all.
    Conventional,
}

/// What is wrong with a bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BridgeError {
    /// Nothing answers where the spec has a bridge.
    Absent(PciAddress),
    /// Something else is there.
    NoBridge(PciAddress),
    /// The bus numbers are not kept.
    Buses(PciAddress),
    /// A window is not kept.
    Window(PciAddress),
    /// No window of the host has room for what is behind it.
    NoRoom {
        /// The bridge.
        bridge: PciAddress,
        /// Bytes of its window.
        size: u64,
        /// Whether it is the prefetchable one.
        prefetchable: bool,
    },
    /// What is behind it cannot be sized.
    Bars(PciAddress, super::BarError),
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(at) => write!(f, "the spec has devices behind a bridge at {at}, where nothing answers"),
            Self::NoBridge(at) => write!(f, "the spec has devices behind {at}, which is no bridge"),
            Self::Buses(at) => write!(f, "bridge {at} does not keep its bus numbers"),
            Self::Window(at) => write!(f, "bridge {at} does not keep its window"),
            Self::NoRoom { bridge, size, prefetchable } => {
                let kind = if *prefetchable { "prefetchable" } else { "32-bit" };
                write!(f, "no window of the host has room for {size:#x} bytes of {kind} memory behind bridge {bridge}")
            }
            Self::Bars(at, error) => write!(f, "function {at}: {error}"),
        }
    }
}

/// Makes a bridge pass nothing on, to either side.
pub(super) fn close(access: &mut impl Access, bridge: PciAddress) {
    quiesce(access, bridge);
    access.write(bridge, IO_WINDOW, IO_CLOSED);
    access.write(bridge, IO_HIGH, 0x0000_ffff);
    access.write(bridge, MEMORY_WINDOW, CLOSED);
    access.write(bridge, PREFETCHABLE_WINDOW, CLOSED);
    access.write(bridge, PREFETCHABLE_BASE_HIGH, u32::MAX);
    access.write(bridge, PREFETCHABLE_LIMIT_HIGH, 0);
    let latency = access.read(bridge, BUSES) & 0xff00_0000;
    access.write(bridge, BUSES, latency);
}

/// Gives a bridge the buses behind it.
pub(super) fn set_buses(
    access: &mut impl Access,
    bridge: PciAddress,
    (secondary, subordinate): (u8, u8),
) -> Result<(), BridgeError> {
    let latency = access.read(bridge, BUSES) & 0xff00_0000;
    let buses = u32::from(subordinate) << 16 | u32::from(secondary) << 8 | u32::from(bridge.bus());
    access.write(bridge, BUSES, latency | buses);
    if access.read(bridge, BUSES) & 0x00ff_ffff == buses { Ok(()) } else { Err(BridgeError::Buses(bridge)) }
}

/// Whether the prefetchable window can lie above 4 GiB.
pub(super) fn is_wide(access: &impl Access, bridge: PciAddress) -> bool {
    access.read(bridge, PREFETCHABLE_WINDOW) & 0xf == WIDE
}

/// Has a bridge pass on what the CPU accesses at `base..base + size`, both multiples of [`GRANULE`].
pub(super) fn open_window(
    access: &mut impl Access,
    bridge: PciAddress,
    kind: Kind,
    (base, size): (u64, u64),
) -> Result<(), BridgeError> {
    let limit = base + (size - 1);
    let low = (base >> 16) as u32 & 0xfff0 | limit as u32 & 0xfff0_0000;
    let register = match kind {
        Kind::Low => MEMORY_WINDOW,
        Kind::Prefetchable => PREFETCHABLE_WINDOW,
    };
    access.write(bridge, register, low);
    let mut kept = access.read(bridge, register) & 0xfff0_fff0 == low;
    if kind == Kind::Prefetchable {
        for (register, half) in [(PREFETCHABLE_BASE_HIGH, base >> 32), (PREFETCHABLE_LIMIT_HIGH, limit >> 32)] {
            access.write(bridge, register, half as u32);
            kept &= access.read(bridge, register) == half as u32;
        }
    }
    if !kept {
        return Err(BridgeError::Window(bridge));
    }
    let command = access.read(bridge, COMMAND) & 0xffff;
    access.write(bridge, COMMAND, command | MEMORY);
    Ok(())
}

/// Has each bridge pass on what devices master while one behind it may, and only then. `found` has a bridge before what
/// is behind it.
pub fn follow_mastering(access: &mut impl Access, found: &[Found]) {
    for bridge in found.iter().rev() {
        let Role::Bridge { secondary, .. } = bridge.role else { continue };
        let masters = |function: &Found| access.read(function.at, COMMAND) & MASTER != 0;
        let wanted = secondary != 0 && found.iter().any(|function| function.at.bus() == secondary && masters(function));
        let command = access.read(bridge.at, COMMAND) & 0xffff;
        let new = if wanted { command | MASTER } else { command & !MASTER };
        if new != command {
            access.write(bridge.at, COMMAND, new);
        }
    }
}

/// The bridge right above the function at `at`, when nothing else is behind it.
#[must_use]
pub fn above_alone(found: &[Found], at: PciAddress) -> Option<PciAddress> {
    let alone = found.iter().filter(|other| other.at.bus() == at.bus()).count() == 1;
    let above = |bridge: &&Found| matches!(bridge.role, Role::Bridge { secondary, .. } if secondary == at.bus());
    found.iter().find(above).filter(|_| alone).map(|bridge| bridge.at)
}

/// Resets the bus behind a bridge. What is there forgets everything.
pub(super) fn reset_bus(access: &mut impl Access, bridge: PciAddress, wait: &mut impl FnMut(u32)) {
    let control = access.read(bridge, INTERRUPT) & !SECONDARY_RESET;
    access.write(bridge, INTERRUPT, control | SECONDARY_RESET);
    wait(HELD_MS);
    access.write(bridge, INTERRUPT, control);
}

/// What kind of bridge it is, by its PCI Express capability (PCI Express Base 4.0, 7.5.3.2).
pub(super) fn port(access: &impl Access, bridge: PciAddress) -> Port {
    let express = capabilities(access, bridge).into_iter().find(|capability| capability.id == Capability::EXPRESS);
    let kind = express.map(|capability| access.read(bridge, capability.offset) >> 20 & 0xf);
    match kind {
        Some(4 | 6) => Port::Downstream,
        Some(5) => Port::Upstream,
        Some(_) | None => Port::Conventional,
    }
}
