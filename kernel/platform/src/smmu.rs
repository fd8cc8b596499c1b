//! SMMUs (binding "arm,smmu-v3").

use sluice_abi::smmu::MAX_SMMUS;

use crate::interrupt::{Interrupt, interrupts, named_interrupt};
use crate::list::List;
use crate::registers::first_register;
use crate::tree::{Node, NodePath, Tree};
use crate::{MachineError, Problem, Region};

const BINDING: &str = "arm,smmu-v3";
/// IHI 0070, 6.1: two 64 KiB register pages.
const REGISTER_BYTES: u64 = 0x2_0000;

/// An SMMUv3. Its number is its position in the tree.
#[derive(Clone, Copy, Debug)]
pub struct Smmu<'b> {
    /// Its node.
    pub path: NodePath<'b>,
    /// Registers, both pages at least.
    pub registers: Region,
    /// Interrupts.
    pub interrupts: SmmuInterrupts,
    /// Whether its table walks and queue accesses are coherent with the CPU's caches.
    pub coherent: bool,
    /// What `iommus` and `iommu-map` call it.
    pub phandle: Option<u32>,
}

/// The interrupts of an SMMU, as its `interrupt-names` tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmmuInterrupts {
    /// One interrupt for all of the following.
    pub combined: Option<Interrupt>,
    /// The event queue is no longer empty.
    pub event_queue: Option<Interrupt>,
    /// The page request queue is no longer empty.
    pub page_requests: Option<Interrupt>,
    /// A CMD_SYNC that asked for it completed.
    pub command_sync: Option<Interrupt>,
    /// A global error became active.
    pub global_error: Option<Interrupt>,
}

/// All SMMUs in the order of the tree.
pub(crate) fn smmus(tree: Tree<'_>) -> Result<List<Smmu<'_>, MAX_SMMUS>, MachineError<'_>> {
    let mut list = List::<Smmu<'_>, MAX_SMMUS>::new();
    tree.root().try_each_below(|node| {
        if node.is_compatible(BINDING) && node.is_available() {
            let smmu = smmu(node)?;
            if let Some(other) = list.iter().find(|other| other.registers.overlaps(&smmu.registers)) {
                return Err(node.error("reg", Problem::Overlap(other.registers, smmu.registers)));
            }
            list.push(smmu).map_err(|full| node.error("", full.into()))?;
        }
        Ok(())
    })?;
    Ok(list)
}

fn smmu<'b>(node: &Node<'b>) -> Result<Smmu<'b>, MachineError<'b>> {
    let registers = first_register(node)?;
    if registers.size() < REGISTER_BYTES {
        return Err(node.error("reg", Problem::TooSmall { region: registers, needed: REGISTER_BYTES }));
    }
    let all = interrupts(node)?;
    if !all.is_empty() {
        // the binding fixes no order
        node.required("interrupt-names")?;
    }
    let named = |name| named_interrupt(node, &all, name);
    let interrupts = SmmuInterrupts {
        combined: named("combined")?,
        event_queue: named("eventq")?,
        page_requests: named("priq")?,
        command_sync: named("cmdq-sync")?,
        global_error: named("gerror")?,
    };
    Ok(Smmu { path: node.place(), registers, interrupts, coherent: node.is_dma_coherent(), phandle: node.phandle() })
}
