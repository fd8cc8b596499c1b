//! Well-formed blobs that describe no machine, each with the one line that refuses it.

use crate::edit::{Node, Tree, cells, strings};
use sluice_platform::{Machine, validate};

const VIRT: &[u8] = include_bytes!("../data/qemu-virt.dtb");

/// The error that `edit` of the reference machine's tree leads to.
#[track_caller]
fn refused(edit: impl FnOnce(&mut Tree), line: &str) {
    let mut tree = Tree::read(VIRT);
    edit(&mut tree);
    let bytes = tree.write();
    let blob = validate(&bytes).expect("well-formed");
    let error = Machine::from_blob(&blob).expect_err("a tree that is refused");
    assert_eq!(error.to_string(), format!("device tree: {line}"));
}

fn memory(unit: &str, reg: &[u32]) -> Node {
    Node::new(unit, &[("device_type", strings(&["memory"])), ("reg", cells(reg))])
}

#[test]
fn the_edited_tree_is_as_good_as_the_original() {
    let bytes = Tree::read(VIRT).write();
    let rewritten = validate(&bytes).expect("well-formed");
    let original = validate(VIRT).expect("well-formed");
    let machines = [&rewritten, &original].map(|blob| format!("{:?}", Machine::from_blob(blob).expect("a machine")));
    assert_eq!(machines[0], machines[1]);
}

#[test]
fn memory_that_is_none() {
    refused(|t| t.delete("/memory@40000000"), "/: has no memory node with device_type = \"memory\" and a reg");
    refused(
        |t| t.set("/memory@40000000", "reg", cells(&[0, 0x4000_0000, 0, 0])),
        "/: has no memory node with device_type = \"memory\" and a reg",
    );
    refused(
        |t| t.set("/memory@40000000", "reg", cells(&[0, 0x4000_0000, 0])),
        "/memory@40000000: reg: has 12 bytes, not entries of 16",
    );
    refused(
        |t| t.add("/", memory("memory@7ffff000", &[0, 0x7fff_f000, 0, 0x2000])),
        "/memory@7ffff000: reg: 0x40000000..0x80000000 and 0x7ffff000..0x80001000 overlap",
    );
    refused(
        |t| t.set("/memory@40000000", "reg", cells(&[0xfff, 0xffff_f000, 0, 0x2000])),
        "/memory@40000000: reg: 0x2000 bytes at 0xffffffff000 reach beyond the 44-bit physical address space",
    );
    refused(
        |t| t.set("/memory@40000000", "reg", cells(&[u32::MAX, u32::MAX, 0, 2])),
        "/memory@40000000: reg: 0x2 bytes at 0xffffffffffffffff reach beyond the 44-bit physical address space",
    );
    refused(|t| t.set("/", "#address-cells", cells(&[3])), "/: #address-cells: 3 cells cannot be worked with");
    refused(|t| t.set("/", "#size-cells", cells(&[0])), "/: #size-cells: 0 cells cannot be worked with");
}

#[test]
fn memory_in_too_many_pieces() {
    let pieces = |t: &mut Tree| {
        for piece in 1..=32u32 {
            t.add("/", memory(&format!("memory@{piece:x}00000000"), &[piece, 0, 0, 0x1000]));
        }
    };
    refused(pieces, "/memory@2000000000: reg: more than the 32 that can be handled");
}

#[test]
fn reservations_that_cannot_be() {
    refused(
        |t| t.reservations.push((0xfff_ffff_f000, 0x2000)),
        "/: /memreserve/: 0x2000 bytes at 0xffffffff000 reach beyond the 44-bit physical address space",
    );
    let pool = |name, reg: &[u32]| {
        let properties = [("#address-cells", cells(&[2])), ("#size-cells", cells(&[2])), ("ranges", vec![])];
        Node::new("reserved-memory", &properties).with_child(Node::new(name, &[("reg", cells(reg))]))
    };
    refused(
        |t| t.add("/", pool("secure@50000000", &[0, 0x5000_0000])),
        "/reserved-memory/secure@50000000: reg: has 8 bytes, not entries of 16",
    );
    let not_passed_on = |t: &mut Tree| {
        t.add("/", pool("secure@50000000", &[0, 0x5000_0000, 0, 0x1000]));
        t.set("/reserved-memory", "ranges", cells(&[0, 0, 0, 0, 0, 0x1000]));
    };
    refused(not_passed_on, "/reserved-memory: ranges: 0x50000000 is in no range that the parent buses pass on");
}

