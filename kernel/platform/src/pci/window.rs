//! The address windows of a PCIe host (IEEE 1275 PCI bus binding: `ranges`).

use sluice_abi::PhysAddr;

use crate::list::List;
use crate::registers::{check_cells, to_physical};
use crate::tree::{Cells, Node};
use crate::{MachineError, Problem, Region};

/// Most windows of one host.
pub const MAX_WINDOWS: usize = 8;

/// What a window gives access to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Space {
    /// I/O ports.
    Io,
    /// Memory below 4 GiB of the PCI address space.
    Memory32,
    /// Memory anywhere.
    Memory64,
}

/// A window from the CPU's addresses to PCI addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// What it gives access to.
    pub space: Space,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
    /// First PCI address.
    pub pci: u64,
    /// The CPU's addresses.
    pub cpu: Region,
}

/// The windows in the order of `ranges`; those of no bytes and of configuration space are left out.
pub(super) fn windows<'b>(node: &Node<'b>) -> Result<List<Window, MAX_WINDOWS>, MachineError<'b>> {
    let mut list = List::new();
    let value = node.required("ranges")?;
    let Some(parent) = node.parent() else { return Ok(list) };
    let parent_cells = parent.address_cells();
    check_cells(&parent, "#address-cells", parent_cells, 1..=2)?;
    let length =
        || node.error("ranges", Problem::Length { bytes: value.len(), entry: 4 * (3 + parent_cells + 2) as usize });
    let mut cells = Cells::new(value);
    while !cells.is_empty() {
        let flags = cells.word().ok_or_else(length)?;
        let pci = cells.number(2).ok_or_else(length)?;
        let target = cells.number(parent_cells).ok_or_else(length)?;
        let size = cells.number(2).ok_or_else(length)?;
        // phys.hi: space code in bits 25:24, prefetchable in bit 30
        let space = match flags >> 24 & 3 {
            1 => Space::Io,
            2 => Space::Memory32,
            3 => Space::Memory64,
            _ => continue,
        };
        if size == 0 {
            continue;
        }
        let base = to_physical(&parent, target, size)?;
        let range = Problem::Range { base, size };
        let cpu = Region::new(PhysAddr(base), size).ok_or_else(|| node.error("ranges", range))?;
        let bits = if space == Space::Memory64 { 64 } else { 32 };
        let last = pci.checked_add(size - 1);
        if last.is_none_or(|last| last.checked_shr(bits).unwrap_or(0) != 0) {
            return Err(node.error("ranges", Problem::PciRange { base: pci, size, bits }));
        }
        let window = Window { space, prefetchable: flags >> 30 & 1 != 0, pci, cpu };
        list.push(window).map_err(|full| node.error("ranges", full.into()))?;
    }
    Ok(list)
}
