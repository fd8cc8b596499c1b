//! Writes that the SMMU acknowledges, and the way down to abort.

use super::{Mode, Smmu};
use crate::command_queue::MAX_POLLS;
use crate::regs::{CR0, GBPA, offset};
use crate::{Bus, Failure};

impl Smmu {
    /// Takes the SMMU down to abort: no stream reaches anything until it is enabled again.
    ///
    /// # Errors
    /// [`Failure::Uncontrollable`] when the SMMU does not confirm; the caller must not go on handing out memory.
    pub fn disable(&self, bus: &impl Bus) -> Result<(), Failure> {
        let before = self.mode.replace(Mode::Aborting);
        // GBPA first: it decides what happens from the moment SMMUEN is 0.
        self.set_gbpa_abort(bus, true).map_err(|_| Failure::Uncontrollable)?;
        self.write(bus, offset::CR0, 0);
        // CMDQEN is not waited for: a stuck queue is a reason to be here, and SMMUEN alone stops translation.
        self.wait(bus, offset::CR0ACK, CR0::SMMUEN.val(1).value, 0).map_err(|_| Failure::Uncontrollable)?;
        if before == Mode::Enabled {
            self.events.abandon(bus);
        }
        Ok(())
    }

    /// The failure rule: an SMMU that does not do as told is taken down, and `cause` is what is reported.
    pub(super) fn shut(&self, bus: &impl Bus, cause: Failure) -> Failure {
        match self.disable(bus) {
            Ok(()) => cause,
            Err(worse) => worse,
        }
    }

    /// Writes GBPA.ABORT by the update procedure (6.3.14.1); the attributes beside it stay as they are.
    pub(super) fn set_gbpa_abort(&self, bus: &impl Bus, abort: bool) -> Result<(), Failure> {
        let update = GBPA::UPDATE.val(1).value;
        self.wait(bus, offset::GBPA, update, 0)?;
        let value = GBPA::ABORT.val(u32::from(abort)).modify(self.read(bus, offset::GBPA));
        self.write(bus, offset::GBPA, value | update);
        self.wait(bus, offset::GBPA, update, 0)?;
        let expected = GBPA::ABORT.val(u32::from(abort));
        self.wait(bus, offset::GBPA, expected.mask(), expected.value)
    }

    /// Writes a control register and waits until its acknowledge register says the same (6.3.10, 6.3.18).
    pub(super) fn write_acknowledged(&self, bus: &impl Bus, register: u64, value: u32) -> Result<(), Failure> {
        self.write(bus, register, value);
        self.wait(bus, register + 4, u32::MAX, value)
    }

    fn wait(&self, bus: &impl Bus, register: u64, mask: u32, value: u32) -> Result<(), Failure> {
        for _ in 0..MAX_POLLS {
            if self.read(bus, register) & mask == value {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        Err(Failure::NoAcknowledge(register))
    }
}
