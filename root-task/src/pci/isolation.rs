//! What functions can reach each other without an SMMU in between.
//!
//! A request goes up to the first port that both ways have in common with. There it is turned around towards the other
//! function unless the port it came through redirects it upwards (PCI Express Base 4.0, 6.12). A bridge to a conventional bus
//! passes requests on under a number of its own (PCI Express to PCI/PCI-X Bridge 1.0, 2.3): its devices have no stream.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sluice_platform::PciAddress;

use super::bridge::{Port, port};
use super::capability::{Capability, extended};
use super::config::Access;
use super::enumerate::{Found, Role};

/// Access Control Services: capabilities in the low half, control in the high half of this register.
const ACS_CONTROL: u16 = 0x4;
const SOURCE_VALIDATION: u32 = 1 << 0;
const TRANSLATION_BLOCKING: u32 = 1 << 1;
const REQUEST_REDIRECT: u32 = 1 << 2;
const COMPLETION_REDIRECT: u32 = 1 << 3;
const UPSTREAM_FORWARDING: u32 = 1 << 4;
/// What keeps functions apart.
const NEEDED: u32 = SOURCE_VALIDATION | REQUEST_REDIRECT | COMPLETION_REDIRECT | UPSTREAM_FORWARDING;

/// A function of the spec, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// `component.device`.
    pub name: String,
    /// Number of the component.
    pub owner: usize,
    /// The function.
    pub at: PciAddress,
    /// Whether it masters memory.
    pub masters: bool,
}

/// Why functions cannot be told apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shared {
    /// What one sends reaches the other, of another owner, past the SMMU.
    Reach {
        /// Who sends.
        from: String,
        /// Who is reached.
        to: String,
        /// The port that redirects nothing; `None` when they are on one bus.
        port: Option<PciAddress>,
    },
    /// Requests of a function carry a number that is not its own.
    Alias {
        /// The function.
        name: String,
        /// The conventional bridge above it.
        bridge: PciAddress,
    },
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reach { from, to, port: Some(port) } => write!(
                f,
                "{from} reaches {to} past the SMMU, and they have different owners: port {port} has no Access Control Services"
            ),
            Self::Reach { from, to, port: None } => {
                write!(f, "{from} reaches {to} past the SMMU, and they have different owners: they are on one bus")
            }
            Self::Alias { name, bridge } => {
                write!(f, "{name} is behind the conventional bridge {bridge}, which passes its requests on as its own")
            }
        }
    }
}

/// A bridge that is open.
struct Guard {
    at: PciAddress,
    buses: core::ops::RangeInclusive<u8>,
    port: Port,
    redirects: bool,
}

/// Has every open port redirect what it can, and looks whether that keeps the functions of different owners apart.
///
/// # Errors
/// The first two that it does not, or a function whose requests are not its own.
pub fn isolate(access: &mut impl Access, found: &[Found], holders: &[Holder]) -> Result<(), Shared> {
    let mut guards = Vec::new();
    for function in found {
        let Role::Bridge { secondary, subordinate } = function.role else { continue };
        if secondary != 0 {
            let (at, port) = (function.at, port(access, function.at));
            guards.push(Guard { at, buses: secondary..=subordinate, port, redirects: redirect(access, at) });
        }
    }
    // In the order of the walk, which is that of every way down.
    let way = |at: PciAddress| guards.iter().filter(move |guard| guard.buses.contains(&at.bus()));
    for from in holders.iter().filter(|holder| holder.masters) {
        if let Some(bridge) = way(from.at).find(|guard| guard.port == Port::Conventional) {
            return Err(Shared::Alias { name: from.name.clone(), bridge: bridge.at });
        }
        for to in holders.iter().filter(|to| to.owner != from.owner) {
            let common = way(from.at).zip(way(to.at)).take_while(|(one, other)| one.at == other.at).count();
            let reaches = |port| Err(Shared::Reach { from: from.name.clone(), to: to.name.clone(), port });
            match way(from.at).nth(common) {
                Some(guard) if !guard.redirects => return reaches(Some(guard.at)),
                // Functions on the first bus are the host's neighbours: what they send goes to it.
                None if common > 0 => return reaches(None),
                Some(_) | None => {}
            }
        }
    }
    Ok(())
}

