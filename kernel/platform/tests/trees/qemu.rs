//! The trees that QEMU's `virt` machine hands over, compared with what the machine is documented and measured to have.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::StreamId;
use sluice_platform::{
    Conduit, Interrupt, Machine, MachineError, PciAddress, Pin, Region, Space, Trigger, Window, option, validate,
};

const VIRT: &[u8] = include_bytes!("../data/qemu-virt.dtb");
const NO_SMMU: &[u8] = include_bytes!("../data/qemu-nosmmu.dtb");
const FOUR_GIB: &[u8] = include_bytes!("../data/qemu-mem4g.dtb");
const TWO_NODES: &[u8] = include_bytes!("../data/qemu-twonodes.dtb");
const GIC_V2: &[u8] = include_bytes!("../data/qemu-gicv2.dtb");
const VIRT_9: &[u8] = include_bytes!("../data/qemu-virt90.dtb");
const TWO_CORES: &[u8] = include_bytes!("../data/qemu-twocores.dtb");

fn region(base: u64, size: u64) -> Region {
    Region::new(PhysAddr(base), size).expect("a range")
}

fn level(intid: u32) -> Interrupt {
    Interrupt { intid, trigger: Trigger::Level }
}

fn edge(intid: u32) -> Interrupt {
    Interrupt { intid, trigger: Trigger::Edge }
}

fn with_machine<R>(bytes: &[u8], look: impl FnOnce(Result<Machine<'_>, MachineError<'_>>) -> R) -> R {
    let blob = validate(bytes).expect("a valid blob");
    look(Machine::from_blob(&blob))
}

#[test]
fn the_reference_machine() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        assert!(machine.memory.iter().eq([&region(0x4000_0000, 0x4000_0000)]));
        assert!(machine.reserved.is_empty());
        assert_eq!(machine.gic.distributor, region(0x0800_0000, 0x1_0000));
        assert!(machine.gic.redistributors.iter().eq([&region(0x080a_0000, 0xf6_0000)]));
        assert!(machine.gic.its.iter().eq([&region(0x0808_0000, 0x2_0000)]));
        assert_eq!(machine.gic.maintenance, Some(level(25)));
        assert!(machine.gic.path.is("/intc@8000000") && !machine.gic.path.is("/intc@8000000/its@8080000"));
        let console = machine.console.expect("a console");
        assert_eq!((console.registers, console.interrupt), (region(0x0900_0000, 0x1000), Some(level(33))));
        assert_eq!(console.path.to_string(), "/pl011@9000000");
        let timer = machine.timer;
        assert_eq!(timer.secure_physical, Some(level(29)));
        assert_eq!([timer.physical, timer.virtual_timer, timer.hypervisor].map(|t| t.intid), [30, 27, 26]);
        assert_eq!(machine.psci, Some(Conduit::Smc));
        assert_eq!((machine.cpus, machine.bootargs), (1, ""));
    });
}

#[test]
fn the_smmu_and_what_is_behind_it() {
    for bytes in [VIRT, VIRT_9] {
        with_machine(bytes, |machine| {
            let machine = machine.expect("a machine");
            assert_eq!(machine.smmus.len(), 1);
            let smmu = machine.smmus[0];
            assert_eq!((smmu.registers, smmu.coherent), (region(0x0905_0000, 0x2_0000), true));
            assert_eq!(smmu.path.to_string(), "/smmuv3@9050000");
            let lines = smmu.interrupts;
            assert_eq!(lines.combined, None);
            let separate = [lines.event_queue, lines.page_requests, lines.command_sync, lines.global_error];
            assert_eq!(separate, [106, 107, 108, 109].map(|intid| Some(edge(intid))));
            let host = machine.pci_hosts[0];
            for rid in [0, 0x10, 0xffff] {
                let stream = StreamId { smmu: 0, sid: u32::from(rid) };
                assert_eq!(machine.stream_of(&host, rid), Ok(Some(stream)));
            }
        });
    }
    with_machine(NO_SMMU, |machine| {
        let machine = machine.expect("a machine");
        assert!(machine.smmus.is_empty());
        assert_eq!(machine.stream_of(&machine.pci_hosts[0], 0x10), Ok(None));
    });
}

#[test]
fn the_pcie_host() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        assert_eq!(machine.pci_hosts.len(), 1);
        let host = machine.pci_hosts[0];
        assert_eq!(host.path.to_string(), "/pcie@10000000");
        assert_eq!((host.ecam, host.first_bus, host.last_bus), (region(0x40_1000_0000, 0x1000_0000), 0, 255));
        assert!(host.coherent);
        let window = |space, pci, cpu| Window { space, prefetchable: false, pci, cpu };
        assert!(host.windows.iter().eq([
            &window(Space::Io, 0, region(0x3eff_0000, 0x1_0000)),
            &window(Space::Memory32, 0x1000_0000, region(0x1000_0000, 0x2eff_0000)),
            &window(Space::Memory64, 0x80_0000_0000, region(0x80_0000_0000, 0x80_0000_0000)),
        ]));
        let function = PciAddress::new(1, 2, 3).expect("a function");
        assert_eq!(host.configuration(function), Some(PhysAddr(0x40_1011_3000)));
    });
}

