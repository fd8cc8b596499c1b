//! RAM, and what of it is not to be used.

use sluice_abi::PhysAddr;

use crate::list::List;
use crate::registers::registers;
use crate::tree::Tree;
use crate::{MachineError, Problem, Region};

/// Most ranges of RAM after adjacent ones were merged.
pub const MAX_MEMORY: usize = 32;
/// Most reserved ranges.
pub const MAX_RESERVED: usize = 64;

/// Memory that firmware or the tree keeps for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// The range.
    pub region: Region,
    /// Whether it must not even be mapped.
    pub no_map: bool,
}

/// The ranges of RAM: ascending, disjoint, and not adjacent.
pub(crate) fn memory(tree: Tree<'_>) -> Result<List<Region, MAX_MEMORY>, MachineError<'_>> {
    let root = tree.root();
    let mut found = List::<Region, MAX_MEMORY>::new();
    root.try_each_below(|node| {
        if node.property("device_type") != Some(b"memory\0") || !node.is_available() {
            return Ok(());
        }
        for &region in registers(node)?.iter() {
            if let Some(&other) = found.iter().find(|other| other.overlaps(&region)) {
                return Err(node.error("reg", Problem::Overlap(other, region)));
            }
            found.push(region).map_err(|full| node.error("reg", full.into()))?;
        }
        Ok(())
    })?;
    if found.is_empty() {
        return Err(root.error("", Problem::NoNode("memory node with device_type = \"memory\" and a reg")));
    }
    found.sort_by_key(|region| region.base());
    Ok(merged(&found))
}

fn merged(sorted: &List<Region, MAX_MEMORY>) -> List<Region, MAX_MEMORY> {
    let mut merged = List::<Region, MAX_MEMORY>::new();
    for &region in sorted.iter() {
        let adjacent = merged.last().copied().filter(|last| last.end() == region.base());
        let joined = adjacent.and_then(|last| Region::new(last.base(), last.size() + region.size()));
        if joined.is_some() {
            merged.pop();
        }
        merged.push(joined.unwrap_or(region)).expect("no longer than the list it comes from");
    }
    merged
}

/// The memory reservation block and the static children of `/reserved-memory`, ascending; they may overlap.
pub(crate) fn reserved(tree: Tree<'_>) -> Result<List<Reserved, MAX_RESERVED>, MachineError<'_>> {
    let mut list = List::<Reserved, MAX_RESERVED>::new();
    let root = tree.root();
    for (base, size) in tree.reservations().filter(|&(_, size)| size > 0) {
        let range = Problem::Range { base, size };
        let region = Region::new(PhysAddr(base), size).ok_or_else(|| root.error("/memreserve/", range))?;
        let entry = Reserved { region, no_map: false };
        list.push(entry).map_err(|full| root.error("/memreserve/", full.into()))?;
    }
    if let Some(parent) = root.child("reserved-memory") {
        parent.try_each_below(|node| {
            let no_map = node.property("no-map").is_some();
            // disabled children are not reserved; children with only a size are placed by an operating system
            for &region in registers(node)?.iter().filter(|_| node.is_available()) {
                list.push(Reserved { region, no_map }).map_err(|full| node.error("reg", full.into()))?;
            }
            Ok(())
        })?;
    }
    list.sort_by_key(|entry| entry.region);
    Ok(list)
}
