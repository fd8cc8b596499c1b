//! Global errors (IHI 0070, 6.3.19 and 7.5): noticed, kept until somebody asks, and acknowledged so that the next shows.

use super::Smmu;
use crate::regs::{GERROR, offset};
use crate::{Bus, Failure, GlobalErrors, Mode, Rejected};

impl Smmu {
    /// Looks for global errors. What was active is remembered for [`global_errors`](Self::global_errors) and acknowledged.
    ///
    /// Two ask for more. A record that could not be written (EVENTQ_ABT) is lost, and counted like an overflow. An SMMU in
    /// service failure mode (SFM) may have lost commands and translates no more: it is taken down.
    ///
    /// # Errors
    /// The SMMU failed and aborts everything, or is [`Failure::Uncontrollable`].
    pub fn service_errors(&self, bus: &impl Bus) -> Result<(), Failure> {
        let active = self.active_errors(bus) & !GERROR::CMDQ.val(1).value;
        if active == 0 {
            return Ok(());
        }
        self.latched.set(self.latched.get() | active);
        self.acknowledge_bits(bus, active);
        if GERROR::EVENTQ_ABT.is_set(active) {
            self.events.count_loss();
        }
        if GERROR::SFM.is_set(active) && self.mode() == Mode::Enabled {
            return Err(self.shut(bus, Failure::ServiceFailure));
        }
        Ok(())
    }

    /// The global errors active now or since they were last [acknowledged](Self::acknowledge), and the command stepped over
    /// that nobody took yet.
    pub fn global_errors(&self, bus: &impl Bus) -> GlobalErrors {
        GlobalErrors { active: self.active_errors(bus) | self.latched.get(), rejected: self.rejected.get() }
    }

    /// Acknowledges the global errors that were active in `seen`.
    ///
    /// Not the command queue's: acknowledging it restarts the queue, which is for whoever replaced the command.
    pub fn acknowledge(&self, bus: &impl Bus, seen: GlobalErrors) {
        let mask = seen.active & self.active_errors(bus) & !GERROR::CMDQ.val(1).value;
        self.latched.set(self.latched.get() & !seen.active);
        if mask != 0 {
            self.acknowledge_bits(bus, mask);
        }
    }

    /// Takes the last command that was rejected. The queue went on without it, and broader commands did its work.
    pub fn take_rejected(&self) -> Option<Rejected> {
        self.rejected.take()
    }

    /// How often records of events were lost since the last call; each time at least one was.
    pub fn take_losses(&self) -> u64 {
        self.events.take_losses()
    }

    fn active_errors(&self, bus: &impl Bus) -> u32 {
        self.read(bus, offset::GERROR) ^ self.read(bus, offset::GERRORN)
    }

    fn acknowledge_bits(&self, bus: &impl Bus, bits: u32) {
        let acknowledged = self.read(bus, offset::GERRORN) ^ bits;
        self.write(bus, offset::GERRORN, acknowledged);
    }
}
