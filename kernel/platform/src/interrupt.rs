//! Interrupts of nodes, followed through nexus nodes to the GIC (Devicetree Specification 0.4, 2.4).

use core::fmt;

use crate::list::List;
use crate::registers::check_cells;
use crate::specifier::Specifier;
use crate::tree::{Cells, Node};
use crate::{MachineError, Problem};

/// Most interrupts of one node.
pub const MAX_INTERRUPTS: usize = 16;
/// Most nexus nodes an interrupt passes through, so that a tree with a loop of them ends.
const MAX_NEXUSES: u32 = 8;

/// How an interrupt is signalled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    /// As long as the line is active.
    Level,
    /// When the line becomes active.
    Edge,
}

/// An interrupt of the GIC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Interrupt {
    /// Its number: 16..32 private to a core, 32..1020 shared.
    pub intid: u32,
    /// How it is signalled.
    pub trigger: Trigger,
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trigger = match self.trigger {
            Trigger::Level => "level",
            Trigger::Edge => "edge",
        };
        write!(f, "{} {trigger}", self.intid)
    }
}

/// The interrupts of a node, in the order of its property.
pub type Interrupts = List<Interrupt, MAX_INTERRUPTS>;

/// The interrupts that the node's `interrupts` or `interrupts-extended` lists; none without either.
pub(crate) fn interrupts<'b>(node: &Node<'b>) -> Result<Interrupts, MachineError<'b>> {
    let mut list = Interrupts::new();
    if let Some(value) = node.property("interrupts-extended") {
        let mut cells = Cells::new(value);
        while !cells.is_empty() {
            let phandle = next(node, "interrupts-extended", &mut cells)?;
            let parent = by_phandle(node, "interrupts-extended", phandle)?;
            let interrupt = one(node, "interrupts-extended", &parent, &mut cells)?;
            list.push(interrupt).map_err(|full| node.error("interrupts-extended", full.into()))?;
        }
    } else if let Some(value) = node.property("interrupts") {
        let parent = interrupt_parent(node)?;
        let mut cells = Cells::new(value);
        while !cells.is_empty() {
            let interrupt = one(node, "interrupts", &parent, &mut cells)?;
            list.push(interrupt).map_err(|full| node.error("interrupts", full.into()))?;
        }
    }
    Ok(list)
}

/// The node's interrupt whose entry of `interrupt-names` is `name`, if there is one.
pub(crate) fn named_interrupt<'b>(
    node: &Node<'b>,
    interrupts: &Interrupts,
    name: &str,
) -> Result<Option<Interrupt>, MachineError<'b>> {
    let names = node.property("interrupt-names").unwrap_or_default();
    let Some(position) = crate::tree::strings(names).position(|candidate| candidate == name) else { return Ok(None) };
    let too_few = Problem::TooFew { found: interrupts.len(), needed: position + 1 };
    interrupts.get(position).map(|&found| Some(found)).ok_or_else(|| node.error("interrupts", too_few))
}

/// One specifier of a node for `parent`, followed to the GIC.
fn one<'b>(
    node: &Node<'b>,
    property: &'static str,
    parent: &Node<'b>,
    cells: &mut Cells<'b>,
) -> Result<Interrupt, MachineError<'b>> {
    let count = interrupt_cells(parent)?;
    let mut child = Specifier::default();
    if parent.property("interrupt-map").is_some() {
        append_unit_address(node, parent, &mut child)?;
    }
    let length =
        Problem::Length { bytes: node.property(property).unwrap_or_default().len(), entry: 4 * count as usize };
    let specifier = cells.take(count).ok_or_else(|| node.error(property, length))?;
    child.append(specifier).map_err(|full| node.error(property, full.into()))?;
    resolve(node, property, parent.clone(), child)
}

/// Follows a specifier (with unit address when `parent` is a nexus) to the GIC.
pub(crate) fn resolve<'b>(
    node: &Node<'b>,
    property: &'static str,
    parent: Node<'b>,
    specifier: Specifier,
) -> Result<Interrupt, MachineError<'b>> {
    let (mut parent, mut specifier) = (parent, specifier);
    for _ in 0..MAX_NEXUSES {
        if parent.is_compatible(crate::gic::BINDING) {
            return gic_interrupt(node, property, &specifier);
        }
        if parent.property("interrupt-map").is_none() {
            break;
        }
        (parent, specifier) = through_nexus(&parent, &specifier)?;
    }
    Err(node.error(property, Problem::NotTheGic))
}

