//! The architected timers (binding "arm,armv8-timer").

use crate::interrupt::{Interrupt, interrupts, named_interrupt};
use crate::tree::Tree;
use crate::{MachineError, Problem};

const BINDING: &str = "arm,armv8-timer";

/// Interrupts of the architected timers, private to each core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Secure EL1 physical timer.
    pub secure_physical: Option<Interrupt>,
    /// Non-secure EL1 physical timer (CNTP).
    pub physical: Interrupt,
    /// Virtual timer (CNTV).
    pub virtual_timer: Interrupt,
    /// EL2 physical timer (CNTHP).
    pub hypervisor: Interrupt,
    /// Counts in a second, for machines on which nobody sets CNTFRQ_EL0 (`clock-frequency`).
    pub frequency: Option<u32>,
}

/// The machine's timers.
pub(crate) fn timer(tree: Tree<'_>) -> Result<Timer, MachineError<'_>> {
    let Some(node) = tree.find(|node| node.is_compatible(BINDING) && node.is_available()) else {
        return Err(tree.root().error("", Problem::NoNode("timer with compatible = \"arm,armv8-timer\"")));
    };
    let all = interrupts(&node)?;
    let frequency = node.word("clock-frequency");
    if node.property("interrupt-names").is_some() {
        let named = |name| named_interrupt(&node, &all, name);
        let needed =
            |name, missing| named(name)?.ok_or_else(|| node.error("interrupt-names", Problem::NoNode(missing)));
        return Ok(Timer {
            secure_physical: named("sec-phys")?,
            physical: needed("phys", "\"phys\"")?,
            virtual_timer: needed("virt", "\"virt\"")?,
            hypervisor: needed("hyp-phys", "\"hyp-phys\"")?,
            frequency,
        });
    }
    // without names the binding fixes the order
    let at = |index: usize| {
        let too_few = Problem::TooFew { found: all.len(), needed: 4 };
        all.get(index).copied().ok_or_else(|| node.error("interrupts", too_few))
    };
    Ok(Timer { secure_physical: Some(at(0)?), physical: at(1)?, virtual_timer: at(2)?, hypervisor: at(3)?, frequency })
}
