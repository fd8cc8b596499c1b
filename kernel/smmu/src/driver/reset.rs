//! From whatever firmware left to a stream table that decides, aborting all the way.

use sluice_abi::smmu::STREAM_TABLE_SPLIT;

use super::{Mode, Smmu};
use crate::command_queue::Stop;
use crate::regs::{
    CR0, CR1, CR2, IRQ_CTRL, MEMORY_CACHED, MEMORY_INNER_SHAREABLE, MEMORY_OUTER_SHAREABLE, QUEUE_BASE, STRTAB_BASE,
    STRTAB_BASE_CFG, offset,
};
use crate::ste::STE_BYTES;
use crate::{Bus, Command, Failure, Ste, StreamTableFormat};

impl Smmu {
    /// Brings the SMMU up (IHI 0070, 6.3.9 and 3.11). Streams abort before, during and after, but for those whose
    /// entries were written while it was down.
    ///
    /// # Errors
    /// The SMMU is aborting, unless the failure is [`Failure::Uncontrollable`].
    pub fn enable(&self, bus: &impl Bus) -> Result<(), Failure> {
        self.disable(bus)?;
        self.bring_up(bus).map_err(|cause| self.shut(bus, cause))
    }

    /// Leaves the SMMU out of the way: every stream reaches all memory. Tables are still maintained in memory, and no
    /// command is issued from here on.
    ///
    /// # Errors
    /// A register did not acknowledge.
    pub fn leave_bypassed(&self, bus: &impl Bus) -> Result<(), Failure> {
        self.disable(bus)?;
        self.prepare_stream_table(bus);
        self.set_gbpa_abort(bus, false)?;
        self.mode.set(Mode::Bypassed);
        Ok(())
    }

    fn bring_up(&self, bus: &impl Bus) -> Result<(), Failure> {
        // Both queues off: their registers may be written only then (6.3.26, 6.3.29).
        self.write_acknowledged(bus, offset::CR0, 0)?;
        self.write_acknowledged(bus, offset::IRQ_CTRL, 0)?;
        self.prepare_stream_table(bus);
        self.write_configuration(bus);

        let commands = CR0::CMDQEN.val(1);
        self.write_acknowledged(bus, offset::CR0, commands.value)?;
        self.forget_everything(bus)?;

        let queues = commands + CR0::EVENTQEN.val(1);
        self.write_acknowledged(bus, offset::CR0, queues.value)?;
        let interrupts = IRQ_CTRL::GERROR.val(1) + IRQ_CTRL::EVENTQ.val(1);
        self.write_acknowledged(bus, offset::IRQ_CTRL, interrupts.value)?;
        self.write_acknowledged(bus, offset::CR0, (queues + CR0::SMMUEN.val(1)).value)?;
        self.mode.set(Mode::Enabled);
        Ok(())
    }

    fn write_configuration(&self, bus: &impl Bus) {
        let (cache, share) =
            if self.features.coherent { (MEMORY_CACHED, MEMORY_INNER_SHAREABLE) } else { (0, MEMORY_OUTER_SHAREABLE) };
        let cr1 = CR1::TABLE_IC.val(cache)
            + CR1::TABLE_OC.val(cache)
            + CR1::TABLE_SH.val(share)
            + CR1::QUEUE_IC.val(cache)
            + CR1::QUEUE_OC.val(cache)
            + CR1::QUEUE_SH.val(share);
        self.write(bus, offset::CR1, cr1.value);
        self.write(bus, offset::CR2, (CR2::PTM.val(1) + CR2::RECINVSID.val(1)).value);

        let table = STRTAB_BASE::ADDR.val(self.strtab.0 >> STRTAB_BASE::ADDR.shift) + STRTAB_BASE::RA.val(1);
        bus.write64(self.base.offset(offset::STRTAB_BASE), table.value);
        let format = match self.needs.format {
            StreamTableFormat::Linear => STRTAB_BASE_CFG::FMT::Linear,
            StreamTableFormat::TwoLevel => {
                STRTAB_BASE_CFG::FMT::TwoLevel + STRTAB_BASE_CFG::SPLIT.val(STREAM_TABLE_SPLIT)
            }
        };
        let size = STRTAB_BASE_CFG::LOG2SIZE.val(self.needs.stream_bits);
        self.write(bus, offset::STRTAB_BASE_CFG, (format + size).value);

        let queue = |at: sluice_abi::PhysAddr, bits: u32| {
            QUEUE_BASE::ADDR.val(at.0 >> QUEUE_BASE::ADDR.shift)
                + QUEUE_BASE::LOG2SIZE.val(u64::from(bits))
                + QUEUE_BASE::ALLOCATE.val(1)
        };
        let commands = queue(self.memory.cmdq, self.needs.command_bits);
        bus.write64(self.base.offset(offset::CMDQ_BASE), commands.value);
        self.commands.reset(bus);
        let events = queue(self.memory.evtq, self.needs.event_bits);
        bus.write64(self.base.offset(offset::EVENTQ_BASE), events.value);
        self.events.reset(bus);

        // Errors of earlier owners are not ours; a stale command error would keep the queue from starting.
        let gerror = self.read(bus, offset::GERROR);
        self.write(bus, offset::GERRORN, gerror);
        // Wired interrupts: address 0 sends no message (6.3.21).
        bus.write64(self.base.offset(offset::GERROR_IRQ_CFG0), 0);
        bus.write64(self.base.offset(offset::EVENTQ_IRQ_CFG0), 0);
    }

    fn forget_everything(&self, bus: &impl Bus) -> Result<(), Failure> {
        for command in [Command::CfgiAll, Command::TlbiNsnhAll, Command::Sync] {
            self.commands.push(bus, command);
            // One at a time: the smallest queue holds two.
            self.commands.drain(bus).map_err(|stop| match stop {
                Stop::Timeout => Failure::SyncTimeout,
                Stop::Rejected(rejected) => Failure::Rejected(rejected),
            })?;
        }
        Ok(())
    }

    /// Fills the stream table once: no second-level table, or entries that abort. A disable keeps it.
    fn prepare_stream_table(&self, bus: &impl Bus) {
        if self.prepared.replace(true) {
            return;
        }
        let abort = Ste::abort().words();
        for (word, offset) in (0..self.needs.strtab_bytes).step_by(8).enumerate() {
            let value = match self.needs.format {
                StreamTableFormat::Linear => abort[word % abort.len()],
                StreamTableFormat::TwoLevel => 0,
            };
            bus.store(self.strtab.offset(offset), value);
        }
        debug_assert!(self.needs.strtab_bytes.is_multiple_of(STE_BYTES));
        self.clean(bus, self.strtab, self.needs.strtab_bytes);
        bus.barrier();
    }
}
