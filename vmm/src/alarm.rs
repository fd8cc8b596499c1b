//! Processors that wait for their timer: the kernel has switched it off while they do not run, so the VMM has itself woken.

use sluice_abi::vcpu::VcpuRegister;
use sluice_rt::timer::Timer;
use sluice_rt::{Env, RtError, time};
use sluice_vmm::layout::MAX_PROCESSORS;
use sluice_vmm::processor::Processor;
use sluice_vmm::timer::VirtualTimer;

use crate::guest::Cpu;

/// The VMM's one alarm, and what it is for.
pub(crate) struct Alarm {
    timer: Option<Timer>,
    /// When it comes; the end of time when none is set.
    set: u64,
    /// When each waiting processor's timer fires.
    due: [u64; MAX_PROCESSORS],
}

const NEVER: u64 = u64::MAX;

impl Alarm {
    pub(crate) fn of(env: &Env) -> Self {
        Self { timer: Timer::of(env).ok(), set: NEVER, due: [NEVER; MAX_PROCESSORS] }
    }

    /// Bits of the alarm's signal; none without a timer.
    pub(crate) fn bits(&self) -> u64 {
        self.timer.map_or(0, |timer| timer.signal().bits())
    }

    /// A processor waits. Whether its timer will wake the VMM up in time, or never; it must not wait otherwise.
    pub(crate) fn wait(&mut self, processor: Processor, cpu: Cpu) -> Result<bool, RtError> {
        let read = |register| cpu.vcpu.read_register(register).map_err(RtError::refused("read a processor's timer"));
        // The VMM gives no processor an offset.
        let timer =
            VirtualTimer { control: read(VcpuRegister::CntvCtl)?, compare: read(VcpuRegister::CntvCval)?, offset: 0 };
        let now = time::ticks();
        match timer.remaining(now) {
            None => Ok(true),
            Some(0) => Ok(false),
            Some(ticks) => {
                // Without anybody to wake the VMM up, the processor has to look itself.
                let Some(alarm) = self.timer else { return Ok(false) };
                let due = now.saturating_add(ticks);
                self.due[processor.index()] = due;
                // One that comes too early is no harm: it is set again then.
                if due < self.set {
                    alarm.alarm_at(due)?;
                    self.set = due;
                }
                Ok(true)
            }
        }
    }

    /// A processor goes on.
    pub(crate) fn wakes(&mut self, processor: Processor) {
        self.due[processor.index()] = NEVER;
    }

    /// The alarm came: sets the next one, if there is to be one.
    pub(crate) fn came(&mut self) -> Result<(), RtError> {
        self.set = NEVER;
        let now = time::ticks();
        let next = self.due.iter().copied().filter(|due| *due > now).min().unwrap_or(NEVER);
        if let Some(alarm) = self.timer.filter(|_| next != NEVER) {
            alarm.alarm_at(next)?;
            self.set = next;
        }
        Ok(())
    }

    /// Whether a processor's timer has fired by now.
    pub(crate) fn is_due(&self, processor: Processor) -> bool {
        let due = self.due[processor.index()];
        due != NEVER && due <= time::ticks()
    }
}
