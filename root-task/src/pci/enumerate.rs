//! Finding functions, and numbering the buses behind bridges depth first.

use alloc::vec::Vec;
use core::fmt;

use sluice_platform::PciAddress;

use super::config::{self, Access, Identity};
use super::control::quiesce;

/// A function that answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where.
    pub at: PciAddress,
    /// What it says it is.
    pub identity: Identity,
    /// Endpoint or bridge.
    pub role: Role,
    /// Interrupt pin: 0 for none, 1 for INTA#.
    pub pin: u8,
}

/// What the header type says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Type 0.
    Endpoint,
    /// Type 1, and the buses now behind it.
    Bridge {
        /// The bus right behind it.
        secondary: u8,
        /// The last bus behind it.
        subordinate: u8,
    },
    /// Another header type; it is left quiet.
    Other(u8),
}

/// Why enumeration stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EnumerateError<E> {
    /// A bridge needs a bus beyond the host's last.
    Buses {
        /// The bridge.
        bridge: PciAddress,
        /// The host's last bus.
        last: u8,
    },
    /// A bus cannot be reached.
    Open(E),
}

impl<E: fmt::Display> fmt::Display for EnumerateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buses { bridge, last } => write!(f, "bridge {bridge} needs a bus after {last:02x}, the host's last"),
            Self::Open(error) => error.fmt(f),
        }
    }
}

/// Every function of the host whose buses are `first..=last`, in the order of the walk. All of them are quiet then.
///
/// # Errors
/// [`EnumerateError`] when the buses do not suffice or one cannot be reached.
pub fn enumerate<A: Access>(access: &mut A, first: u8, last: u8) -> Result<Vec<Found>, EnumerateError<A::Error>> {
    let mut found = Vec::new();
    scan(access, first, last, &mut found)?;
    Ok(found)
}

/// Scans one bus and all behind it; the highest bus used.
fn scan<A: Access>(access: &mut A, bus: u8, last: u8, found: &mut Vec<Found>) -> Result<u8, EnumerateError<A::Error>> {
    access.open(bus).map_err(EnumerateError::Open)?;
    let mut highest = bus;
    for mut function in functions(access, bus) {
        let index = found.len();
        found.push(function);
        if matches!(function.role, Role::Bridge { .. }) {
            let secondary = number_bridge(access, function.at, highest, last)?;
            highest = scan(access, secondary, last, found)?;
            write_buses(access, function.at, secondary, highest);
            function.role = Role::Bridge { secondary, subordinate: highest };
            found.iter_mut().skip(index).take(1).for_each(|found| *found = function);
        }
    }
    Ok(highest)
}

/// The functions on one bus, quiet now. The buses of a bridge are not known yet.
pub(super) fn functions(access: &mut impl Access, bus: u8) -> Vec<Found> {
    let mut found = Vec::new();
    for device in 0u8..32 {
        let mut functions = 1;
        let mut function = 0;
        while function < functions {
            let at = PciAddress::from_rid(u16::from(bus) << 8 | u16::from(device) << 3 | function);
            if let Some((identity, header)) = probe(access, at) {
                if function == 0 && header & 0x80 != 0 {
                    functions = 8;
                }
                quiesce(access, at);
                let pin = (access.read(at, config::INTERRUPT) >> 8) as u8;
                let role = match header & 0x7f {
                    0 => Role::Endpoint,
                    1 => Role::Bridge { secondary: 0, subordinate: 0 },
                    other => Role::Other(other),
                };
                found.push(Found { at, identity, role, pin });
            } else if function == 0 {
                break;
            }
            function += 1;
        }
    }
    found
}

/// Opens a bridge to the next bus, and to all after it until those behind it are known.
fn number_bridge<A: Access>(
    access: &mut A,
    bridge: PciAddress,
    highest: u8,
    last: u8,
) -> Result<u8, EnumerateError<A::Error>> {
    let secondary = highest.checked_add(1).filter(|bus| *bus <= last).ok_or(EnumerateError::Buses { bridge, last })?;
    write_buses(access, bridge, secondary, last);
    Ok(secondary)
}

