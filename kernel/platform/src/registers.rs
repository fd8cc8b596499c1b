//! `reg` properties, translated to physical addresses through the `ranges` of the parent buses.

use sluice_abi::PhysAddr;

use crate::list::List;
use crate::tree::{Cells, Node};
use crate::{MachineError, Problem, Region};

/// Most register ranges of one node.
pub const MAX_REGISTERS: usize = 16;

/// The register ranges of a node.
pub type Registers = List<Region, MAX_REGISTERS>;

/// The ranges of the node's `reg`, as the CPU addresses them; none without `reg`.
///
/// Entries of no bytes are left out: trees use them for memory that is not fitted.
pub(crate) fn registers<'b>(node: &Node<'b>) -> Result<Registers, MachineError<'b>> {
    let mut list = Registers::new();
    let (Some(value), Some(bus)) = (node.property("reg"), node.parent()) else { return Ok(list) };
    let (address_cells, size_cells) = (bus.address_cells(), bus.size_cells());
    check_cells(&bus, "#address-cells", address_cells, 1..=2)?;
    check_cells(&bus, "#size-cells", size_cells, 1..=2)?;
    let entry = 4 * (address_cells + size_cells) as usize;
    let length = Problem::Length { bytes: value.len(), entry };
    let mut cells = Cells::new(value);
    while !cells.is_empty() {
        let pair = cells.number(address_cells).zip(cells.number(size_cells));
        let (address, size) = pair.ok_or_else(|| node.error("reg", length))?;
        if size == 0 {
            continue;
        }
        let base = to_physical(&bus, address, size)?;
        let region = Region::new(PhysAddr(base), size);
        let region = region.ok_or_else(|| node.error("reg", Problem::Range { base, size }))?;
        list.push(region).map_err(|full| node.error("reg", full.into()))?;
    }
    Ok(list)
}

/// The first register range, which must be there.
pub(crate) fn first_register<'b>(node: &Node<'b>) -> Result<Region, MachineError<'b>> {
    registers(node)?.get(0).copied().ok_or_else(|| node.error("reg", Problem::Missing))
}

/// The physical address behind `size` bytes at `address` of the children of `bus`.
pub(crate) fn to_physical<'b>(bus: &Node<'b>, address: u64, size: u64) -> Result<u64, MachineError<'b>> {
    let mut address = address;
    let mut bus = bus.clone();
    while let Some(parent) = bus.parent() {
        address = through(&bus, &parent, address, size)?;
        bus = parent;
    }
    Ok(address)
}

/// What `bus` makes of an address of its children on the bus that it is on.
fn through<'b>(bus: &Node<'b>, parent: &Node<'b>, address: u64, size: u64) -> Result<u64, MachineError<'b>> {
    let ranges = bus.required("ranges")?;
    if ranges.is_empty() {
        return Ok(address);
    }
    let (child_cells, parent_cells, size_cells) = (bus.address_cells(), parent.address_cells(), bus.size_cells());
    check_cells(bus, "#address-cells", child_cells, 1..=2)?;
    check_cells(parent, "#address-cells", parent_cells, 1..=2)?;
    check_cells(bus, "#size-cells", size_cells, 1..=2)?;
    let entry = 4 * (child_cells + parent_cells + size_cells) as usize;
    let length = Problem::Length { bytes: ranges.len(), entry };
    let mut cells = Cells::new(ranges);
    while !cells.is_empty() {
        let child = cells.number(child_cells).ok_or_else(|| bus.error("ranges", length))?;
        let target = cells.number(parent_cells).ok_or_else(|| bus.error("ranges", length))?;
        let bytes = cells.number(size_cells).ok_or_else(|| bus.error("ranges", length))?;
        let Some(offset) = address.checked_sub(child) else { continue };
        let fits = offset.checked_add(size).is_some_and(|end| end <= bytes);
        if let (true, Some(translated)) = (fits, target.checked_add(offset)) {
            return Ok(translated);
        }
    }
    Err(bus.error("ranges", Problem::Untranslated(address)))
}

/// That a count of cells is one that can be worked with.
pub(crate) fn check_cells<'b>(
    node: &Node<'b>,
    property: &'static str,
    cells: u32,
    supported: core::ops::RangeInclusive<u32>,
) -> Result<(), MachineError<'b>> {
    if supported.contains(&cells) { Ok(()) } else { Err(node.error(property, Problem::Cells(cells))) }
}
