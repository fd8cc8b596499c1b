//! Devices of QEMU's `virt` machine, against specs that are right and wrong.

mod far;

use std::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use sluice_abi::smmu::StreamId;
use sluice_platform::{PciAddress, validate};
use sluice_spec::{Location, Mode};

use super::*;
use crate::pci::fake::{Device as Fake, Host};

const TREE: &[u8] = include_bytes!("../../../platforms/qemu-virt/qemu-virt.dtb");
const AT: PciAddress = PciAddress::from_rid(0x10);

fn on_machine<T>(test: impl FnOnce(&Machine<'_>) -> T) -> T {
    let blob = validate(TREE).unwrap();
    test(&Machine::from_blob(&blob).unwrap())
}

fn stream(sid: u32) -> u64 {
    StreamId { smmu: 0, sid }.word()
}

fn disk() -> Device {
    Device {
        name: "disk".to_string(),
        location: Location::Pci { host: "/pcie@10000000".into(), bridges: vec![], bus: 0, device: 2, function: 0 },
        expect: Some((0x1b36, 0x0010)),
        mode: Mode::Stage2,
        why: None,
        streams: vec![stream(0x10)],
        context: 1,
        dma: vec![],
        interrupt: Some((37, false)),
        faults: None,
        address_bits: 64,
        coherent: true,
        manage: false,
        guest_slot: None,
        registers: vec![],
    }
}

/// The outcome for a function that shows `identity` and pin INTA#, with one 16 KiB BAR.
fn check_pci(
    identity: (u16, u16),
    role: Role,
    pin: u8,
    change: impl FnOnce(&mut Device),
) -> Result<LiveDevice, String> {
    on_machine(|machine| {
        let mut device = disk();
        change(&mut device);
        let mut access = Host::new([(AT, Fake::endpoint(identity.0, identity.1).bar(0, 0x4000, 0b100))]);
        let host = *machine.pci_hosts.get(0).unwrap();
        let identity = Identity { vendor: identity.0, device: identity.1 };
        let found = vec![Found { at: AT, identity, role, pin }];
        let windows = Windows::new(host.windows.iter().copied());
        let mut bus = Bus { host, found, windows, bridges: vec![], placed: vec![] };
        let Location::Pci { device: number, .. } = device.location else { unreachable!("the test keeps the location") };
        let at = PciAddress::new(0, number, 0).unwrap();
        let checked = check_function(machine, &mut bus, &mut access, at, &device);
        checked.map(|(live, _)| live).map_err(|mismatch| mismatch.to_string())
    })
}

fn nvme(change: impl FnOnce(&mut Device) + 'static) -> Result<LiveDevice, String> {
    let change: Box<dyn FnOnce(&mut Device)> = Box::new(change);
    check_pci((0x1b36, 0x0010), Role::Endpoint, 1, change)
}

#[test]
fn a_function_as_expected_gets_its_registers() {
    assert_eq!(nvme(|_| ()), Ok(LiveDevice { registers: vec![(0, 0x80_0000_0000, 0x4000)], ..LiveDevice::default() }));
}

#[test]
fn a_difference_names_both_values() {
    assert_eq!(
        nvme(|device| device.streams = vec![stream(0x18)]),
        Err("spec has stream 0:0x0018, the machine 0:0x0010".to_string())
    );
    assert_eq!(
        nvme(|device| device.interrupt = Some((36, false))),
        Err("spec has interrupt 36 (level), the machine 37 (level)".to_string())
    );
    assert_eq!(
        nvme(|device| device.interrupt = Some((37, true))),
        Err("spec has interrupt 37 (edge), the machine 37 (level)".to_string())
    );
    assert_eq!(
        check_pci((0x1234, 0x11e8), Role::Endpoint, 1, |_| ()),
        Err("spec expects 1b36:0010, the machine has 1234:11e8".to_string())
    );
    assert_eq!(
        check_pci((0x1b36, 0x0010), Role::Endpoint, 0, |_| ()),
        Err("spec has interrupt 37 (level), the machine none".to_string())
    );
}

#[test]
fn what_is_missing_or_of_another_kind_is_named() {
    let elsewhere = |device: &mut Device| {
        device.location =
            Location::Pci { host: "/pcie@10000000".into(), bridges: vec![], bus: 0, device: 3, function: 0 };
    };
    assert_eq!(nvme(elsewhere), Err("no PCI function answers at 00:03.0".to_string()));
    let bridge = Role::Bridge { secondary: 1, subordinate: 1 };
    assert_eq!(
        check_pci((0x1b36, 0x0010), bridge, 1, |_| ()),
        Err("the PCI function at 00:02.0 is a bridge".to_string())
    );
    assert_eq!(nvme(|device| device.streams.push(stream(0x11))), Err("spec has 2 streams, the machine 1".to_string()));
    let two_smmus = |device: &mut Device| device.streams.push(StreamId { smmu: 1, sid: 0 }.word());
    assert!(nvme(two_smmus).unwrap_err().contains("0x100000000"));
    assert!(nvme(|device| device.streams = vec![u64::MAX]).is_err());
}

#[test]
fn a_device_that_masters_nothing_needs_no_stream() {
    let quiet = |device: &mut Device| {
        device.mode = Mode::None;
        device.streams.clear();
    };
    assert!(nvme(quiet).is_ok());
}

fn uart(change: impl FnOnce(&mut Device)) -> Result<LiveDevice, String> {
    let mut device = disk();
    device.mode = Mode::None;
    device.streams.clear();
    device.interrupt = Some((33, false));
    device.registers = vec![(0x900_0000, 0x1000)];
    device.location = Location::Node { path: "/pl011@9000000".into() };
    change(&mut device);
    let Location::Node { path } = device.location.clone() else { unreachable!("a node") };
    on_machine(|machine| check_node(machine, &path, &device).map_err(|mismatch| mismatch.to_string()))
}

#[test]
fn nodes_are_compared_too() {
    assert_eq!(uart(|_| ()), Ok(LiveDevice { registers: vec![(0, 0x900_0000, 0x1000)], ..LiveDevice::default() }));
    assert_eq!(
        uart(|device| device.registers = vec![(0x901_0000, 0x1000)]),
        Err("spec has registers 0x9010000+0x1000, the machine 0x9000000+0x1000".to_string())
    );
    assert_eq!(
        uart(|device| device.registers.push((0x902_0000, 0x1000))),
        Err("spec has registers 0x9020000+0x1000, the machine none".to_string())
    );
    assert_eq!(
        uart(|device| device.interrupt = Some((34, false))),
        Err("spec has interrupt 34 (level), the machine 33 (level)".to_string())
    );
    let renamed = |device: &mut Device| device.location = Location::Node { path: "/pl011@9040000".into() };
    assert_eq!(uart(renamed), Err("the machine has no device /pl011@9040000".to_string()));
    assert_eq!(
        uart(|device| device.mode = Mode::Stage2),
        Err("the device masters memory, but no SMMU translates for it".to_string())
    );
}

#[test]
fn a_master_behind_no_smmu_is_handed_out_as_a_bypass_only() {
    let fw_cfg = |device: &mut Device| {
        device.location = Location::Node { path: "/fw-cfg@9020000".into() };
        device.registers = vec![(0x902_0000, 0x18)];
        device.interrupt = None;
    };
    assert_eq!(uart(fw_cfg), Err("the device masters memory, but no SMMU translates for it".to_string()));
    let with_a_reason = |device: &mut Device| {
        fw_cfg(device);
        device.mode = Mode::Bypass;
    };
    let registers = vec![(0, 0x902_0000, 0x18)];
    assert_eq!(uart(with_a_reason), Ok(LiveDevice { registers, ..LiveDevice::default() }));
}

#[test]
fn a_bypass_is_of_the_stream_that_the_machine_has() {
    let bypass = |stream: Option<u64>| {
        move |device: &mut Device| {
            device.mode = Mode::Bypass;
            device.streams = stream.into_iter().collect();
        }
    };
    assert!(nvme(bypass(Some(stream(0x10)))).is_ok());
    assert!(nvme(bypass(Some(stream(0x18)))).unwrap_err().starts_with("spec has stream 0:0x0018"));
    assert_eq!(nvme(bypass(None)), Err("spec has 0 streams, the machine 1".to_string()));
}

#[test]
fn raw_streams_are_at_an_smmu_that_exists() {
    let check = |word: u64| {
        let mut device = disk();
        device.location = Location::Streams;
        device.streams = vec![word];
        on_machine(|machine| check_raw_streams(machine, &device)).map(|live| live.registers.len())
    };
    assert_eq!(check(stream(7)), Ok(0));
    let beyond = StreamId { smmu: 1, sid: 7 }.word();
    assert_eq!(check(beyond), Err(Mismatch::BadStream(beyond)));
    assert!(Vec::from([check(1 << 40)]).iter().all(Result::is_err));
}
