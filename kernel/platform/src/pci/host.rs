//! PCIe hosts with memory-mapped configuration space (binding "pci-host-ecam-generic").

use sluice_abi::PhysAddr;

use super::PciAddress;
use super::window::{MAX_WINDOWS, Window, windows};
use crate::list::List;
use crate::registers::{check_cells, first_register};
use crate::tree::{Cells, Node, NodePath, Tree};
use crate::{MachineError, Problem, Region};

/// The binding of the hosts that are supported.
pub(crate) const BINDING: &str = "pci-host-ecam-generic";
/// Most hosts.
pub const MAX_PCI_HOSTS: usize = 8;
/// log2 of the configuration space of one bus.
const BUS_BITS: u32 = 20;

/// A PCIe host.
#[derive(Clone, Copy, Debug)]
pub struct PciHost<'b> {
    /// Its node.
    pub path: NodePath<'b>,
    /// `linux,pci-domain`, 0 when absent.
    pub segment: u32,
    /// Configuration space of the buses, from [`PciHost::first_bus`].
    pub ecam: Region,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
    /// Address windows.
    pub windows: List<Window, MAX_WINDOWS>,
    /// Whether DMA from behind it is coherent with the CPU's caches.
    pub coherent: bool,
    /// Whether it has an `iommu-map`. Without one, whatever is behind it reaches all memory.
    pub has_iommu_map: bool,
}

impl PciHost<'_> {
    /// Where the 4 KiB of configuration space of a function are; `None` when the host has no such bus.
    #[must_use]
    pub fn configuration(&self, function: PciAddress) -> Option<PhysAddr> {
        let bus = function.bus().checked_sub(self.first_bus).filter(|_| function.bus() <= self.last_bus)?;
        let function_on_bus = u64::from(function.rid()) & 0xff;
        Some(self.ecam.base().offset(u64::from(bus) << BUS_BITS | function_on_bus << 12))
    }
}

/// All hosts in the order of the tree.
pub(crate) fn hosts(tree: Tree<'_>) -> Result<List<PciHost<'_>, MAX_PCI_HOSTS>, MachineError<'_>> {
    let mut list = List::new();
    tree.root().try_each_below(|node| {
        if node.is_compatible(BINDING) && node.is_available() {
            list.push(host(node)?).map_err(|full| node.error("", full.into()))?;
        }
        Ok(())
    })?;
    Ok(list)
}

fn host<'b>(node: &Node<'b>) -> Result<PciHost<'b>, MachineError<'b>> {
    check_cells(node, "#address-cells", node.address_cells(), 3..=3)?;
    check_cells(node, "#size-cells", node.size_cells(), 2..=2)?;
    let ecam = first_register(node)?;
    let (first_bus, last_bus) = buses(node, ecam)?;
    Ok(PciHost {
        path: node.place(),
        segment: node.word("linux,pci-domain").unwrap_or(0),
        ecam,
        first_bus,
        last_bus,
        windows: windows(node)?,
        coherent: node.is_dma_coherent(),
        has_iommu_map: node.property("iommu-map").is_some(),
    })
}

/// `bus-range`, or what the configuration space has room for.
fn buses<'b>(node: &Node<'b>, ecam: Region) -> Result<(u8, u8), MachineError<'b>> {
    let room = ecam.size() >> BUS_BITS;
    let one_bus = Problem::TooSmall { region: ecam, needed: 1 << BUS_BITS };
    let Some(value) = node.property("bus-range") else {
        let last = room.min(256).checked_sub(1).ok_or_else(|| node.error("reg", one_bus))?;
        return Ok((0, last as u8));
    };
    let mut cells = Cells::new(value);
    let pair = cells.word().zip(cells.word()).filter(|_| value.len() == 8);
    let (first, last) =
        pair.ok_or_else(|| node.error("bus-range", Problem::Length { bytes: value.len(), entry: 8 }))?;
    let number = |bus: u32| {
        let problem = Problem::Number { found: bus.into(), wanted: "ascending buses 0 to 255" };
        u8::try_from(bus).map_err(|_| problem).and_then(|bus| if first <= last { Ok(bus) } else { Err(problem) })
    };
    let bus = |bus| number(bus).map_err(|problem| node.error("bus-range", problem));
    let (first, last) = (bus(first)?, bus(last)?);
    let needed = (u64::from(last - first) + 1) << BUS_BITS;
    if ecam.size() < needed {
        return Err(node.error("reg", Problem::TooSmall { region: ecam, needed }));
    }
    Ok((first, last))
}
