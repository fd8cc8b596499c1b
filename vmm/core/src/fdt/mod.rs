//! The device tree by which a guest learns what machine it is.
//!
//! Sources: the Devicetree Specification 0.4 for the form, the bindings that come with Linux for each device.

mod node;

use alloc::format;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use node::{Level, Tree, spi};

use crate::image::MAX_TREE_BYTES;
use crate::layout::{
    DISTRIBUTOR, ECAM, MAX_PROCESSORS, PCI_WINDOW, RAM_BASE, REDISTRIBUTOR_STRIDE, REDISTRIBUTORS, Range, SMMU, UART,
    intid,
};

/// What differs from guest to guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine<'a> {
    /// Bytes of RAM, from [`RAM_BASE`].
    pub ram: u64,
    /// Virtual processors, 1 to [`MAX_PROCESSORS`]; the affinity of each is its number.
    pub processors: usize,
    /// The kernel's command line.
    pub command_line: &'a str,
    /// Where the initial file system is.
    pub initrd: Option<Range>,
    /// Random bytes for the kernel (`rng-seed`); none are passed on when there are none.
    pub seed: &'a [u8],
    /// Whether the PCI functions are behind the virtual SMMU.
    pub has_smmu: bool,
    /// Whether accesses of the PCI functions, and of the SMMU to its tables, are coherent with the processors' caches.
    pub coherent: bool,
}

/// Why there is no tree for a machine.
#[derive(PartialEq, Eq, Debug)]
pub enum TreeError {
    /// No such number of processors can be.
    Processors(usize),
    /// The command line has a zero byte in it.
    CommandLine,
    /// The tree is larger than a kernel takes.
    TooLarge(usize),
    /// The writer refused a name or an order, which are fixed here.
    Writer(vm_fdt::Error),
}

/// Handles of the nodes that others refer to.
mod handle {
    pub(super) const GIC: u32 = 1;
    pub(super) const CLOCK: u32 = 2;
    pub(super) const SMMU: u32 = 3;
}

/// Requester IDs of a bus.
const BUS_FUNCTIONS: u32 = 0x100;
/// Frequency of the UART's clock; no divider of an emulated UART changes anything.
const UART_HZ: u32 = 24_000_000;
/// `IRQ_TYPE_LEVEL_HIGH`, a flag of interrupt specifiers.
const LEVEL_HIGH: u32 = 4;
/// Numbers that GIC specifiers count private interrupts from.
const FIRST_PRIVATE: u32 = 16;
/// PCI: memory space of 32 bits, not prefetchable (IEEE 1275 PCI binding, 2.2.1.1).
const MEMORY_SPACE: u32 = 0x0200_0000;
/// The device number in the first cell of a PCI address. Lines repeat after four devices.
const SLOT_MASK: u32 = 3 << 11;

/// The tree of `machine`, ready to be put at a boundary of 8 bytes.
///
/// # Errors
/// When there can be no such machine.
pub fn tree(machine: &Machine<'_>) -> Result<Vec<u8>, TreeError> {
    if !(1..=MAX_PROCESSORS).contains(&machine.processors) {
        return Err(TreeError::Processors(machine.processors));
    }
    if machine.command_line.contains('\0') {
        return Err(TreeError::CommandLine);
    }
    let blob = write(machine).map_err(TreeError::Writer)?;
    if blob.len() as u64 > MAX_TREE_BYTES {
        return Err(TreeError::TooLarge(blob.len()));
    }
    Ok(blob)
}

fn write(machine: &Machine<'_>) -> Result<Vec<u8>, vm_fdt::Error> {
    let mut tree = Tree::new()?;
    tree.node("", |root| {
        root.cells("#address-cells", &[2])?;
        root.cells("#size-cells", &[2])?;
        root.text("compatible", "linux,dummy-virt")?;
        root.text("model", "Sluice guest")?;
        root.cells("interrupt-parent", &[handle::GIC])?;
        root.node("chosen", |node| chosen(node, machine))?;
        let memory = Range { base: RAM_BASE, size: machine.ram };
        root.device("memory", memory, |node| node.text("device_type", "memory"))?;
        root.node("cpus", |node| processors(node, machine.processors))?;
        root.node("psci", |node| {
            node.texts("compatible", &["arm,psci-1.0", "arm,psci-0.2"])?;
            node.text("method", "smc")
        })?;
        root.node("timer", timer)?;
        root.node(&format!("interrupt-controller@{:x}", DISTRIBUTOR.base), |node| {
            interrupt_controller(node, machine.processors)
        })?;
        root.node("clock", |node| {
            node.text("compatible", "fixed-clock")?;
            node.cells("#clock-cells", &[0])?;
            node.cells("clock-frequency", &[UART_HZ])?;
            node.handle(handle::CLOCK)
        })?;
        root.device("serial", UART, |node| {
            node.texts("compatible", &["arm,pl011", "arm,primecell"])?;
            node.cells("interrupts", &spi(intid::UART, Level::High))?;
            node.cells("clocks", &[handle::CLOCK, handle::CLOCK])?;
            node.texts("clock-names", &["uartclk", "apb_pclk"])
        })?;
        if machine.has_smmu {
            root.device("iommu", SMMU, |node| smmu(node, machine))?;
        }
        root.device("pcie", ECAM, |node| pci_host(node, machine))
    })?;
    tree.finish()
}

