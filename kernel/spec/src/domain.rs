//! Scheduling domains: there is one, every thread is in it, and its time never ends. The schedule is checked, and says
//! nothing.

use sluice_abi::{DOMAIN_SCHEDULE_LENGTH, MAX_DOMAIN_TICKS, NUM_DOMAINS};

use crate::step::Stepped;
use crate::{Cap, Refused, Slot, State};

/// Where the schedule starts: at the only entry that does not end it.
const START: u64 = 0;

impl State {
    fn invoked_domains(&self, control: Slot) -> Result<(), Refused> {
        if self.invoked(control)? == Cap::Domain { Ok(()) } else { Err(Refused::IllegalOperation) }
    }

    pub(crate) fn set_domain(&self, control: Slot, thread: Slot, domain: u64) -> Stepped {
        self.invoked_domains(control)?;
        if domain >= NUM_DOMAINS {
            return Err(Refused::InvalidArgument(0));
        }
        match self.cap(thread) {
            Some(Cap::Thread(_)) => Ok(self.changed(|_| {})),
            _ => Err(Refused::InvalidArgument(1)),
        }
    }

    pub(crate) fn configure_domains(&self, control: Slot, index: u64, domain: u64, ticks: u64) -> Stepped {
        self.invoked_domains(control)?;
        let last = DOMAIN_SCHEDULE_LENGTH as u64 - 2;
        if index > last {
            return Err(Refused::Range { min: 0, max: last });
        }
        if domain >= NUM_DOMAINS {
            return Err(Refused::Range { min: 0, max: NUM_DOMAINS - 1 });
        }
        if ticks > MAX_DOMAIN_TICKS || ticks == 0 && index == START {
            return Err(Refused::InvalidArgument(2));
        }
        Ok(self.changed(|_| {}))
    }

    pub(crate) fn start_domains(&self, control: Slot, index: u64) -> Stepped {
        self.invoked_domains(control)?;
        let last = DOMAIN_SCHEDULE_LENGTH as u64 - 1;
        if index > last {
            return Err(Refused::Range { min: 0, max: last });
        }
        if index == START { Ok(self.changed(|_| {})) } else { Err(Refused::InvalidArgument(0)) }
    }
}

// With more domains, or a longer schedule, who runs depends on it.
const _: () = assert!(NUM_DOMAINS == 1 && DOMAIN_SCHEDULE_LENGTH == 2);