/// Switches the services of a port on; whether those that keep functions apart are on then.
fn redirect(access: &mut impl Access, port: PciAddress) -> bool {
    let Some(offset) = extended(access, port, Capability::ACS) else { return false };
    let able = access.read(port, offset + ACS_CONTROL) & (NEEDED | TRANSLATION_BLOCKING);
    // Nothing else: egress control and direct translated requests are ways past the SMMU.
    access.write(port, offset + ACS_CONTROL, able << 16);
    access.read(port, offset + ACS_CONTROL) >> 16 & NEEDED == NEEDED
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use sluice_spec::{Step, number_buses};

    use super::super::fake::{Device, Host};
    use super::super::{enumerate, open_bridges};
    use super::*;

    const ROOT: u32 = 4;
    const UP: u32 = 5;
    const DOWN: u32 = 6;

    fn at(bus: u8, device: u8) -> PciAddress {
        PciAddress::new(bus, device, 0).unwrap()
    }

    /// Two root ports, the second with a switch of two ports: functions on buses 1, 4 and 5.
    fn host(root: bool, down: bool) -> Host {
        Host::new([
            (at(0, 1), Device::port(ROOT, root)),
            (at(1, 0), Device::endpoint(1, 1)),
            (at(0, 2), Device::port(ROOT, true)),
            (at(2, 0), Device::port(UP, false)),
            (at(3, 0), Device::port(DOWN, down)),
            (at(4, 0), Device::endpoint(1, 2)),
            (at(3, 1), Device::port(DOWN, down)),
            (at(5, 0), Device::endpoint(1, 3)),
        ])
    }

    fn isolated(mut host: Host, holders: &[(usize, PciAddress, bool)]) -> (Host, Result<(), String>) {
        let found = enumerate(&mut host, 0, 255).unwrap_or_default();
        let ways: [&[Step]; 3] = [&[(1, 0)], &[(2, 0), (0, 0), (0, 0)], &[(2, 0), (0, 0), (1, 0)]];
        let ways = ways.into_iter().filter(|way| host.has(at(0, way[0].0)) && (way.len() == 1 || host.has(at(3, 0))));
        let bridges = number_buses((0, 255), ways).unwrap();
        let found = open_bridges(&mut host, &found, 0, &bridges).unwrap();
        let holder = |(owner, at, masters): &(usize, PciAddress, bool)| {
            let name = std::format!("owner{owner}.{at}");
            Holder { name, owner: *owner, at: *at, masters: *masters }
        };
        let holders: Vec<Holder> = holders.iter().map(holder).collect();
        let outcome = isolate(&mut host, &found, &holders).map_err(|shared| shared.to_string());
        (host, outcome)
    }

    #[test]
    fn ports_with_the_services_keep_their_functions_apart() {
        let all = [(1, at(1, 0), true), (2, at(4, 0), true), (3, at(5, 0), true)];
        let (host, outcome) = isolated(host(true, true), &all);
        assert_eq!(outcome, Ok(()));
        for port in [at(0, 1), at(0, 2), at(3, 0), at(3, 1)] {
            assert_eq!(host.read(port, 0x104) >> 16, 0x1f, "{port}");
        }
    }

    #[test]
    fn a_switch_without_them_makes_a_group() {
        let (_, split) = isolated(host(true, false), &[(2, at(4, 0), true), (3, at(5, 0), true)]);
        let text = "owner2.04:00.0 reaches owner3.05:00.0 past the SMMU, and they have different owners: port 03:00.0 has no \
                    Access Control Services";
        assert_eq!(split, Err(text.into()));
        let (_, together) = isolated(host(true, false), &[(2, at(4, 0), true), (2, at(5, 0), true)]);
        assert_eq!(together, Ok(()));
        let (_, above) = isolated(host(true, false), &[(1, at(1, 0), true), (2, at(4, 0), true)]);
        assert_eq!(above, Ok(()), "the root ports have them");
        let (_, quiet) = isolated(host(true, false), &[(2, at(4, 0), false), (3, at(5, 0), false)]);
        assert_eq!(quiet, Ok(()), "who masters nothing sends nothing");
        let (_, victim) = isolated(host(true, false), &[(2, at(4, 0), false), (3, at(5, 0), true)]);
        assert!(victim.is_err());
    }

    #[test]
    fn a_root_port_without_them_lets_its_function_out() {
        let holders = [(1, at(1, 0), true), (2, at(4, 0), true)];
        let (_, outcome) = isolated(host(false, true), &holders);
        assert!(outcome.unwrap_err().contains("port 00:01.0"));
    }

    #[test]
    fn services_that_do_not_come_on_are_none() {
        // None there, some, and all without a way to switch them on.
        for able in [0, 0x0f, 0x1f] {
            let fixed = host(true, true).with(at(0, 1), |port| port.fixed(0x104, able));
            let (_, outcome) = isolated(fixed, &[(1, at(1, 0), true), (2, at(4, 0), true)]);
            assert!(outcome.unwrap_err().contains("port 00:01.0"), "{able:#x}");
        }
    }

    #[test]
    fn functions_on_one_bus_are_not_apart() {
        let bus = || {
            Host::new([
                (at(0, 1), Device::port(ROOT, true)),
                (at(1, 0), Device::endpoint(1, 1)),
                (at(1, 1), Device::endpoint(1, 2)),
            ])
        };
        let (_, outcome) = isolated(bus(), &[(1, at(1, 0), true), (2, at(1, 1), true)]);
        let text =
            "owner1.01:00.0 reaches owner2.01:01.0 past the SMMU, and they have different owners: they are on one bus";
        assert_eq!(outcome, Err(text.into()));
        assert_eq!(isolated(bus(), &[(1, at(1, 0), true), (1, at(1, 1), true)]).1, Ok(()));
    }

    #[test]
    fn behind_a_conventional_bridge_nobody_masters_memory() {
        for bridge in [Device::bridge(), Device::port(7, true)] {
            let bus = || Host::new([(at(0, 1), bridge.clone()), (at(1, 0), Device::endpoint(1, 1))]);
            let (_, outcome) = isolated(bus(), &[(1, at(1, 0), true)]);
            let text =
                "owner1.01:00.0 is behind the conventional bridge 00:01.0, which passes its requests on as its own";
            assert_eq!(outcome, Err(text.into()));
            assert_eq!(isolated(bus(), &[(1, at(1, 0), false)]).1, Ok(()));
        }
    }
}
