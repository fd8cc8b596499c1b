//! The device is the one of the node, and its interrupt is the node's: a level, taken while the device holds it.

use sluice_rt::sys::yield_now;
use sluice_rt::time::{Deadline, ticks, ticks_per_second};
use sluice_rt::{Env, Interrupt, Registers, RtError, check};
use sluice_rtc::pl031::{ALARM, CR, CR_START, DR, ICR, ID, IMSC, Identity, MIS, MR, RIS};
use sluice_rtc::{Reading, reached};

/// How far ahead alarms are. One more than the next second: that may begin before it is written.
const AHEAD_SECONDS: u32 = 2;
/// How long something has to stay away.
const QUIET_MS: u64 = 200;
/// How long something that has to come is waited for.
const PATIENCE_MS: u64 = 5_000;

struct Clock {
    registers: Registers,
    interrupt: Interrupt,
}

/// The component's main function.
pub(crate) fn run(env: &Env) {
    if let Err(error) = exercise(env) {
        check!("device", false, "{error}");
    }
}

fn exercise(env: &Env) -> Result<(), RtError> {
    let device = env.device("rtc")?;
    let clock = Clock { registers: device.registers(0)?, interrupt: device.interrupt()? };
    let identity = Identity::of(ID.map(|register| clock.registers.read32(register)));
    if !check!("identified", identity.is_pl031(), "{identity}") {
        return Ok(());
    }
    clock.runs();
    if !clock.masked_alarm()? {
        return Ok(());
    }
    clock.alarm("alarm-interrupts")?;
    clock.alarm("next-alarm-interrupts")?;
    clock.registers.write32(IMSC, 0);
    Ok(())
}

impl Clock {
    fn seconds(&self) -> u32 {
        self.registers.read32(DR)
    }

    fn reading(&self) -> Reading {
        let before = ticks();
        let seconds = self.seconds();
        Reading { before, seconds, after: ticks() }
    }

    fn runs(&self) {
        self.registers.write32(CR, CR_START);
        let first = self.reading();
        let end = Deadline::in_milliseconds(2000);
        while !end.passed() {
            yield_now();
        }
        let later = self.reading();
        let (from, to) = (first.seconds, later.seconds);
        let agrees = first.agrees_with(&later, ticks_per_second());
        let milliseconds = (later.before - first.after) / (ticks_per_second() / 1000);
        check!("clock-runs", agrees, "from second {from} to {to} in {milliseconds} ms of the counter");
    }

    /// An alarm that the device does not let out, and then does: the line is a level. Whether the next can be waited for.
    fn masked_alarm(&self) -> Result<bool, RtError> {
        self.registers.write32(IMSC, 0);
        self.clear();
        let at = self.arm();
        let raised = self.raised(at);
        let (silent, line) = (self.is_quiet(), self.line());
        check!("masked-alarm-is-silent", raised && silent && !line, "raised: {raised}; line: {line}; silent: {silent}");

        self.registers.write32(IMSC, ALARM);
        let (came, line) = (self.comes(), self.line());
        check!("unmasked-alarm-interrupts", came && line, "came: {came}; line: {line}");
        let silent = self.is_quiet();
        check!("interrupt-waits-for-ack", silent && self.line(), "{QUIET_MS} ms with the line up");
        self.interrupt.ack()?;
        let came = self.comes();
        let again = check!("level-interrupts-again", came && self.line(), "acknowledged, and not cleared");

        self.clear();
        self.interrupt.ack()?;
        let (silent, line) = (self.is_quiet(), self.line());
        check!("cleared-alarm-is-silent", silent && !line, "line: {line}; silent: {silent}");
        Ok(again)
    }

    /// An alarm that is slept for; one that does not come ends the run by its time.
    fn alarm(&self, name: &str) -> Result<(), RtError> {
        let start = ticks();
        let at = self.arm();
        self.interrupt.wait();
        let (now, line) = (self.seconds(), self.line());
        let milliseconds = (ticks() - start) / (ticks_per_second() / 1000);
        check!(name, reached(now, at) && line, "set for {at}, came at {now} after {milliseconds} ms; line: {line}");
        self.clear();
        self.interrupt.ack()
    }

    /// Sets the alarm, and says for when.
    fn arm(&self) -> u32 {
        let at = self.seconds().wrapping_add(AHEAD_SECONDS);
        self.registers.write32(MR, at);
        at
    }

    /// Waits for the alarm in the device itself; whether it came at its time.
    fn raised(&self, at: u32) -> bool {
        let patience = Deadline::in_milliseconds(PATIENCE_MS);
        while self.registers.read32(RIS) & ALARM == 0 {
            if patience.passed() {
                return false;
            }
            yield_now();
        }
        reached(self.seconds(), at)
    }

    fn line(&self) -> bool {
        self.registers.read32(MIS) & ALARM != 0
    }

    fn clear(&self) {
        self.registers.write32(ICR, ALARM);
    }

    /// Whether the interrupt comes.
    fn comes(&self) -> bool {
        self.signalled_within(PATIENCE_MS)
    }

    /// Whether it stays away.
    fn is_quiet(&self) -> bool {
        !self.signalled_within(QUIET_MS)
    }

    fn signalled_within(&self, milliseconds: u64) -> bool {
        let end = Deadline::in_milliseconds(milliseconds);
        loop {
            // Asked once more after the end: the thread may have been kept from looking until then.
            let over = end.passed();
            if self.interrupt.poll() {
                return true;
            }
            if over {
                return false;
            }
            yield_now();
        }
    }
}