/// QEMU swizzles four lines over the slots: INTx of slot s is SPI 3 + (s + x) mod 4.
#[test]
fn intx_of_every_slot() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        let host = machine.pci_hosts[0];
        for device in 0..32u8 {
            for pin in Pin::ALL {
                let function = PciAddress::new(0, device, 0).expect("a function");
                let line = (u32::from(device) + pin as u32 - 1) % 4;
                assert_eq!(machine.interrupt_of(&host, function, pin), Ok(level(32 + 3 + line)));
            }
        }
    });
}

#[test]
fn variants() {
    with_machine(FOUR_GIB, |machine| {
        let machine = machine.expect("a machine");
        assert!(machine.memory.iter().eq([&region(0x4000_0000, 0x1_0000_0000)]));
        assert_eq!(machine.bootargs, "console=x sluice.smmu=off");
        assert_eq!(option(machine.bootargs, "sluice.smmu"), Some("off"));
        assert_eq!(option(machine.bootargs, "smmu"), None);
    });
    with_machine(TWO_NODES, |machine| {
        let machine = machine.expect("a machine");
        for node in ["/memory@40000000", "/memory@60000000"] {
            assert!(machine.tree().path(node).is_some(), "{node}");
        }
        assert!(machine.memory.iter().eq([&region(0x4000_0000, 0x4000_0000)]), "neighbours are one");
    });
    with_machine(TWO_CORES, |machine| assert_eq!(machine.expect("a machine").cpus, 2));
    with_machine(GIC_V2, |machine| {
        let error = machine.expect_err("no GICv3").to_string();
        let wanted = "device tree: /intc@8000000: compatible: \"arm,cortex-a15-gic\" is not supported, \
                      only a GICv3 (\"arm,gic-v3\")";
        assert_eq!(error, wanted);
    });
}

#[test]
fn devices_by_path_and_alias() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        let rtc = machine.device("/pl031@9010000").expect("a device");
        assert!(rtc.registers().expect("registers").iter().eq([&region(0x0901_0000, 0x1000)]));
        assert!(rtc.interrupts().expect("interrupts").iter().eq([&level(34)]));
        assert!(rtc.compatible().eq(["arm,pl031", "arm,primecell"]));
        assert!(rtc.streams().expect("streams").is_empty());
        let flash = machine.device("/flash").expect("a name without unit address");
        assert_eq!(flash.registers().expect("registers").len(), 2);
        assert!(machine.device("/cpus/cpu").is_some_and(|cpu| cpu.path().is("/cpus/cpu@0")));
        assert!(machine.device("/cpus").is_some() && machine.device("/cpu").is_none(), "names are not prefixes");
        assert!(machine.alias("serial0").is_some_and(|uart| uart.path().is("/pl011@9000000")));
        assert!(machine.alias("serial1").is_none());
        assert!(machine.device("/pl031@9010001").is_none());
        assert!(machine.device("pl031@9010000").is_none());
    });
}

#[test]
fn masters_behind_no_smmu() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        let mut found = Vec::new();
        machine.visit_unconfined_masters(|device, binding| found.push((device.path().to_string(), binding))).unwrap();
        assert_eq!(found.len(), 33);
        assert!(found.contains(&("/fw-cfg@9020000".into(), "qemu,fw-cfg-mmio")));
        assert_eq!(found.iter().filter(|(_, binding)| *binding == "virtio,mmio").count(), 32);
    });
    with_machine(NO_SMMU, |machine| {
        let mut hosts = 0;
        let count =
            |_: &sluice_platform::Device<'_, '_>, binding| hosts += u32::from(binding == "pci-host-ecam-generic");
        machine.expect("a machine").visit_unconfined_masters(count).unwrap();
        assert_eq!(hosts, 1);
    });
}

#[test]
fn devices_with_registers() {
    with_machine(VIRT, |machine| {
        let machine = machine.expect("a machine");
        let mut paths = Vec::new();
        machine.visit_devices(|device| paths.push(device.path().to_string()));
        assert_eq!(paths.iter().filter(|path| path.starts_with("/virtio_mmio")).count(), 32);
        let mut others: Vec<_> = paths.iter().filter(|path| !path.starts_with("/virtio_mmio")).collect();
        others.sort();
        assert_eq!(
            others,
            [
                "/flash@0",
                "/fw-cfg@9020000",
                "/intc@8000000",
                "/intc@8000000/its@8080000",
                "/pcie@10000000",
                "/pl011@9000000",
                "/pl031@9010000",
                "/pl061@9030000",
                "/smmuv3@9050000",
            ]
        );
    });
}
