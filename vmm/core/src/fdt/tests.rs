extern crate std;

use alloc::string::{String, ToString};

use fdt::Fdt;
use fdt::node::FdtNode;
use proptest::prelude::*;

use super::*;

const INITRD: Range = Range { base: 0x42e0_0000, size: 0x123 };

fn machine() -> Machine<'static> {
    Machine {
        ram: 256 << 20,
        processors: 2,
        command_line: "console=ttyAMA0 quiet",
        initrd: Some(INITRD),
        seed: &[],
        has_smmu: true,
        coherent: true,
    }
}

fn blob(machine: &Machine<'_>) -> Vec<u8> {
    tree(machine).expect("a tree")
}

fn node<'a>(fdt: &'a Fdt<'a>, path: &str) -> FdtNode<'a, 'a> {
    fdt.find_node(path).unwrap_or_else(|| panic!("no node {path}"))
}

fn cells(node: FdtNode<'_, '_>, name: &str) -> Vec<u32> {
    let value = node.property(name).unwrap_or_else(|| panic!("{} has no {name}", node.name)).value;
    assert!(value.len().is_multiple_of(4));
    value.as_chunks::<4>().0.iter().map(|cell| u32::from_be_bytes(*cell)).collect()
}

fn text(node: FdtNode<'_, '_>, name: &str) -> String {
    let value = node.property(name).unwrap_or_else(|| panic!("{} has no {name}", node.name)).value;
    String::from_utf8(value.to_vec()).expect("text").trim_end_matches('\0').replace('\0', ",")
}

#[test]
fn memory_command_line_and_file_system_are_told() {
    let blob = blob(&machine());
    let fdt = Fdt::new(&blob).unwrap();
    let regions: Vec<_> = fdt.memory().regions().map(|region| (region.starting_address as u64, region.size)).collect();
    assert_eq!(regions, [(0x4000_0000, Some(256 << 20))]);
    assert_eq!(fdt.chosen().bootargs(), Some("console=ttyAMA0 quiet"));
    let chosen = node(&fdt, "/chosen");
    assert_eq!(cells(chosen, "linux,initrd-start"), [0, 0x42e0_0000]);
    assert_eq!(cells(chosen, "linux,initrd-end"), [0, 0x42e0_0123]);
    let console = text(chosen, "stdout-path");
    assert!(text(node(&fdt, &console), "compatible").contains("arm,pl011"), "{console}");
}

#[test]
fn without_a_file_system_none_is_told() {
    let blob = blob(&Machine { initrd: None, ..machine() });
    let fdt = Fdt::new(&blob).unwrap();
    assert!(node(&fdt, "/chosen").property("linux,initrd-start").is_none());
}

#[test]
fn processors_start_through_firmware_that_is_called_by_smc() {
    let blob = blob(&machine());
    let fdt = Fdt::new(&blob).unwrap();
    assert_eq!(fdt.cpus().map(|cpu| cpu.ids().first()).collect::<Vec<_>>(), [0, 1]);
    for path in ["/cpus/cpu@0", "/cpus/cpu@1"] {
        let cpu = node(&fdt, path);
        assert_eq!((text(cpu, "enable-method"), text(cpu, "device_type")), ("psci".to_string(), "cpu".to_string()));
    }
    assert_eq!(text(node(&fdt, "/psci"), "method"), "smc");
}

#[test]
fn the_interrupt_controller_has_a_redistributor_for_each_processor() {
    for processors in [1, 8] {
        let blob = blob(&Machine { processors, ..machine() });
        let fdt = Fdt::new(&blob).unwrap();
        let gic = node(&fdt, "/interrupt-controller@8000000");
        let frames = 0x2_0000 * processors as u32;
        assert_eq!(cells(gic, "reg"), [0, 0x0800_0000, 0, 0x1_0000, 0, 0x080a_0000, 0, frames]);
        assert_eq!(cells(node(&fdt, "/"), "interrupt-parent"), cells(gic, "phandle"));
    }
}

#[test]
fn interrupts_are_those_of_the_layout() {
    let blob = blob(&machine());
    let fdt = Fdt::new(&blob).unwrap();
    let virtual_timer = &cells(node(&fdt, "/timer"), "interrupts")[6..9];
    assert_eq!(virtual_timer, [1, 11, 4]);
    assert_eq!(cells(node(&fdt, "/serial@9000000"), "interrupts"), [0, 1, 4]);
    let smmu = node(&fdt, "/iommu@9050000");
    assert_eq!(cells(smmu, "interrupts"), [0, 74, 1, 0, 76, 1, 0, 77, 1]);
    assert_eq!(text(smmu, "interrupt-names"), "eventq,cmdq-sync,gerror");
}