fn chosen(node: &mut Tree, machine: &Machine<'_>) -> Result<(), vm_fdt::Error> {
    node.text("bootargs", machine.command_line)?;
    node.text("stdout-path", &format!("/serial@{:x}", UART.base))?;
    if !machine.seed.is_empty() {
        node.bytes("rng-seed", machine.seed)?;
    }
    if let Some(initrd) = machine.initrd {
        node.address("linux,initrd-start", initrd.base)?;
        node.address("linux,initrd-end", initrd.base.saturating_add(initrd.size))?;
    }
    Ok(())
}

/// `arm/cpus.yaml`.
fn processors(node: &mut Tree, count: usize) -> Result<(), vm_fdt::Error> {
    node.cells("#address-cells", &[1])?;
    node.cells("#size-cells", &[0])?;
    for number in (0u32..).take(count) {
        node.node(&format!("cpu@{number:x}"), |cpu| {
            cpu.text("device_type", "cpu")?;
            cpu.text("compatible", "arm,armv8")?;
            cpu.cells("reg", &[number])?;
            cpu.text("enable-method", "psci")
        })?;
    }
    Ok(())
}

/// `timer/arm,arch_timer.yaml`: secure, non-secure, virtual, hypervisor, told apart by their order. A guest uses the
/// virtual one; Linux takes it wherever it does not run at EL2.
fn timer(node: &mut Tree) -> Result<(), vm_fdt::Error> {
    let private = [29, 30, intid::VIRTUAL_TIMER, 26];
    let interrupts: Vec<u32> = private.iter().flat_map(|intid| [1, intid - FIRST_PRIVATE, LEVEL_HIGH]).collect();
    node.text("compatible", "arm,armv8-timer")?;
    node.cells("interrupts", &interrupts)?;
    node.empty("always-on")
}

/// `interrupt-controller/arm,gic-v3.yaml`.
fn interrupt_controller(node: &mut Tree, processors: usize) -> Result<(), vm_fdt::Error> {
    let redistributors = Range { base: REDISTRIBUTORS.base, size: REDISTRIBUTOR_STRIDE * processors as u64 };
    node.text("compatible", "arm,gic-v3")?;
    node.cells("#interrupt-cells", &[3])?;
    node.empty("interrupt-controller")?;
    node.ranges("reg", &[DISTRIBUTOR, redistributors])?;
    // Two cells of every address in an interrupt map that names this node, as parts of the controller would have.
    node.cells("#address-cells", &[2])?;
    node.cells("#size-cells", &[2])?;
    node.empty("ranges")?;
    node.handle(handle::GIC)
}

/// `iommu/arm,smmu-v3.yaml`. Its tables are read from memory as the guest's processors see it.
fn smmu(node: &mut Tree, machine: &Machine<'_>) -> Result<(), vm_fdt::Error> {
    let interrupts = [intid::SMMU_EVENTS, intid::SMMU_SYNC, intid::SMMU_ERRORS];
    let interrupts: Vec<u32> = interrupts.iter().flat_map(|intid| spi(*intid, Level::Rising)).collect();
    node.text("compatible", "arm,smmu-v3")?;
    node.cells("interrupts", &interrupts)?;
    node.texts("interrupt-names", &["eventq", "cmdq-sync", "gerror"])?;
    node.cells("#iommu-cells", &[1])?;
    if machine.coherent {
        node.empty("dma-coherent")?;
    }
    node.handle(handle::SMMU)
}

/// `pci/host-generic-pci.yaml`: one bus, one window, four interrupt lines.
fn pci_host(node: &mut Tree, machine: &Machine<'_>) -> Result<(), vm_fdt::Error> {
    node.text("compatible", "pci-host-ecam-generic")?;
    node.text("device_type", "pci")?;
    node.cells("#address-cells", &[3])?;
    node.cells("#size-cells", &[2])?;
    node.cells("#interrupt-cells", &[1])?;
    node.cells("bus-range", &[0, 0])?;
    node.cells("linux,pci-domain", &[0])?;
    if machine.coherent {
        node.empty("dma-coherent")?;
    }
    let [high, low] = node::halves(PCI_WINDOW.base);
    let [size_high, size_low] = node::halves(PCI_WINDOW.size);
    node.cells("ranges", &[MEMORY_SPACE, high, low, high, low, size_high, size_low])?;
    let mut map = Vec::new();
    for slot in 0..4 {
        for pin in 1..=4 {
            let [kind, number, flags] = spi(intid::PCI[(slot + pin - 1) % 4], Level::High);
            let child = [(slot as u32) << 11, 0, 0, pin as u32];
            map.extend(child.into_iter().chain([handle::GIC, 0, 0, kind, number, flags]));
        }
    }
    node.cells("interrupt-map-mask", &[SLOT_MASK, 0, 0, 7])?;
    node.cells("interrupt-map", &map)?;
    if machine.has_smmu {
        node.cells("iommu-map", &[0, handle::SMMU, 0, BUS_FUNCTIONS])?;
    }
    Ok(())
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processors(count) => write!(f, "a guest has 1 to {MAX_PROCESSORS} processors, not {count}"),
            Self::CommandLine => f.write_str("the guest's command line has a zero byte in it"),
            Self::TooLarge(bytes) => {
                write!(f, "the guest's device tree would have {bytes} bytes, {MAX_TREE_BYTES} at most")
            }
            Self::Writer(error) => write!(f, "the guest's device tree cannot be written: {error}"),
        }
    }
}

impl Error for TreeError {}

#[cfg(test)]
mod tests;
