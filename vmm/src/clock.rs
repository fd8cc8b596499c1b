//! Has the VMM woken up when the timer of a processor that waits fires: the kernel has switched that off meanwhile.

use sluice_abi::vcpu::VcpuRegister;
use sluice_rt::timer::Timer;
use sluice_rt::{Env, RtError, time};
use sluice_vmm::alarm::{Alarm, Wait};
use sluice_vmm::processor::Processor;
use sluice_vmm::timer::VirtualTimer;

use crate::guest::Cpu;

/// The alarm, with the server that it comes from.
pub(crate) struct Clock {
    server: Option<Timer>,
    alarm: Alarm,
}

impl Clock {
    pub(crate) fn of(env: &Env) -> Self {
        Self { server: Timer::of(env).ok(), alarm: Alarm::new() }
    }

    /// Bits of the alarm's signal; none without a server.
    pub(crate) fn bits(&self) -> u64 {
        self.server.map_or(0, |server| server.signal().bits())
    }

    /// No processor waits any more.
    pub(crate) fn reset(&mut self) {
        self.alarm = Alarm::new();
    }

    /// A processor waits. Whether it may: its timer will wake the VMM up in time, or never fires.
    pub(crate) fn wait(&mut self, processor: Processor, cpu: Cpu) -> Result<bool, RtError> {
        let read = |register| cpu.vcpu.read_register(register).map_err(RtError::refused("read a processor's timer"));
        // The VMM gives no processor an offset.
        let timer =
            VirtualTimer { control: read(VcpuRegister::CntvCtl)?, compare: read(VcpuRegister::CntvCval)?, offset: 0 };
        let now = time::ticks();
        let Some(server) = self.server else {
            // Without anybody to wake the VMM up, the processor has to look itself.
            return Ok(timer.remaining(now).is_none());
        };
        match self.alarm.wait(processor, timer, now) {
            Wait::Not => return Ok(false),
            Wait::Quietly => {}
            Wait::Until(due) => server.alarm_at(due)?,
        }
        Ok(true)
    }

    /// A processor goes on.
    pub(crate) fn wakes(&mut self, processor: Processor) {
        self.alarm.wakes(processor);
    }

    /// The alarm came, and whoever was due goes on.
    pub(crate) fn came(&mut self) -> Result<(), RtError> {
        match self.server.zip(self.alarm.came(time::ticks())) {
            Some((server, due)) => server.alarm_at(due),
            None => Ok(()),
        }
    }

    /// Whether the timer of a processor that waits has fired.
    pub(crate) fn is_due(&self, processor: Processor) -> bool {
        self.alarm.is_due(processor, time::ticks())
    }
}
