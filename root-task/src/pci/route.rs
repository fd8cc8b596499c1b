//! The ways to devices behind bridges: bridges that the spec names are numbered and opened, all others closed.

use alloc::vec::Vec;

use sluice_platform::{PciAddress, Space};
use sluice_spec::Numbered;

use super::bars::{Assigned, Windows, size_bars};
use super::bridge::{BridgeError, close, set_buses};
use super::config::Access;
use super::enumerate::{Found, Role, functions};
use super::layout::{Behind, Layout, address};

/// Closes every bridge, and opens those in `bridges` again with their buses. What answers then, each bridge before what
/// is behind it.
///
/// # Errors
/// [`BridgeError`] when a bridge is not there or is none.
pub fn open_bridges(
    access: &mut impl Access,
    found: &[Found],
    first: u8,
    bridges: &[Numbered],
) -> Result<Vec<Found>, BridgeError> {
    // From the far end: a closed bridge hides what is behind it.
    for bridge in found.iter().rev().filter(|function| matches!(function.role, Role::Bridge { .. })) {
        close(access, bridge.at);
    }
    let closed = |mut function: Found| {
        if let Role::Bridge { secondary, subordinate } = &mut function.role {
            (*secondary, *subordinate) = (0, 0);
        }
        function
    };
    let mut all: Vec<Found> = found.iter().filter(|function| function.at.bus() == first).copied().map(closed).collect();
    for bridge in bridges {
        let Some(at) = address(bridge) else { continue };
        let here = all.iter().position(|function| function.at == at).ok_or(BridgeError::Absent(at))?;
        let role = all.get_mut(here).map(|function| &mut function.role);
        let Some(role @ Role::Bridge { .. }) = role else { return Err(BridgeError::NoBridge(at)) };
        let (secondary, subordinate) = (bridge.secondary, bridge.subordinate);
        *role = Role::Bridge { secondary, subordinate };
        set_buses(access, at, (secondary, subordinate))?;
        for function in functions(access, secondary) {
            if matches!(function.role, Role::Bridge { .. }) {
                close(access, function.at);
            }
            all.push(function);
        }
    }
    Ok(all)
}