#[test]
fn the_pci_host_has_its_window_and_lines_swizzled_by_slot() {
    let blob = blob(&machine());
    let fdt = Fdt::new(&blob).unwrap();
    let host = node(&fdt, "/pcie@3f000000");
    assert_eq!(cells(host, "reg"), [0, 0x3f00_0000, 0, 0x10_0000]);
    assert_eq!(cells(host, "bus-range"), [0, 0]);
    assert_eq!(cells(host, "ranges"), [0x0200_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x2eff_0000]);
    let gic = cells(node(&fdt, "/interrupt-controller@8000000"), "phandle")[0];
    let map = cells(host, "interrupt-map");
    assert_eq!(map.len(), 16 * 10);
    let (entries, mask) = (map.as_chunks::<10>().0, cells(host, "interrupt-map-mask"));
    for (slot, pin, line) in [(0u32, 1, 3), (1, 1, 4), (2, 1, 5), (3, 1, 6), (4, 1, 3), (3, 4, 5), (31, 2, 3)] {
        let child = [(slot << 11) & mask[0], 0, 0, pin & mask[3]];
        let entry = entries.iter().find(|entry| entry[..4] == child).expect("an entry");
        assert_eq!(entry[4..], [gic, 0, 0, 0, line, 4], "slot {slot} pin {pin}");
    }
    assert!(host.property("dma-coherent").is_some());
    assert!(host.property("msi-map").is_none() && host.property("msi-parent").is_none());
}

#[test]
fn functions_are_behind_the_smmu_only_when_there_is_one() {
    let with = blob(&machine());
    let fdt = Fdt::new(&with).unwrap();
    let smmu = node(&fdt, "/iommu@9050000");
    assert_eq!(cells(node(&fdt, "/pcie@3f000000"), "iommu-map"), [0, cells(smmu, "phandle")[0], 0, 0x100]);
    assert!(smmu.property("dma-coherent").is_some());
    let without = blob(&Machine { has_smmu: false, ..machine() });
    let fdt = Fdt::new(&without).unwrap();
    assert!(fdt.find_node("/iommu@9050000").is_none());
    assert!(node(&fdt, "/pcie@3f000000").property("iommu-map").is_none());
}

#[test]
fn machines_that_cannot_be_are_refused() {
    let refused = |machine| tree(&machine).unwrap_err().to_string();
    assert!(refused(Machine { processors: 0, ..machine() }).contains("not 0"));
    assert!(refused(Machine { processors: 9, ..machine() }).contains("1 to 8 processors, not 9"));
    assert!(refused(Machine { command_line: "a\0b", ..machine() }).contains("zero byte"));
    let long = "x".repeat(3 << 20);
    assert!(refused(Machine { command_line: &long, ..machine() }).contains("2097152 at most"));
}

/// The reference compiler finds nothing to complain of, where it is installed.
#[test]
fn the_reference_compiler_reads_it() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let blob = blob(&machine());
    let compiler = Command::new("dtc")
        .args(["-I", "dtb", "-O", "dts", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut compiler) = compiler else { return };
    compiler.stdin.take().expect("its input").write_all(&blob).expect("a reader");
    let output = compiler.wait_with_output().expect("its end");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn what_is_not_coherent_is_not_said_to_be() {
    let blob = blob(&Machine { coherent: false, ..machine() });
    let fdt = Fdt::new(&blob).expect("a tree");
    for path in ["/pcie@3f000000", "/iommu@9050000"] {
        assert!(node(&fdt, path).property("dma-coherent").is_none(), "{path}");
    }
}

#[test]
fn a_seed_is_passed_on_and_no_empty_one() {
    let blob = blob(&Machine { seed: b"random", ..machine() });
    let fdt = Fdt::new(&blob).expect("a tree");
    let seed = node(&fdt, "/chosen").property("rng-seed").expect("a seed");
    assert_eq!(seed.value, b"random");
    let blob = tree(&machine()).expect("a tree");
    let fdt = Fdt::new(&blob).expect("a tree");
    assert!(node(&fdt, "/chosen").property("rng-seed").is_none());
}

proptest! {
    #[test]
    fn every_machine_has_a_tree_that_reads_back(
        ram: u64,
        processors in 1..=MAX_PROCESSORS,
        command_line in "[^\0]{0,200}",
        initrd in prop::option::of((any::<u64>(), any::<u64>())),
        has_smmu: bool,
    ) {
        let initrd = initrd.map(|(base, size)| Range { base, size });
        let blob = blob(&Machine { ram, processors, command_line: &command_line, initrd, seed: &[], has_smmu, coherent: has_smmu });
        let fdt = Fdt::new(&blob).unwrap();
        prop_assert_eq!(fdt.cpus().count(), processors);
        prop_assert_eq!(text(node(&fdt, "/chosen"), "bootargs"), command_line);
    }
}