#[test]
fn interrupt_controllers_that_are_no_gic_v3() {
    let gic = "/intc@8000000";
    refused(
        |t| t.set(gic, "compatible", strings(&["arm,gic-400"])),
        "/intc@8000000: compatible: \"arm,gic-400\" is not supported, only a GICv3 (\"arm,gic-v3\")",
    );
    refused(
        |t| t.set(gic, "compatible", strings(&["acme,intc"])),
        "/: has no interrupt controller with compatible = \"arm,gic-v3\"",
    );
    refused(
        |t| t.set(gic, "status", strings(&["disabled"])),
        "/: has no interrupt controller with compatible = \"arm,gic-v3\"",
    );
    refused(
        |t| t.set(gic, "reg", cells(&[0, 0x800_0000, 0, 0x1_0000])),
        "/intc@8000000: reg: has 1 entries where 2 are needed",
    );
    refused(
        |t| t.set(gic, "#redistributor-regions", cells(&[2])),
        "/intc@8000000: reg: has 2 entries where 3 are needed",
    );
    refused(
        |t| t.set(gic, "#redistributor-regions", cells(&[9])),
        "/intc@8000000: #redistributor-regions: 9 is not supported, only 1 to 8",
    );
    refused(
        |t| t.set(gic, "reg", cells(&[0, 0x800_0000, 0, 0x1000, 0, 0x80a_0000, 0, 0xf6_0000])),
        "/intc@8000000: reg: 0x8000000..0x8001000 is smaller than the 0x10000 bytes needed",
    );
    refused(
        |t| t.set(gic, "reg", cells(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x1_0000])),
        "/intc@8000000: reg: 0x80a0000..0x80b0000 is smaller than the 0x20000 bytes needed",
    );
    refused(|t| t.clear(gic, "reg"), "/intc@8000000: reg: has 0 entries where 2 are needed");
    refused(|t| t.clear(gic, "#interrupt-cells"), "/intc@8000000: #interrupt-cells: is missing");
    refused(
        |t| t.set(gic, "#interrupt-cells", cells(&[7])),
        "/intc@8000000: #interrupt-cells: 7 cells cannot be worked with",
    );
    refused(
        |t| t.set(gic, "redistributor-stride", cells(&[0, 0, 1])),
        "/intc@8000000: redistributor-stride: has 12 bytes, not entries of 8",
    );
    refused(|t| t.clear("/intc@8000000/its@8080000", "reg"), "/intc@8000000/its@8080000: reg: is missing");
}

#[test]
fn consoles_that_cannot_be_printed_on() {
    refused(
        |t| t.set("/chosen", "stdout-path", strings(&["serial7:115200n8"])),
        "/chosen: stdout-path: there is no \"serial7\"",
    );
    refused(
        |t| t.set("/chosen", "stdout-path", strings(&["/nowhere@0"])),
        "/chosen: stdout-path: there is no \"/nowhere@0\"",
    );
    refused(
        |t| t.set("/chosen", "stdout-path", b"/pl011@9000000".to_vec()),
        "/chosen: stdout-path: is no terminated printable string",
    );
    refused(
        |t| t.set("/chosen", "stdout-path", strings(&["/pl031@9010000"])),
        "/pl031@9010000: compatible: \"arm,pl031\" is not supported, only a console with \"arm,pl011\"",
    );
    refused(|t| t.clear("/pl011@9000000", "reg"), "/pl011@9000000: reg: is missing");
    refused(
        |t| t.set("/chosen", "bootargs", b"quiet\xff\0".to_vec()),
        "/chosen: bootargs: is no terminated printable string",
    );
}