/// Gives the functions at `wanted`, all behind bridges, their addresses.
///
/// # Errors
/// [`BridgeError`] when there is no room or a register does not keep what is written.
pub fn place_behind(
    access: &mut impl Access,
    windows: &mut Windows,
    bridges: &[Numbered],
    wanted: &[PciAddress],
) -> Result<Vec<(PciAddress, Vec<Assigned>)>, BridgeError> {
    let mut behind = Vec::new();
    for at in wanted {
        let bars = size_bars(access, *at).map_err(|error| BridgeError::Bars(*at, error))?;
        behind.push(Behind { at: *at, bars });
    }
    let wide = windows.has(Space::Memory64);
    Layout { bridges, functions: &behind, wide }.assign(access, windows)
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use sluice_abi::PhysAddr;
    use sluice_platform::{Region, Window};
    use sluice_spec::{Step, number_buses};

    use super::super::bridge::follow_mastering;
    use super::super::config::COMMAND;
    use super::super::fake::{Device, Host};
    use super::super::{enable_mastering, enumerate, quiesce};
    use super::*;

    const ROOT: u32 = 4;
    const UP: u32 = 5;
    const DOWN: u32 = 6;
    const WAYS: [&[Step]; 2] = [&[(1, 0), (0, 0), (0, 0)], &[(2, 0)]];

    fn at(bus: u8, device: u8) -> PciAddress {
        PciAddress::new(bus, device, 0).unwrap()
    }

    /// A root port with a switch, behind which a function on bus 3 has these BARs; a root port with one on bus 4.
    fn host(bars: &[(u16, u64, u32)]) -> Host {
        let with =
            |device: Device| bars.iter().fold(device, |device, (index, size, flags)| device.bar(*index, *size, *flags));
        Host::new([
            (at(0, 1), Device::port(ROOT, true)),
            (at(1, 0), Device::port(UP, false)),
            (at(2, 0), Device::port(DOWN, true)),
            (at(3, 0), with(Device::endpoint(1, 1))),
            (at(0, 2), Device::port(ROOT, true)),
            (at(4, 0), with(Device::endpoint(1, 2))),
        ])
    }

    fn windows() -> Windows {
        let window = |space, base: u64, size: u64| {
            let cpu = Region::new(PhysAddr(base), size).unwrap();
            Window { space, prefetchable: false, pci: base, cpu }
        };
        Windows::new([window(Space::Memory32, 0x1000_0000, 0x2000_0000), window(Space::Memory64, 1 << 39, 1 << 39)])
    }

    type Placed = Vec<(PciAddress, Vec<(u8, u64)>)>;

    fn opened(host: &mut Host, mut windows: Windows) -> Result<(Vec<Found>, Placed), String> {
        let found = enumerate(host, 0, 255).unwrap_or_default();
        let bridges = number_buses((0, 255), WAYS).unwrap();
        let found = open_bridges(host, &found, 0, &bridges).map_err(|error| error.to_string())?;
        let placed = place_behind(host, &mut windows, &bridges, &[at(3, 0), at(4, 0)]);
        let placed = placed.map_err(|error| error.to_string())?.into_iter();
        let addresses = |bars: Vec<Assigned>| bars.iter().map(|bar| (bar.bar.index, bar.cpu_address)).collect();
        Ok((found, placed.map(|(at, bars)| (at, addresses(bars))).collect()))
    }

    #[test]
    fn windows_hold_what_is_behind_and_nothing_else() {
        let mut host = host(&[(0, 0x4000, 0b100), (2, 1 << 28, 0b1100), (4, 0x20, 1), (5, 0x1000, 0)]);
        let (_, placed) = opened(&mut host, windows()).unwrap();
        let high = 1u64 << 39;
        let expected = [
            (at(3, 0), std::vec![(0, 0x1000_0000), (2, high), (5, 0x1000_4000)]),
            (at(4, 0), std::vec![(0, 0x1010_0000), (2, high + (1 << 28)), (5, 0x1010_4000)]),
        ];
        assert_eq!(placed, expected);
        for bridge in [at(0, 1), at(1, 0), at(2, 0)] {
            assert_eq!(host.read(bridge, 0x20), 0x1000_1000, "{bridge}: one MiB");
            assert_eq!(host.read(bridge, 0x24), 0x0ff1_0001);
            assert_eq!((host.read(bridge, 0x28), host.read(bridge, 0x2c)), (0x80, 0x80));
            assert_eq!(host.read(bridge, 0x1c) & 0xf0f0, 0x00f0, "no ports");
            assert_eq!(host.read(bridge, COMMAND) & 7, 2, "memory, and no mastering");
        }
        assert_eq!(host.read(at(0, 2), 0x20), 0x1010_1010);
        assert_eq!(host.read(at(3, 0), 0x18), 0x0000_000c);
    }

    #[test]
    fn without_a_high_window_everything_is_low() {
        let bars = [(0, 1 << 24, 0b1100)];
        let (_, placed) = opened(&mut host(&bars).with(at(1, 0), |port| port.stuck(0x24)), windows()).unwrap();
        assert_eq!(placed[0].1, [(0, 0x1000_0000)], "a bridge on the way has none");
        assert_eq!(placed[1].1, [(0, 1 << 39)]);
        let low = Window {
            space: Space::Memory32,
            prefetchable: false,
            pci: 0x1000_0000,
            cpu: Region::new(PhysAddr(0x1000_0000), 0x2000_0000).unwrap(),
        };
        let (_, placed) = opened(&mut host(&bars), Windows::new([low])).unwrap();
        assert_eq!((placed[0].1[0].1, placed[1].1[0].1), (0x1000_0000, 0x1100_0000));
    }

    #[test]
    fn a_bridge_that_nobody_names_stays_closed() {
        let mut host = host(&[]);
        let found = enumerate(&mut host, 0, 255).unwrap_or_default();
        let bridges = number_buses((0, 255), [WAYS[1]]).unwrap();
        let found = open_bridges(&mut host, &found, 0, &bridges).unwrap();
        for closed in [at(0, 1), at(1, 0), at(2, 0)] {
            assert_eq!(host.read(closed, 0x18), 0, "no bus behind it");
            assert_eq!((host.read(closed, 0x20), host.read(closed, COMMAND) & 7), (0xfff0, 0));
        }
        assert_eq!(host.read(at(0, 2), 0x18), 0x0001_0100);
        let open = |found: &&Found| matches!(found.role, Role::Bridge { secondary: 1.., .. });
        assert_eq!(found.iter().filter(open).map(|found| found.at).collect::<Vec<_>>(), [at(0, 2)]);
    }

    #[test]
    fn bridges_master_while_something_behind_them_does() {
        let mut host = host(&[]);
        let (found, _) = opened(&mut host, windows()).unwrap();
        let masters = |host: &Host| -> Vec<PciAddress> {
            let all = found.iter().map(|found| found.at);
            all.filter(|at| host.read(*at, COMMAND) & 4 != 0).collect()
        };
        follow_mastering(&mut host, &found);
        assert_eq!(masters(&host), []);
        enable_mastering(&mut host, at(3, 0));
        follow_mastering(&mut host, &found);
        assert_eq!(masters(&host), [at(0, 1), at(1, 0), at(2, 0), at(3, 0)]);
        quiesce(&mut host, at(3, 0));
        follow_mastering(&mut host, &found);
        assert_eq!(masters(&host), []);
    }

    #[test]
    fn a_bad_topology_is_one_line() {
        let says = |mut host: Host, windows: Windows| opened(&mut host, windows).unwrap_err();
        let absent = Host::new([(at(0, 2), Device::port(ROOT, true))]);
        assert_eq!(says(absent, windows()), "the spec has devices behind a bridge at 00:01.0, where nothing answers");
        let endpoint = host(&[]).with(at(0, 1), |_| Device::endpoint(1, 1));
        assert_eq!(says(endpoint, windows()), "the spec has devices behind 00:01.0, which is no bridge");
        let garbage = host(&[]).with(at(1, 0), |mut port| {
            port.set(0x0c, 0x0042_0000);
            port
        });
        assert_eq!(says(garbage, windows()), "the spec has devices behind 01:00.0, which is no bridge");
        let forgets = host(&[]).with(at(1, 0), |port| port.stuck(0x18));
        assert_eq!(says(forgets, windows()), "bridge 01:00.0 does not keep its bus numbers");
        let memory = [(0, 0x1000, 0)];
        let no_window = host(&memory).with(at(2, 0), |port| port.stuck(0x20));
        assert_eq!(says(no_window, windows()), "bridge 02:00.0 does not keep its window");
        assert_eq!(
            says(host(&[(0, 1 << 29, 0)]), windows()),
            "no window of the host has room for 0x20000000 bytes of 32-bit memory behind bridge 00:01.0"
        );
        assert_eq!(
            says(host(&[(0, 1 << 62, 0b1100)]), windows()),
            "no window of the host has room for 0x4000000000000000 bytes of prefetchable memory behind bridge 00:01.0"
        );
        assert_eq!(
            says(host(&memory), Windows::new([])),
            "no window of the host has room for 0x100000 bytes of 32-bit memory behind bridge 00:01.0"
        );
        assert_eq!(says(host(&[(0, 0x1800, 0)]), windows()), "function 03:00.0: BAR 0 has no valid size");
    }
}
