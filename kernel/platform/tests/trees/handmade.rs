//! Trees with what QEMU's lack: several SMMUs and hosts, moved addresses, nexus nodes, platform masters.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::StreamId;
use sluice_platform::{
    Conduit, Interrupt, Machine, PciAddress, Pin, Region, Reserved, Space, Trigger, Window, option, validate,
};

use crate::edit::{Node, Tree};

const TWO_SMMUS: &[u8] = include_bytes!("../data/two-smmus.dtb");
const FVP_BASE: &[u8] = include_bytes!("../../../../platforms/fvp-base/fvp-base.dtb");
const FVP_LIKE: &[u8] = include_bytes!("../data/fvp-like.dtb");

fn region(base: u64, size: u64) -> Region {
    Region::new(PhysAddr(base), size).expect("a range")
}

fn level(intid: u32) -> Interrupt {
    Interrupt { intid, trigger: Trigger::Level }
}

fn edge(intid: u32) -> Interrupt {
    Interrupt { intid, trigger: Trigger::Edge }
}

fn with_machine(bytes: &[u8], look: impl FnOnce(&Machine<'_>)) {
    let blob = validate(bytes).expect("a valid blob");
    look(&Machine::from_blob(&blob).expect("a machine"));
}

#[test]
fn memory_is_sorted_and_merged_and_reservations_are_kept_apart() {
    with_machine(TWO_SMMUS, |machine| {
        assert!(machine.memory.iter().eq([&region(0x8000_0000, 0x6000_0000), &region(0x9_0000_0000, 0x4000_0000)]));
        assert!(machine.reserved.iter().eq([
            &Reserved { region: region(0x8000_0000, 0x1000), no_map: false },
            &Reserved { region: region(0x8400_0000, 0x20_0000), no_map: true },
        ]));
    });
    with_machine(FVP_LIKE, |machine| {
        assert!(machine.memory.iter().eq([&region(0x8000_0000, 0x7f00_0000), &region(0x8_8000_0000, 0x8000_0000)]));
    });
}

#[test]
fn cores_timers_firmware_and_command_line() {
    with_machine(TWO_SMMUS, |machine| {
        assert_eq!((machine.cpus, machine.psci), (1, Some(Conduit::Hvc)));
        let timer = machine.timer;
        assert_eq!(timer.secure_physical, None);
        assert_eq!([timer.physical, timer.virtual_timer, timer.hypervisor], [level(30), level(27), level(26)]);
        assert_eq!(option(machine.bootargs, "sluice.smmu"), Some("off"), "the last word counts");
        assert_eq!(option(machine.bootargs, "quiet"), Some(""));
    });
    with_machine(FVP_LIKE, |machine| {
        assert_eq!((machine.cpus, machine.psci, machine.bootargs), (2, Some(Conduit::Smc), ""));
    });
}

#[test]
fn redistributors() {
    with_machine(TWO_SMMUS, |machine| {
        let regions = [&region(0x2f10_0000, 0x4_0000), &region(0x2f20_0000, 0x4_0000)];
        assert!(machine.gic.redistributors.iter().eq(regions));
        assert_eq!(machine.gic.redistributor_stride, Some(0x4_0000));
        assert!(machine.gic.its.is_empty());
    });
    with_machine(FVP_LIKE, |machine| {
        assert!(machine.gic.redistributors.iter().eq([&region(0x2f10_0000, 0x20_0000)]), "GICC is no redistributor");
        assert!(machine.gic.its.iter().eq([&region(0x2f02_0000, 0x2_0000)]));
    });
}

#[test]
fn smmus_are_numbered_in_the_order_of_the_tree_without_disabled_ones() {
    with_machine(TWO_SMMUS, |machine| {
        let bases: Vec<_> = machine.smmus.iter().map(|smmu| (smmu.registers.base().0, smmu.coherent)).collect();
        assert_eq!(bases, [(0x2b40_0000, true), (0x2b60_0000, false)]);
        assert_eq!(machine.smmus[0].interrupts.combined, Some(edge(106)));
        assert_eq!(machine.smmus[0].interrupts.event_queue, None);
        let lines = machine.smmus[1].interrupts;
        let found = [lines.combined, lines.event_queue, lines.page_requests, lines.command_sync, lines.global_error];
        assert_eq!(found, [None, Some(edge(112)), None, Some(edge(115)), Some(edge(114))]);
    });
    with_machine(FVP_LIKE, |machine| {
        let lines = machine.smmus[0].interrupts;
        let found = [lines.event_queue, lines.page_requests, lines.command_sync, lines.global_error];
        assert_eq!(found, [106, 107, 109, 111].map(|intid| Some(edge(intid))));
    });
}

#[test]
fn streams_through_masks_and_several_entries() {
    let stream = |smmu, sid| Ok(Some(StreamId { smmu, sid }));
    with_machine(TWO_SMMUS, |machine| {
        let host = &machine.pci_hosts[0];
        assert_eq!(machine.stream_of(host, 0x1000), stream(1, 0x2_0000));
        assert_eq!(machine.stream_of(host, 0x10fd), stream(1, 0x2_00f8), "functions are masked out");
        assert_eq!(machine.stream_of(host, 0x1108), stream(0, 0x308));
        assert_eq!(machine.stream_of(host, 0x1110), Ok(None), "behind the second entry");
        assert_eq!(machine.stream_of(host, 0x0fff), Ok(None), "before the first entry");
        assert_eq!(machine.stream_of(host, 0x1200), Ok(None), "a disabled SMMU translates nothing");
        assert!(host.has_iommu_map && !machine.pci_hosts[1].has_iommu_map);
        assert_eq!(machine.stream_of(&machine.pci_hosts[1], 0), Ok(None));
        let device = |path| machine.device(path).expect("a device");
        let streams = device("/soc@10000000/dma@80001000").streams().expect("streams");
        assert!(streams.iter().eq([&StreamId { smmu: 1, sid: 0x40 }, &StreamId { smmu: 0, sid: 0x41 }]));
        assert!(device("/soc@10000000/dma@80002000").streams().expect("streams").is_empty());
    });
    with_machine(FVP_LIKE, |machine| {
        assert_eq!(machine.stream_of(&machine.pci_hosts[0], 0x18), stream(0, 0x18));
        let engine = machine.device("/testengine@2bfe0000").expect("a device");
        assert!(engine.streams().expect("streams").iter().eq([&StreamId { smmu: 0, sid: 0x1_0000 }]));
        assert!(engine.is_coherent());
    });
}

#[test]
fn hosts() {
    with_machine(TWO_SMMUS, |machine| {
        let [first, second] = [&machine.pci_hosts[0], &machine.pci_hosts[1]];
        assert_eq!((first.first_bus, first.last_bus, first.segment, first.coherent), (16, 31, 0, true));
        assert_eq!((second.first_bus, second.last_bus, second.segment, second.coherent), (0, 1, 1, false));
        let at =
            |bus, device, function| first.configuration(PciAddress::new(bus, device, function).expect("a function"));
        assert_eq!(at(16, 0, 0), Some(PhysAddr(0x4000_0000)), "the space starts with the first bus");
        assert_eq!(at(17, 1, 2), Some(PhysAddr(0x4010_a000)));
        assert_eq!((at(15, 0, 0), at(32, 0, 0)), (None, None));
        let cpu = region(0x40_0000_0000, 0x1_0000_0000);
        let wide = Window { space: Space::Memory64, prefetchable: true, pci: 0x40_0000_0000, cpu };
        assert_eq!(first.windows.iter().collect::<Vec<_>>(), [&wide]);
        let cpu = region(0x6000_0000, 0x1000_0000);
        let moved = Window { space: Space::Memory32, prefetchable: false, pci: 0, cpu };
        assert_eq!(second.windows.iter().collect::<Vec<_>>(), [&moved]);
    });
}

#[test]
fn pins() {
    let function = PciAddress::new(16, 3, 0).expect("a function");
    with_machine(TWO_SMMUS, |machine| {
        let host = &machine.pci_hosts[0];
        assert_eq!(machine.interrupt_of(host, function, Pin::A), Ok(level(132)));
        assert_eq!(machine.interrupt_of(host, function, Pin::B), Ok(level(133)));
        let unmapped = machine.interrupt_of(host, function, Pin::C).expect_err("no entry").to_string();
        assert_eq!(unmapped, "device tree: /pcie@40000000: interrupt-map: has no entry for <0x101800 0x0 0x0 0x3>");
        let missing = machine.interrupt_of(&machine.pci_hosts[1], function, Pin::A).expect_err("no map").to_string();
        assert_eq!(missing, "device tree: /pcie@50000000: interrupt-map: is missing");
    });
    with_machine(FVP_LIKE, |machine| {
        let lines = Pin::ALL.map(|pin| machine.interrupt_of(&machine.pci_hosts[0], function, pin));
        assert_eq!(lines, [200, 201, 202, 203].map(|intid| Ok(level(intid))));
    });
    assert_eq!([0, 4, 5].map(Pin::from_register), [None, Some(Pin::D), None]);
    assert_eq!([0, 1, 2, 31].map(|device| Pin::C.behind_bridge(device)), [Pin::C, Pin::D, Pin::A, Pin::B]);
}

#[test]
fn addresses_through_buses() {
    with_machine(TWO_SMMUS, |machine| {
        let base = |path| machine.device(path).expect("a device").registers().map(|list| list[0].base().0);
        assert_eq!(base("/soc@10000000/serial@90000"), Ok(0x1009_0000));
        assert_eq!(base("/soc@10000000/dma@80001000"), Ok(0x1800_1000));
        assert_eq!(base("/soc@10000000/inner@100000/rtc@2000"), Ok(0x1010_2000));
        let error = base("/soc@10000000/dma@90000000").expect_err("no range").to_string();
        let line = "/soc@10000000: ranges: 0x90000000 is in no range that the parent buses pass on";
        assert_eq!(error, format!("device tree: {line}"));
        let error = base("/soc@10000000/straddling@80fff001").expect_err("one byte too far").to_string();
        let line = "/soc@10000000: ranges: 0x80fff001 is in no range that the parent buses pass on";
        assert_eq!(error, format!("device tree: {line}"));
        let error = base("/i2c/eeprom@50").expect_err("no address of the CPU's").to_string();
        assert_eq!(error, "device tree: /i2c: #size-cells: 0 cells cannot be worked with");
        let console = machine.console.expect("a console");
        assert_eq!((console.registers, console.interrupt), (region(0x1009_0000, 0x1000), Some(level(37))));
        let mut paths = Vec::new();
        machine.visit_devices(|device| paths.push(device.path().to_string()));
        assert!(paths.iter().any(|path| path == "/soc@10000000/inner@100000/rtc@2000"));
        assert!(!paths.iter().any(|path| path.starts_with("/i2c") || path.starts_with("/memory")), "{paths:?}");
        assert!(!paths.iter().any(|path| path == "/iommu@2b500000"), "disabled");
        assert!(!paths.iter().any(|path| path.starts_with("/soc@10000000/absent@200000")), "on a disabled bus");
    });
    with_machine(FVP_LIKE, |machine| {
        let console = machine.console.expect("the alias serial0 without a stdout-path");
        assert_eq!((console.registers, console.interrupt), (region(0x1c09_0000, 0x1000), Some(level(37))));
    });
}

#[test]
fn interrupts_through_a_nexus() {
    with_machine(FVP_LIKE, |machine| {
        let bus = "/bus@8000000/iofpga-bus@300000000";
        let interrupts = |name: &str| machine.device(&format!("{bus}/{name}")).expect("a device").interrupts();
        assert!(interrupts("serial@a0000").expect("an interrupt").iter().eq([&level(38)]));
        assert!(interrupts("virtio@130000").expect("an interrupt").iter().eq([&level(74)]));
        let error = interrupts("stray@140000").expect_err("no entry").to_string();
        assert_eq!(error, "device tree: /bus@8000000: interrupt-map: has no entry for <0x140000 0x1000 0x9>");
    });
}

#[test]
fn masters_behind_no_smmu() {
    let masters = |bytes| {
        let mut found = Vec::new();
        with_machine(bytes, |machine| {
            let push =
                |device: &sluice_platform::Device<'_, '_>, binding| found.push((device.path().to_string(), binding));
            machine.visit_unconfined_masters(push).expect("readable streams");
        });
        found
    };
    let wanted = [
        ("/pcie@50000000", "pci-host-ecam-generic"),
        ("/soc@10000000/dma@80002000", "arm,pl330"),
        ("/soc@10000000/dma@90000000", "arm,pl330"),
    ];
    assert_eq!(masters(TWO_SMMUS), wanted.map(|(path, binding)| (path.to_owned(), binding)));
    let virtio = "/bus@8000000/iofpga-bus@300000000/virtio@130000".to_owned();
    assert_eq!(masters(FVP_LIKE), [(virtio, "virtio,mmio")]);
}

#[test]
fn a_full_name_goes_before_a_name_without_its_unit_address() {
    let mut tree = Tree::read(FVP_LIKE);
    tree.add("/", Node::new("timer@0", &[]));
    tree.add("/", Node::new("clock@0", &[]).with_child(Node::new("a", &[])));
    tree.add("/", Node::new("clock", &[]).with_child(Node::new("b", &[])));
    let bytes = tree.write();
    let blob = validate(&bytes).expect("a valid blob");
    let machine = Machine::from_blob(&blob).expect("a machine");
    for path in ["/timer", "/timer@0", "/clock", "/clock@0/a", "/clock/b"] {
        assert!(machine.device(path).is_some_and(|device| device.path().is(path)), "{path}");
    }
    assert!(machine.device("/clock/a").is_none());
}

#[test]
fn coherence_is_inherited_from_the_nearest_node_that_speaks_of_it() {
    let coherent = |at: &str, words: &[&str]| {
        let mut tree = Tree::read(FVP_LIKE);
        tree.clear("/iommu@2b400000", "dma-coherent");
        words.iter().for_each(|word| tree.set(at, word, Vec::new()));
        let bytes = tree.write();
        let blob = validate(&bytes).expect("a valid blob");
        let machine = Machine::from_blob(&blob).expect("a machine");
        [machine.smmus[0].coherent, machine.pci_hosts[0].coherent]
    };
    assert_eq!(coherent("/", &[]), [false, true]);
    assert_eq!(coherent("/", &["dma-coherent"]), [true, true]);
    assert_eq!(coherent("/", &["dma-noncoherent"]), [false, true]);
    assert_eq!(coherent("/iommu@2b400000", &["dma-coherent"]), [true, true]);
}

/// The facts of `platforms/fvp-base`, and what follows from them.
#[test]
fn arms_base_platform() {
    with_machine(FVP_BASE, |machine| {
        assert!(machine.memory.iter().eq([&region(0x8000_0000, 0x7f00_0000), &region(0x8_8000_0000, 0x8000_0000)]));
        assert_eq!((machine.cpus, machine.psci, machine.timer.frequency), (1, None, Some(100_000_000)));
        assert_eq!(machine.gic.distributor, region(0x2f00_0000, 0x1_0000));
        assert!(machine.gic.redistributors.iter().eq([&region(0x2f10_0000, 0x20_0000)]));
        assert_eq!(machine.gic.maintenance, Some(level(25)));
        let console = machine.console.expect("a console");
        assert_eq!((console.registers, console.interrupt), (region(0x1c09_0000, 0x1000), Some(level(37))));
        let smmu = machine.smmus[0];
        assert_eq!((smmu.registers, smmu.coherent), (region(0x2b40_0000, 0x10_0000), true));
        let lines = smmu.interrupts;
        let found = [lines.event_queue, lines.page_requests, lines.command_sync, lines.global_error];
        assert_eq!(found, [106, 107, 109, 111].map(|intid| Some(edge(intid))));
        let host = &machine.pci_hosts[0];
        assert_eq!((host.ecam, host.first_bus, host.last_bus), (region(0x4000_0000, 0x1000_0000), 0, 1));
        assert_eq!(machine.stream_of(host, 0x108), Ok(Some(StreamId { smmu: 0, sid: 0x108 })));
        let function = PciAddress::new(0, 1, 0).expect("a function");
        let pins = Pin::ALL.map(|pin| machine.interrupt_of(host, function, pin));
        assert_eq!(pins, [200, 201, 202, 203].map(|intid| Ok(level(intid))));
        let mut masters = Vec::new();
        machine.visit_unconfined_masters(|device, _| masters.push(device.path().to_string())).unwrap();
        assert_eq!(masters, ["/motherboard@8000000/io@300000000/virtio@130000"]);
    });
}
