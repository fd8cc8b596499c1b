//! The root task as a client of the timer server, for the pauses between lives ([`crate::pace`]).

use sluice_manifest::timer;
use sluice_spec::{Channel, Restart, System};

/// Its name as a client. No spec has it: a name there is one word.
pub(super) const CLIENT: &str = "root task";

/// The channel of the server of alarms, when the system has one and components that live again.
#[must_use]
pub fn channel(system: &System) -> Option<usize> {
    let lives = system.components.iter().any(|component| component.restart != Restart::Never);
    let serves = |channel: &Channel| {
        let server = system.components.get(channel.server as usize);
        channel.name == timer::CHANNEL && channel.notify && server.is_some_and(|server| server.timer.is_some())
    };
    system.channels.iter().position(serves).filter(|_| lives)
}

/// The badge of the root task's requests, behind those of the spec's clients.
#[must_use]
pub fn badge(channel: &Channel) -> u64 {
    channel.clients.len() as u64 + 1
}
