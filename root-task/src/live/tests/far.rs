//! Functions behind bridges.

use sluice_spec::number_buses;

use super::*;

const WAY: [(u8, u8); 2] = [(1, 0), (3, 0)];

/// The outcome for a disk behind two bridges, on bus 2 as device 2.
fn check(pin: u8, change: impl FnOnce(&mut Device)) -> Result<LiveDevice, String> {
    on_machine(|machine| {
        let mut device = disk();
        let (host, bridges) = ("/pcie@10000000".to_string(), WAY.to_vec());
        device.location = Location::Pci { host, bridges, bus: 2, device: 2, function: 0 };
        device.streams = vec![stream(0x210)];
        // INTA# of device 2 is INTC# of bridge 3, which is INTB# of bridge 1.
        device.interrupt = Some((37, false));
        change(&mut device);
        let at = PciAddress::new(2, 2, 0).unwrap();
        let mut access = Host::new([(at, Fake::endpoint(0x1b36, 0x0010).bar(0, 0x4000, 0b100))]);
        let host = *machine.pci_hosts.get(0).unwrap();
        let identity = Identity { vendor: 0x1b36, device: 0x0010 };
        let found = vec![Found { at, identity, role: Role::Endpoint, pin }];
        let bar =
            crate::pci::Bar { index: 0, space: sluice_platform::Space::Memory64, size: 0x4000, prefetchable: false };
        let assigned = Assigned { bar, bus_address: 0x1000_0000, cpu_address: 0x1000_0000, mapped_size: 0x4000 };
        let bridges = number_buses((0, 255), [&WAY[..]]).unwrap();
        let windows = Windows::new([]);
        let mut bus = Bus { host, found, windows, bridges, placed: vec![(at, vec![assigned])] };
        let checked = check_function(machine, &mut bus, &mut access, at, &device);
        checked.map(|(live, _)| live).map_err(|mismatch| mismatch.to_string())
    })
}

#[test]
fn a_pin_turns_at_each_bridge() {
    // Line 35 + (device + pin) % 4 on this machine.
    for (pin, line) in [(1, 37), (2, 38), (3, 35), (4, 36)] {
        assert!(check(pin, |device| device.interrupt = Some((line, false))).is_ok(), "{pin}");
    }
    assert_eq!(check(2, |_| ()), Err("spec has interrupt 37 (level), the machine 38 (level)".to_string()));
}

#[test]
fn a_function_has_the_stream_of_its_bus() {
    let registers = vec![(0, 0x1000_0000, 0x4000)];
    assert_eq!(check(1, |_| ()), Ok(LiveDevice { registers, ..LiveDevice::default() }));
    assert_eq!(
        check(1, |device| device.streams = vec![stream(0x10)]),
        Err("spec has stream 0:0x0010, the machine 0:0x0210".to_string())
    );
}

#[test]
fn a_bus_of_another_number_is_named() {
    let moved = |number: u8| {
        move |device: &mut Device| {
            let Location::Pci { bus, .. } = &mut device.location else { unreachable!("the test keeps the location") };
            *bus = number;
        }
    };
    assert_eq!(check(1, moved(3)), Err("spec has bus 03, the machine 02".to_string()));
    let unnamed = |device: &mut Device| {
        let Location::Pci { bridges, .. } = &mut device.location else { unreachable!("the test keeps the location") };
        bridges.push((0, 0));
    };
    assert_eq!(check(1, unnamed), Err("spec has bus 02, the machine none".to_string()));
}