fn write_buses(access: &mut impl Access, bridge: PciAddress, secondary: u8, subordinate: u8) {
    let latency = access.read(bridge, config::BUSES) & 0xff00_0000;
    let buses = u32::from(subordinate) << 16 | u32::from(secondary) << 8 | u32::from(bridge.bus());
    access.write(bridge, config::BUSES, latency | buses);
}

/// Identity and header type byte of a function, if it answers.
fn probe(access: &impl Access, at: PciAddress) -> Option<(Identity, u8)> {
    let id = access.read(at, config::ID);
    let vendor = id as u16;
    if vendor == 0xffff || vendor == 0 {
        return None;
    }
    Some((Identity { vendor, device: (id >> 16) as u16 }, (access.read(at, config::HEADER) >> 16) as u8))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Device, Host};
    use super::*;

    fn at(bus: u8, device: u8, function: u8) -> PciAddress {
        PciAddress::new(bus, device, function).unwrap()
    }

    fn places(found: &[Found]) -> Vec<PciAddress> {
        found.iter().map(|found| found.at).collect()
    }

    #[test]
    fn functions_beyond_the_first_need_the_header_bit() {
        let mut first = Device::endpoint(0x8086, 1);
        first.set(config::HEADER, 0x0080_0000);
        let multi = [(at(0, 2, 0), first), (at(0, 2, 3), Device::endpoint(0x8086, 2))];
        let single = [(at(0, 4, 0), Device::endpoint(0x8086, 3)), (at(0, 4, 1), Device::endpoint(0x8086, 4))];
        let orphan = [(at(0, 5, 1), Device::endpoint(0x8086, 5))];
        let mut host = Host::new(multi.into_iter().chain(single).chain(orphan));
        let found = enumerate(&mut host, 0, 255).unwrap();
        assert_eq!(places(&found), [at(0, 2, 0), at(0, 2, 3), at(0, 4, 0)]);
        assert_eq!(found[1].identity, Identity { vendor: 0x8086, device: 2 });
        assert_eq!(host.opened, [0]);
    }

    #[test]
    fn buses_are_numbered_depth_first() {
        let mut host = Host::new([
            (at(0, 1, 0), Device::bridge()),
            (at(1, 0, 0), Device::bridge()),
            (at(2, 0, 0), Device::endpoint(1, 1)),
            (at(0, 3, 0), Device::bridge()),
            (at(3, 0, 0), Device::endpoint(1, 2)),
        ]);
        let found = enumerate(&mut host, 0, 255).unwrap();
        assert_eq!(places(&found), [at(0, 1, 0), at(1, 0, 0), at(2, 0, 0), at(0, 3, 0), at(3, 0, 0)]);
        assert_eq!(found[0].role, Role::Bridge { secondary: 1, subordinate: 2 });
        assert_eq!(found[1].role, Role::Bridge { secondary: 2, subordinate: 2 });
        assert_eq!(found[3].role, Role::Bridge { secondary: 3, subordinate: 3 });
        assert_eq!(host.read(at(0, 1, 0), config::BUSES), 0x0002_0100);
        assert_eq!(host.read(at(0, 3, 0), config::BUSES), 0x0003_0300);
    }

    #[test]
    fn the_buses_of_the_host_are_the_limit() {
        let bridges = || [(at(0, 1, 0), Device::bridge()), (at(0, 2, 0), Device::bridge())];
        assert_eq!(enumerate(&mut Host::new(bridges()), 0, 2).map(|found| found.len()), Ok(2));
        let error = EnumerateError::Buses { bridge: at(0, 2, 0), last: 1 };
        assert_eq!(enumerate(&mut Host::new(bridges()), 0, 1), Err(error));
        let mut host = Host::new(bridges());
        host.reachable = 1;
        assert_eq!(enumerate(&mut host, 0, 255), Err(EnumerateError::Open(1)));
    }

    #[test]
    fn every_function_is_quiet_afterwards() {
        let mut busy = Device::endpoint(1, 1);
        busy.set(config::COMMAND, 0x0007);
        let mut host = Host::new([(at(0, 9, 0), busy)]);
        enumerate(&mut host, 0, 0).unwrap();
        assert_eq!(host.read(at(0, 9, 0), config::COMMAND), 0x0400);
    }
}
