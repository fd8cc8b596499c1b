//! The machine as a whole.

use core::fmt;
use core::ops::ControlFlow;

use sluice_abi::smmu::{MAX_SMMUS, StreamId};

use crate::console::{Console, console};
use crate::device::Device;
use crate::gic::{Gic, gic};
use crate::interrupt::{Interrupt, interrupt_cells, resolve};
use crate::list::List;
use crate::memory::{MAX_MEMORY, MAX_RESERVED, Reserved, memory, reserved};
use crate::pci::host::hosts;
use crate::pci::{MAX_PCI_HOSTS, PciAddress, PciHost, Pin};
use crate::psci::{Conduit, psci};
use crate::smmu::{Smmu, smmus};
use crate::specifier::Specifier;
use crate::streams::{entries, iommu, mask, stream_of};
use crate::timer::{Timer, timer};
use crate::tree::{Node, Tree, text};
use crate::{MachineError, Problem, Region, ValidBlob};

/// The SMMUs of a machine, in the order that numbers them.
pub type Smmus<'b> = List<Smmu<'b>, MAX_SMMUS>;

/// What the kernel, the root task, the generator and the monitors of guests need to know of a machine.
///
/// Some kilobytes in size; it borrows the blob.
#[derive(Clone)]
pub struct Machine<'b> {
    tree: Tree<'b>,
    /// RAM: ascending, disjoint, not adjacent.
    pub memory: List<Region, MAX_MEMORY>,
    /// What of it is not to be used: ascending, may overlap.
    pub reserved: List<Reserved, MAX_RESERVED>,
    /// The interrupt controller.
    pub gic: Gic<'b>,
    /// The UART to print on.
    pub console: Option<Console<'b>>,
    /// The architected timers.
    pub timer: Timer,
    /// How PSCI is called, on machines that have it.
    pub psci: Option<Conduit>,
    /// The SMMUs.
    pub smmus: Smmus<'b>,
    /// The PCIe hosts.
    pub pci_hosts: List<PciHost<'b>, MAX_PCI_HOSTS>,
    /// Cores.
    pub cpus: u32,
    /// The command line, empty when there is none.
    pub bootargs: &'b str,
    /// Random bytes that firmware passes on (`/chosen`, `rng-seed`); empty when there are none. Not printed.
    pub rng_seed: &'b [u8],
}

