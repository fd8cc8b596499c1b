//! What the operator types, from the console server.
//!
//! A component that is a client of the channel `console` and has a signal from it (`notify = true`) can be typed to. The
//! operator chooses who, with Ctrl-] at the console.

use sluice_manifest::console::{CHANNEL, READ, READ_BYTES};
use sluice_sys::{Endpoint, Message};

use crate::{Env, Missing, RtError, Signal};

/// The component's end of the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    server: Endpoint,
    signal: Signal,
}

/// What was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Typed {
    /// How many bytes; when the buffer is full, there may be more.
    pub count: usize,
    /// How many bytes were lost since this was last asked.
    pub lost: u64,
    /// Whether the component has the terminal now.
    pub attached: bool,
}

impl Terminal {
    /// The terminal of the component.
    ///
    /// # Errors
    /// When the spec gives it no console, or none that signals.
    pub fn of(env: &Env) -> Result<Self, Missing> {
        Ok(Self { server: env.channel_client(CHANNEL)?, signal: env.signal(CHANNEL)? })
    }

    /// Raised when something was typed, and when the component gets or loses the terminal. Read until nothing is left.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Takes what was typed, without waiting.
    ///
    /// # Errors
    /// When the server refuses, which the one of this project does not.
    pub fn read(&self, into: &mut [u8]) -> Result<Typed, RtError> {
        let most = into.len().min(READ_BYTES);
        let answer = self.server.call(&Message::new(READ, [most as u64]));
        if answer.label() != 0 {
            return Err(RtError::answered(CHANNEL, answer.label()));
        }
        let bytes = answer.words().iter().skip(3).flat_map(|word| word.to_le_bytes());
        let count = usize::try_from(answer.word(0)).unwrap_or(most).min(most);
        into.iter_mut().zip(bytes.take(count)).for_each(|(place, byte)| *place = byte);
        Ok(Typed { count, lost: answer.word(1), attached: answer.word(2) != 0 })
    }
}
