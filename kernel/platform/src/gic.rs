//! The interrupt controller (binding "arm,gic-v3").

use crate::interrupt::{Interrupt, interrupt_cells, interrupts};
use crate::list::List;
use crate::registers::{first_register, registers};
use crate::tree::{NodePath, Tree};
use crate::{MachineError, Problem, Region};

/// The binding of the only controller that is supported.
pub(crate) const BINDING: &str = "arm,gic-v3";
/// Controllers that a tree may have instead, to name them in the refusal.
const OTHERS: [&str; 9] = [
    "arm,gic-400",
    "arm,cortex-a15-gic",
    "arm,cortex-a9-gic",
    "arm,cortex-a7-gic",
    "arm,cortex-a5-gic",
    "arm,eb11mp-gic",
    "arm,pl390",
    "arm,gic-v5",
    "apple,aic",
];
/// Most redistributor regions.
pub const MAX_REDISTRIBUTOR_REGIONS: usize = 8;
/// Most interrupt translation services.
pub const MAX_ITS: usize = 8;
/// IHI 0069, 12.8: the distributor has one 64 KiB frame.
const DISTRIBUTOR_BYTES: u64 = 0x1_0000;
/// IHI 0069, 12.10: a redistributor has two 64 KiB frames.
const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;

/// The GICv3.
#[derive(Clone, Debug)]
pub struct Gic<'b> {
    /// Its node.
    pub path: NodePath<'b>,
    /// Registers of the distributor.
    pub distributor: Region,
    /// Regions of consecutive redistributors.
    pub redistributors: List<Region, MAX_REDISTRIBUTOR_REGIONS>,
    /// Bytes from one redistributor to the next, where the tree says so; else GICR_TYPER.VLPIS tells.
    pub redistributor_stride: Option<u64>,
    /// Registers of the interrupt translation services: never anybody's but the kernel's.
    pub its: List<Region, MAX_ITS>,
    /// Maintenance interrupt of the virtual CPU interface.
    pub maintenance: Option<Interrupt>,
    /// What interrupt specifiers call it.
    pub phandle: Option<u32>,
}

/// The machine's GIC.
pub(crate) fn gic(tree: Tree<'_>) -> Result<Gic<'_>, MachineError<'_>> {
    let Some(node) = tree.find(|node| node.is_compatible(BINDING) && node.is_available()) else {
        return Err(no_gic(tree));
    };
    interrupt_cells(&node)?;
    let regions = registers(&node)?;
    let count = node.word("#redistributor-regions").unwrap_or(1) as usize;
    if count == 0 || count > MAX_REDISTRIBUTOR_REGIONS {
        let problem = Problem::Number { found: count as u64, wanted: "1 to 8" };
        return Err(node.error("#redistributor-regions", problem));
    }
    let needed = 1 + count;
    if regions.len() < needed {
        return Err(node.error("reg", Problem::TooFew { found: regions.len(), needed }));
    }
    let at_least = |region: &Region, needed: u64| {
        let problem = Problem::TooSmall { region: *region, needed };
        if region.size() < needed { Err(node.error("reg", problem)) } else { Ok(*region) }
    };
    let distributor = at_least(&regions[0], DISTRIBUTOR_BYTES)?;
    let mut redistributors = List::new();
    for region in regions.iter().skip(1).take(count) {
        redistributors.push(at_least(region, REDISTRIBUTOR_BYTES)?).map_err(|full| node.error("reg", full.into()))?;
    }
    let mut its = List::new();
    node.try_each_below(|child| {
        if child.is_compatible("arm,gic-v3-its") && child.is_available() {
            its.push(first_register(child)?).map_err(|full| child.error("", full.into()))?;
        }
        Ok(())
    })?;
    let stride = node.property("redistributor-stride").map(|value| {
        let problem = Problem::Length { bytes: value.len(), entry: 8 };
        let cells = crate::tree::Cells::new(value).number((value.len() / 4) as u32);
        cells
            .filter(|_| value.len() == 4 || value.len() == 8)
            .ok_or_else(|| node.error("redistributor-stride", problem))
    });
    Ok(Gic {
        path: node.place(),
        distributor,
        redistributors,
        redistributor_stride: stride.transpose()?,
        its,
        maintenance: interrupts(&node)?.get(0).copied(),
        phandle: node.phandle(),
    })
}

fn no_gic(tree: Tree<'_>) -> MachineError<'_> {
    let known = |name: &&str| OTHERS.contains(name);
    match tree.find(|node| node.compatible().any(|name| known(&name))) {
        Some(other) => {
            let found = other.compatible().find(known).unwrap_or_default();
            other.error("compatible", Problem::Unsupported { found, wanted: "a GICv3 (\"arm,gic-v3\")" })
        }
        None => tree.root().error("", Problem::NoNode("interrupt controller with compatible = \"arm,gic-v3\"")),
    }
}
