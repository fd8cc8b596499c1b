//! What the timer server promises: no alarm early, lost, forgotten or somebody else's.
//!
//! Waits go to the signal itself, which only the server raises; a signal that does not come ends the run by its time.

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTP_CTL_EL0, CNTP_CVAL_EL0, Writeable};
use sluice_probe::Delays;
use sluice_rt::sys::yield_now;
use sluice_rt::time::ticks_per_second;
use sluice_rt::timer::Timer;
use sluice_rt::{Env, RtError, check, println};

/// Alarms of each run of many.
const MANY: usize = 40;

struct Lab<'a> {
    name: &'a str,
    timer: Timer,
    millisecond: u64,
}

/// All checks, one after the other; another client does the same meanwhile.
pub(crate) fn run(env: &Env) -> Result<(), RtError> {
    let lab = Lab { name: env.name(), timer: Timer::of(env)?, millisecond: ticks_per_second() / 1000 };
    lab.many()?;
    lab.due_when_set()?;
    lab.moved()?;
    lab.cancelled()?;
    lab.alone()?;
    lab.foreign_use_of_the_timer()?;
    lab.sleep()
}

impl Lab<'_> {
    fn now(&self) -> u64 {
        self.timer.ticks()
    }

    /// Whether the signal stays away until `until`.
    fn silent(&self, until: u64) -> bool {
        while self.now() < until {
            if self.timer.signal().poll() {
                return false;
            }
            yield_now();
        }
        true
    }

    fn many(&self) -> Result<(), RtError> {
        let (mut early, mut latest) = (0, 0);
        for delay in Delays::of(self.name, 10 * self.millisecond).take(MANY) {
            let at = self.now() + delay;
            self.timer.alarm_at(at)?;
            self.timer.signal().wait();
            match self.now().checked_sub(at) {
                Some(late) => latest = latest.max(late),
                None => early += 1,
            }
        }
        println!("the latest of {MANY} alarms came {} us after its time", latest * 1000 / self.millisecond);
        check!("alarms-never-early", early == 0, "{early} of {MANY} alarms came before their time");
        Ok(())
    }

    fn due_when_set(&self) -> Result<(), RtError> {
        let mut came = 0;
        let moments = [0, 1, self.now() / 2, self.now(), self.now()];
        for at in moments {
            self.timer.alarm_at(at)?;
            came += usize::from(self.timer.signal().poll());
        }
        check!("alarms-due-when-set", came == moments.len(), "{came} of {} were there with the answer", moments.len());
        Ok(())
    }

    fn moved(&self) -> Result<(), RtError> {
        let soon = self.now() + 5 * self.millisecond;
        self.timer.alarm_at(soon + 3_600_000 * self.millisecond)?;
        self.timer.alarm_at(soon)?;
        self.timer.signal().wait();
        check!("alarm-moved-ahead", self.now() >= soon, "an alarm in an hour, moved to 5 ms from now");
        let (from, to) = (self.now() + 5 * self.millisecond, self.now() + 60 * self.millisecond);
        self.timer.alarm_at(from)?;
        self.timer.alarm_at(to)?;
        let silent = self.silent(to);
        self.timer.signal().wait();
        check!("alarm-moved-back", silent && self.now() >= to, "an alarm in 5 ms, moved to 60 ms from now");
        Ok(())
    }

    fn cancelled(&self) -> Result<(), RtError> {
        let mut silent = 0;
        for delay in 1..=5 {
            self.timer.alarm_at(self.now() + delay * self.millisecond)?;
            self.timer.cancel()?;
            silent += u64::from(self.silent(self.now() + (delay + 5) * self.millisecond));
        }
        check!("alarm-cancelled", silent == 5, "{silent} of 5 cancelled alarms did not come");
        Ok(())
    }

    /// The other client has alarms all the time.
    fn alone(&self) -> Result<(), RtError> {
        self.timer.cancel()?;
        let silent = self.silent(self.now() + 50 * self.millisecond);
        check!("alarms-of-others-stay-away", silent, "50 ms without an alarm of one's own");
        Ok(())
    }

    /// Every thread can write the timer's registers.
    fn foreign_use_of_the_timer(&self) -> Result<(), RtError> {
        let at = self.now() + 50 * self.millisecond;
        self.timer.alarm_at(at)?;
        // An interrupt at once.
        CNTP_CVAL_EL0.set(0);
        barrier::isb(barrier::SY);
        let silent = self.silent(at);
        self.timer.signal().wait();
        check!("alarm-after-foreign-interrupt", silent && self.now() >= at, "the timer made to fire 50 ms early");
        let at = self.now() + 20 * self.millisecond;
        self.timer.alarm_at(at)?;
        CNTP_CTL_EL0.set(0);
        barrier::isb(barrier::SY);
        // Whoever asks next makes the server write its registers again.
        self.timer.alarm_at(at)?;
        self.timer.signal().wait();
        check!("alarm-after-foreign-stop", self.now() >= at, "the timer turned off, then asked again");
        Ok(())
    }

    /// While everybody sleeps, the machine does.
    fn sleep(&self) -> Result<(), RtError> {
        let start = self.now();
        self.timer.sleep(300)?;
        let slept = (self.now() - start) / self.millisecond;
        check!("idle-machine-wakes", slept >= 300, "slept for {slept} ms");
        Ok(())
    }
}
