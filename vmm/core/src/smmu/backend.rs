//! What the virtual SMMU asks of the world.

use sluice_abi::smmu::CdTable;

use crate::layout::intid;
use crate::memory::GuestMemory;

/// What a stream of the guest does before stage 2, which always translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage1 {
    /// Every transaction aborts, silently.
    Abort,
    /// Stage 2 alone translates: the device uses guest-physical addresses.
    Bypass,
    /// The guest's own context descriptors translate. `CB_AssignCDTable` takes the table as it is.
    Table(CdTable),
}

/// The interrupt lines of the SMMU, each an edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// A record was put into the event queue.
    Events,
    /// A CMD_SYNC that asks for it completed.
    Sync,
    /// A bit of GERROR became active.
    Errors,
}

impl Interrupt {
    /// Its number in the guest.
    #[must_use]
    pub const fn intid(self) -> u32 {
        match self {
            Self::Events => intid::SMMU_EVENTS,
            Self::Sync => intid::SMMU_SYNC,
            Self::Errors => intid::SMMU_ERRORS,
        }
    }
}

/// The guest's memory, and the real machine: one stream and one context (CB) for each stream of the guest, and the
/// frames that the guest reads registers from. Streams are named by their index in the list that
/// [`Smmu::new`](super::Smmu::new) was given.
///
/// Everything asked for is within what the kernel permits, so that a refusal is not the guest's doing. An
/// implementation that is refused must not let the guest go on: it counts on what it asked for.
pub trait Backend: GuestMemory {
    /// Has a stream do `stage1` from now on. On return nothing of what it did before is cached.
    ///
    /// `CB_AssignCDTable` is refused while there is a table, and a stream that is bound to a context without one
    /// reaches all memory of the guest. So one that goes from a table to another is unbound in between.
    fn set_stage1(&mut self, stream: usize, stage1: Stage1);

    /// Has the commands, 1 to 59, take effect on the context of a stream that has a table: one `CB_InvalidateStage1`,
    /// whose words they are.
    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]);

    /// Lets the guest read `value` from the register word `offset` bytes from the SMMU's first.
    fn publish(&mut self, offset: u64, value: u32);

    /// Sends an edge to the guest. What the guest reads when it takes the interrupt has been published before.
    fn interrupt(&mut self, interrupt: Interrupt);
}