#[test]
fn interrupts_that_lead_nowhere() {
    let uart = "/pl011@9000000";
    let with = |interrupts: [u32; 3]| move |t: &mut Tree| t.set(uart, "interrupts", cells(&interrupts));
    refused(with([0, 988, 4]), "/pl011@9000000: interrupts: 988 is not supported, only shared interrupts 0 to 987");
    refused(with([1, 16, 4]), "/pl011@9000000: interrupts: 16 is not supported, only private interrupts 0 to 15");
    refused(
        with([2, 1, 4]),
        "/pl011@9000000: interrupts: 2 is not supported, only interrupts of kind 0 (shared) or 1 (private)",
    );
    refused(with([0, 1, 0]), "/pl011@9000000: interrupts: 0 is not supported, only trigger flags 1, 2, 4 and 8");
    refused(
        |t| t.set(uart, "interrupts", cells(&[0, 1])),
        "/pl011@9000000: interrupts: has 8 bytes, not entries of 12",
    );
    refused(
        |t| t.set(uart, "interrupt-parent", cells(&[0x77])),
        "/pl011@9000000: interrupt-parent: no node has the phandle 0x77",
    );
    let gpio_line = |t: &mut Tree| {
        t.set("/pl061@9030000", "#interrupt-cells", cells(&[2]));
        t.set(uart, "interrupts-extended", cells(&[0x8005, 3, 4]));
    };
    refused(gpio_line, "/pl011@9000000: interrupts-extended: does not end at the machine's GIC");
    let loop_of_parents = |t: &mut Tree| {
        t.clear("/pl061@9030000", "#interrupt-cells");
        t.set("/pl061@9030000", "interrupt-parent", cells(&[0x8005]));
        t.set(uart, "interrupt-parent", cells(&[0x8005]));
    };
    refused(loop_of_parents, "/pl011@9000000: interrupt-parent: is missing");
}

#[test]
fn timers_and_firmware() {
    refused(|t| t.delete("/timer"), "/: has no timer with compatible = \"arm,armv8-timer\"");
    refused(
        |t| t.set("/timer", "interrupts", cells(&[1, 13, 4, 1, 14, 4, 1, 11, 4])),
        "/timer: interrupts: has 3 entries where 4 are needed",
    );
    refused(
        |t| t.set("/timer", "interrupt-names", strings(&["sec-phys", "phys", "virt"])),
        "/timer: interrupt-names: has no \"hyp-phys\"",
    );
    refused(
        |t| t.set("/timer", "interrupt-names", strings(&["a", "b", "c", "virt", "phys", "hyp-phys"])),
        "/timer: interrupts: has 4 entries where 5 are needed",
    );
    refused(
        |t| t.set("/psci", "method", strings(&["fax"])),
        "/psci: method: \"fax\" is not supported, only \"smc\" and \"hvc\"",
    );
    refused(|t| t.clear("/psci", "method"), "/psci: method: is missing");
    refused(|t| t.delete("/cpus"), "/: has no /cpus");
    refused(|t| t.delete("/cpus/cpu@0"), "/cpus: has no child with device_type = \"cpu\"");
}

#[test]
fn smmus_that_cannot_be_driven() {
    let smmu = "/smmuv3@9050000";
    refused(
        |t| t.set(smmu, "reg", cells(&[0, 0x905_0000, 0, 0x1_0000])),
        "/smmuv3@9050000: reg: 0x9050000..0x9060000 is smaller than the 0x20000 bytes needed",
    );
    refused(|t| t.clear(smmu, "reg"), "/smmuv3@9050000: reg: is missing");
    refused(|t| t.clear(smmu, "interrupt-names"), "/smmuv3@9050000: interrupt-names: is missing");
    refused(
        |t| t.set(smmu, "interrupts", cells(&[0, 74, 1])),
        "/smmuv3@9050000: interrupts: has 1 entries where 2 are needed",
    );
    let second = |at: u32| {
        Node::new("smmu@1", &[("compatible", strings(&["arm,smmu-v3"])), ("reg", cells(&[0, at, 0, 0x2_0000]))])
    };
    refused(|t| t.add("/", second(0x0906_0000)), "/smmu@1: reg: 0x9050000..0x9070000 and 0x9060000..0x9080000 overlap");
    let many = |t: &mut Tree| (0..16).for_each(|n| t.add("/", second(0x2000_0000 + n * 0x2_0000)));
    refused(many, "/smmu@1: more than the 16 that can be handled");
}