/// The entry of the nexus's `interrupt-map` that matches a unit address and specifier.
fn through_nexus<'b>(nexus: &Node<'b>, child: &Specifier) -> Result<(Node<'b>, Specifier), MachineError<'b>> {
    check_cells(nexus, "#address-cells", nexus.address_cells(), 0..=3)?;
    let width = nexus.address_cells() + interrupt_cells(nexus)?;
    let mut map = Cells::new(nexus.required("interrupt-map")?);
    let mask = nexus.property("interrupt-map-mask");
    if let Some(mask) = mask.filter(|mask| mask.len() != 4 * width as usize) {
        let problem = Problem::Length { bytes: mask.len(), entry: 4 * width as usize };
        return Err(nexus.error("interrupt-map-mask", problem));
    }
    while !map.is_empty() {
        let mut mask = Cells::new(mask.unwrap_or_default());
        let mut matches = child.cells().len() == width as usize;
        for index in 0..width as usize {
            let entry = next(nexus, "interrupt-map", &mut map)?;
            let mask = mask.word().unwrap_or(u32::MAX);
            matches &= (child.cell(index) ^ entry) & mask == 0;
        }
        let phandle = next(nexus, "interrupt-map", &mut map)?;
        let parent = by_phandle(nexus, "interrupt-map", phandle)?;
        // in an interrupt-map, unlike in reg, an interrupt parent without the property has no unit address
        let address_cells = parent.word("#address-cells").unwrap_or(0);
        check_cells(&parent, "#address-cells", address_cells, 0..=3)?;
        let count = address_cells + interrupt_cells(&parent)?;
        let cut =
            Problem::Length { bytes: nexus.required("interrupt-map")?.len(), entry: 4 * (width + 1 + count) as usize };
        let mut target = map.take(count).ok_or_else(|| nexus.error("interrupt-map", cut))?;
        if matches {
            if parent.is_compatible(crate::gic::BINDING) {
                target.take(address_cells);
            }
            let mut specifier = Specifier::default();
            specifier.append(target).map_err(|full| nexus.error("interrupt-map", full.into()))?;
            return Ok((parent, specifier));
        }
    }
    Err(nexus.error("interrupt-map", Problem::Unmapped(*child)))
}

/// A specifier of the GICv3 binding: kind, number, flags, and sometimes a partition of private interrupts.
fn gic_interrupt<'b>(
    node: &Node<'b>,
    property: &'static str,
    specifier: &Specifier,
) -> Result<Interrupt, MachineError<'b>> {
    const SHARED: u32 = 0;
    const PRIVATE: u32 = 1;
    let unsupported = |found: u32, wanted| node.error(property, Problem::Number { found: found.into(), wanted });
    let intid = match (specifier.cell(0), specifier.cell(1)) {
        (SHARED, number @ 0..988) => 32 + number,
        (PRIVATE, number @ 0..16) => 16 + number,
        (SHARED, number) => return Err(unsupported(number, "shared interrupts 0 to 987")),
        (PRIVATE, number) => return Err(unsupported(number, "private interrupts 0 to 15")),
        (kind, _) => return Err(unsupported(kind, "interrupts of kind 0 (shared) or 1 (private)")),
    };
    let trigger = match specifier.cell(2) & 0xf {
        1 | 2 => Trigger::Edge,
        4 | 8 => Trigger::Level,
        flags => return Err(unsupported(flags, "trigger flags 1, 2, 4 and 8")),
    };
    Ok(Interrupt { intid, trigger })
}

/// The node that interprets the specifiers of `node`: by `interrupt-parent` or the tree, whatever comes first.
pub(crate) fn interrupt_parent<'b>(node: &Node<'b>) -> Result<Node<'b>, MachineError<'b>> {
    let mut at = node.clone();
    // as many steps as there can be without a loop of phandles
    for _ in 0..2 * crate::blob::MAX_DEPTH {
        let next = match at.property("interrupt-parent") {
            Some(value) => {
                let phandle = Cells::new(value)
                    .word()
                    .ok_or_else(|| at.error("interrupt-parent", Problem::Length { bytes: value.len(), entry: 4 }))?;
                by_phandle(&at, "interrupt-parent", phandle)?
            }
            None => match at.parent() {
                Some(parent) => parent,
                None => break,
            },
        };
        if next.property("#interrupt-cells").is_some() {
            return Ok(next);
        }
        at = next;
    }
    Err(node.error("interrupt-parent", Problem::Missing))
}

pub(crate) fn interrupt_cells<'b>(controller: &Node<'b>) -> Result<u32, MachineError<'b>> {
    let missing = || controller.error("#interrupt-cells", Problem::Missing);
    let cells = controller.word("#interrupt-cells").ok_or_else(missing)?;
    check_cells(controller, "#interrupt-cells", cells, 1..=4)?;
    Ok(cells)
}

/// The first cells of the node's `reg`, as many as an address on `bus` has, whatever bus the node itself is on: that is
/// what operating systems compare, and maps of nodes further down mask it out.
fn append_unit_address<'b>(node: &Node<'b>, bus: &Node<'b>, to: &mut Specifier) -> Result<(), MachineError<'b>> {
    let cells = bus.address_cells();
    check_cells(bus, "#address-cells", cells, 0..=3)?;
    let mut address = Cells::new(node.property("reg").unwrap_or_default());
    for _ in 0..cells {
        // a node without address matches maps that mask addresses out
        to.push(address.word().unwrap_or(0)).map_err(|full| node.error("reg", full.into()))?;
    }
    Ok(())
}

fn next<'b>(node: &Node<'b>, property: &'static str, cells: &mut Cells<'b>) -> Result<u32, MachineError<'b>> {
    let bytes = node.property(property).unwrap_or_default().len();
    cells.word().ok_or_else(|| node.error(property, Problem::Length { bytes, entry: 4 }))
}

fn by_phandle<'b>(node: &Node<'b>, property: &'static str, phandle: u32) -> Result<Node<'b>, MachineError<'b>> {
    node.tree().phandle(phandle).ok_or_else(|| node.error(property, Problem::Phandle(phandle)))
}