impl<'b> Machine<'b> {
    /// The machine that `blob` describes.
    ///
    /// # Errors
    /// When something that every user needs is missing or cannot be worked with; names the node and the property.
    pub fn from_blob(blob: &'b ValidBlob<'_>) -> Result<Self, MachineError<'b>> {
        let tree = Tree::new(blob);
        let machine = Self {
            tree,
            memory: memory(tree)?,
            reserved: reserved(tree)?,
            gic: gic(tree)?,
            console: console(tree)?,
            timer: timer(tree)?,
            psci: psci(tree)?,
            smmus: smmus(tree)?,
            pci_hosts: hosts(tree)?,
            cpus: cpus(tree)?,
            bootargs: bootargs(tree)?,
            rng_seed: tree.root().child("chosen").and_then(|chosen| chosen.property("rng-seed")).unwrap_or_default(),
        };
        machine.check_iommu_maps()?;
        Ok(machine)
    }

    /// The tree it was read from.
    #[must_use]
    pub fn tree(&self) -> Tree<'b> {
        self.tree
    }

    /// The interrupt that a pin of a function on the host's first bus is wired to. For a function behind bridges, pass
    /// the bridge on the first bus and the pin after [`Pin::behind_bridge`] for each.
    ///
    /// # Errors
    /// When `interrupt-map` has no entry for it or cannot be read.
    pub fn interrupt_of(
        &self,
        host: &PciHost<'b>,
        function: PciAddress,
        pin: Pin,
    ) -> Result<Interrupt, MachineError<'b>> {
        let node = host.path.node();
        node.required("interrupt-map")?;
        interrupt_cells(&node)?;
        let mut specifier = Specifier::default();
        // phys.hi as the map has it: bus, device, function, and no register
        for cell in [u32::from(function.rid()) << 8, 0, 0, pin as u32] {
            specifier.push(cell).map_err(|full| node.error("interrupt-map", full.into()))?;
        }
        resolve(&node, "interrupt-map", node.clone(), specifier)
    }

    /// The stream of a requester ID behind `host`; `None` when its DMA passes no SMMU.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn stream_of(&self, host: &PciHost<'b>, rid: u16) -> Result<Option<StreamId>, MachineError<'b>> {
        stream_of(&host.path.node(), rid, &self.smmus)
    }

    /// The device at a full path.
    #[must_use]
    pub fn device(&self, path: &str) -> Option<Device<'_, 'b>> {
        Some(self.device_at(self.tree.path(path)?))
    }

    /// The device that a property of `/aliases` names.
    #[must_use]
    pub fn alias(&self, name: &str) -> Option<Device<'_, 'b>> {
        Some(self.device_at(self.tree.alias(name)?))
    }

    /// Calls `visit` with every available device that has registers the CPU can address, in the order of the tree.
    ///
    /// Functions of PCI and other buses without `ranges`, memory and processors are none.
    pub fn visit_devices(&self, mut visit: impl FnMut(&Device<'_, 'b>)) {
        self.tree.visit(|node| {
            let kind = node.property("device_type").and_then(text);
            let has_registers = node.property("reg").is_some() && !matches!(kind, Some("memory" | "cpu"));
            if has_registers && node.is_available() && is_on_memory_bus(node) {
                visit(&self.device_at(node.clone()));
            }
            ControlFlow::<()>::Continue(())
        });
    }

    /// Calls `visit` with every available device that masters memory behind no SMMU, and the binding it is known by.
    ///
    /// # Errors
    /// When the `iommus` of such a device cannot be read.
    pub fn visit_unconfined_masters(
        &self,
        mut visit: impl FnMut(&Device<'_, 'b>, &'static str),
    ) -> Result<(), MachineError<'b>> {
        self.tree.root().try_each_below(|node| {
            let device = self.device_at(node.clone());
            if let (true, Some(binding)) = (node.is_available(), device.unconfined()?) {
                visit(&device, binding);
            }
            Ok(())
        })
    }

    fn device_at(&self, node: Node<'b>) -> Device<'_, 'b> {
        Device { node, smmus: &self.smmus }
    }

    /// That every entry of every `iommu-map` can be read, so that no later question about a stream fails on it.
    fn check_iommu_maps(&self) -> Result<(), MachineError<'b>> {
        for host in self.pci_hosts.iter() {
            let node = host.path.node();
            let Some(value) = node.property("iommu-map") else { continue };
            mask(&node)?;
            for [_, phandle, base, count] in entries(&node, value)? {
                let (smmu, cells) = iommu(&node, "iommu-map", phandle, &self.smmus)?;
                if smmu.is_some() && cells != 1 {
                    return Err(node.error("iommu-map", Problem::Cells(cells)));
                }
                if base.checked_add(count.saturating_sub(1)).is_none() {
                    let problem = Problem::Number { found: base.into(), wanted: "streams below 2^32" };
                    return Err(node.error("iommu-map", problem));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("memory", &self.memory)
            .field("reserved", &self.reserved)
            .field("gic", &self.gic)
            .field("console", &self.console)
            .field("timer", &self.timer)
            .field("psci", &self.psci)
            .field("smmus", &self.smmus)
            .field("pci_hosts", &self.pci_hosts)
            .field("cpus", &self.cpus)
            .field("bootargs", &self.bootargs)
            .finish_non_exhaustive()
    }
}

/// Whether every bus above the node passes addresses on.
fn is_on_memory_bus(node: &Node<'_>) -> bool {
    let mut at = node.parent();
    while let Some(bus) = at {
        at = bus.parent();
        let is_root = at.is_none();
        if !is_root && bus.property("ranges").is_none() {
            return false;
        }
        if bus.property("device_type").and_then(text) == Some("pci") {
            return false;
        }
    }
    true
}

fn cpus(tree: Tree<'_>) -> Result<u32, MachineError<'_>> {
    let root = tree.root();
    let cpus = root.child("cpus").ok_or_else(|| root.error("", Problem::NoNode("/cpus")))?;
    let mut count = 0;
    cpus.try_each_below(|node| {
        count += u32::from(node.property("device_type").and_then(text) == Some("cpu") && node.is_available());
        Ok::<(), MachineError<'_>>(())
    })?;
    if count == 0 { Err(cpus.error("", Problem::NoNode("child with device_type = \"cpu\""))) } else { Ok(count) }
}

fn bootargs(tree: Tree<'_>) -> Result<&str, MachineError<'_>> {
    let Some(chosen) = tree.root().child("chosen") else { return Ok("") };
    let Some(value) = chosen.property("bootargs") else { return Ok("") };
    text(value).ok_or_else(|| chosen.error("bootargs", Problem::NoString))
}