#[test]
fn pcie_hosts_that_cannot_be_reached() {
    let host = "/pcie@10000000";
    refused(
        |t| t.set(host, "reg", cells(&[0x40, 0x1000_0000, 0, 0x800_0000])),
        "/pcie@10000000: reg: 0x4010000000..0x4018000000 is smaller than the 0x10000000 bytes needed",
    );
    let tiny = |t: &mut Tree| {
        t.clear(host, "bus-range");
        t.set(host, "reg", cells(&[0x40, 0x1000_0000, 0, 0x1000]));
    };
    refused(tiny, "/pcie@10000000: reg: 0x4010000000..0x4010001000 is smaller than the 0x100000 bytes needed");
    refused(
        |t| t.set(host, "bus-range", cells(&[0, 256])),
        "/pcie@10000000: bus-range: 256 is not supported, only ascending buses 0 to 255",
    );
    refused(
        |t| t.set(host, "bus-range", cells(&[9, 8])),
        "/pcie@10000000: bus-range: 9 is not supported, only ascending buses 0 to 255",
    );
    refused(|t| t.set(host, "bus-range", cells(&[0])), "/pcie@10000000: bus-range: has 4 bytes, not entries of 8");
    refused(|t| t.clear(host, "ranges"), "/pcie@10000000: ranges: is missing");
    refused(|t| t.set(host, "ranges", cells(&[1, 2])), "/pcie@10000000: ranges: has 8 bytes, not entries of 28");
    refused(
        |t| t.set(host, "ranges", cells(&[0x0200_0000, 0, 0xffff_f000, 0, 0x1000_0000, 0, 0x2000])),
        "/pcie@10000000: ranges: 0x2000 bytes at 0xfffff000 reach beyond the 32-bit PCI address space",
    );
    refused(
        |t| t.set(host, "ranges", cells(&[0x0300_0000, u32::MAX, 0xffff_f000, 0, 0x1000_0000, 0, 0x2000])),
        "/pcie@10000000: ranges: 0x2000 bytes at 0xfffffffffffff000 reach beyond the 64-bit PCI address space",
    );
    refused(
        |t| t.set(host, "ranges", cells(&[0x0300_0000, 0, 0, 0x1000, 0, 0, 0x2000])),
        "/pcie@10000000: ranges: 0x2000 bytes at 0x100000000000 reach beyond the 44-bit physical address space",
    );
    refused(
        |t| t.set(host, "#address-cells", cells(&[2])),
        "/pcie@10000000: #address-cells: 2 cells cannot be worked with",
    );
    refused(
        |t| t.set(host, "iommu-map", cells(&[0, 0x8004, 0])),
        "/pcie@10000000: iommu-map: has 12 bytes, not entries of 16",
    );
    refused(
        |t| t.set(host, "iommu-map", cells(&[0, 0x9999, 0, 0x1_0000])),
        "/pcie@10000000: iommu-map: no node has the phandle 0x9999",
    );
    refused(
        |t| t.set(host, "iommu-map", cells(&[0, 0x8004, 0xffff_ff00, 0x1_0000])),
        "/pcie@10000000: iommu-map: 4294967040 is not supported, only streams below 2^32",
    );
    refused(
        |t| t.set(host, "iommu-map-mask", cells(&[0, 0])),
        "/pcie@10000000: iommu-map-mask: has 8 bytes, not entries of 4",
    );
    refused(|t| t.clear("/smmuv3@9050000", "#iommu-cells"), "/smmuv3@9050000: #iommu-cells: is missing");
    refused(
        |t| t.set("/smmuv3@9050000", "#iommu-cells", cells(&[2])),
        "/pcie@10000000: iommu-map: 2 cells cannot be worked with",
    );
}
