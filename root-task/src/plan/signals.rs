//! Badge bits of a component's notification.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_spec::System;

use super::PlanError;

/// First badge bit of a signal. Badges of a channel's clients count from 1 and stay below, so that a server can tell
/// a signal from a message by the badge alone.
const FIRST_BIT: u32 = 32;

/// Name of the signal that the physical timer raises. No spec has it: a name there is one word.
pub(super) const PHYSICAL_TIMER: &str = "physical timer";

/// The signals of one component, one bit each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signals {
    names: Vec<String>,
}

impl Signals {
    /// The signals that servers of `system` raise for the component at position `index`. They are its first, so that
    /// a server's plan and its client's agree on the badges.
    ///
    /// # Errors
    /// [`PlanError::Signals`] when there are more than bits.
    pub fn of_channels(system: &System, index: usize) -> Result<Self, PlanError> {
        let mut signals = Self::default();
        for channel in system.channels.iter().filter(|channel| channel.notify) {
            if channel.clients.iter().any(|client| *client as usize == index) {
                signals.badge(&channel.name)?;
            }
        }
        Ok(signals)
    }

    /// The badge of the signal with this name, which is new or shared with an earlier source.
    ///
    /// # Errors
    /// [`PlanError::Signals`] when all bits are taken.
    pub fn badge(&mut self, name: &str) -> Result<u64, PlanError> {
        let known = self.names.iter().position(|known| known == name);
        let index = known.unwrap_or(self.names.len());
        if index as u32 >= u64::BITS - FIRST_BIT {
            return Err(PlanError::Signals);
        }
        if known.is_none() {
            self.names.push(name.to_string());
        }
        Ok(1 << (FIRST_BIT + index as u32))
    }

    /// Each signal's name and badge.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().enumerate().map(|(index, name)| (name.as_str(), 1 << (FIRST_BIT + index as u32)))
    }
}
