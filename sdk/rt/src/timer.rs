//! Alarms, from the timer server.
//!
//! A component has a timer when it is a client of a channel called `timer`:
//!
//! ```toml
//! [pd.timer]
//! image = "sluice-timer"
//! priority = 220
//! timer = true
//!
//! [channel.timer]
//! server = "timer"
//! clients = ["driver"]
//! notify = true
//! ```

use sluice_manifest::timer::{CHANNEL, NEVER, SET};
use sluice_sys::{Endpoint, Message};

use crate::time::{self, ticks_per_second};
use crate::{Env, Missing, RtError, Signal};

/// The component's one alarm.
///
/// The signal says that an alarm has come, but not which: one that was raised before the alarm was moved or cancelled stays
/// until somebody takes it. A signal also comes when the server died, with the alarm. Who cares compares [`Timer::ticks`] with what it waits for, as the methods here do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    server: Endpoint,
    signal: Signal,
}

impl Timer {
    /// The timer of the component.
    ///
    /// # Errors
    /// When the spec gives it none.
    pub fn of(env: &Env) -> Result<Self, Missing> {
        Ok(Self { server: env.channel_client(CHANNEL)?, signal: env.signal(CHANNEL)? })
    }

    /// Raises the signal once the counter has reached `ticks`, at once when it has. Takes the place of the alarm before.
    ///
    /// # Errors
    /// When the server refuses, which the one of this project does not, or is gone for good.
    pub fn alarm_at(&self, ticks: u64) -> Result<(), RtError> {
        loop {
            match self.server.call(&Message::new(SET, [ticks])).label() {
                0 => return Ok(()),
                // What the server that died knew is forgotten: the next one is told the same.
                label if RtError::answered(CHANNEL, label).can_ask_again() => {}
                label => return Err(RtError::answered(CHANNEL, label)),
            }
        }
    }

    /// Sets no alarm, and takes the signal of one that has come; whether there was such a signal. None comes after this.
    ///
    /// # Errors
    /// As [`Timer::alarm_at`].
    pub fn cancel(&self) -> Result<bool, RtError> {
        self.alarm_at(NEVER)?;
        Ok(self.signal.poll())
    }

    /// The signal that alarms raise.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Ticks of the counter; [`ticks_per_second`] says how long one is.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        time::ticks()
    }

    /// Waits until the counter has reached `ticks`. Other signals that come meanwhile are kept, messages wait.
    ///
    /// # Errors
    /// As [`Timer::alarm_at`].
    pub fn sleep_until(&self, ticks: u64) -> Result<(), RtError> {
        // A signal that comes early is of an alarm before, or says that the server died: its next life has no alarm yet.
        while self.ticks() < ticks {
            self.alarm_at(ticks)?;
            self.signal.wait();
        }
        Ok(())
    }

    /// Waits for at least `milliseconds`.
    ///
    /// # Errors
    /// As [`Timer::alarm_at`].
    pub fn sleep(&self, milliseconds: u64) -> Result<(), RtError> {
        let more = u128::from(ticks_per_second()) * u128::from(milliseconds) / 1000;
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.sleep_until(self.ticks().saturating_add(more).min(NEVER - 1))
    }
}
