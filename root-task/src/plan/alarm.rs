//! The root task as a client of the timer server, for the pauses between lives ([`crate::pace`]).

use sluice_abi::MAX_PRIORITY;
use sluice_manifest::{console, timer};
use sluice_spec::{Channel, Restart, System};

/// Its name as a client. No spec has it: a name there is one word.
pub(super) const CLIENT: &str = "root task";

/// The priority of the root task while the system runs: below the console server, so that a line of its own falls between the server's
/// lines, never inside one.
#[must_use]
pub fn own_priority(system: &System) -> u8 {
    let server = system.channels.iter().find(|channel| channel.name == console::CHANNEL);
    let server = server.and_then(|channel| system.components.get(channel.server as usize));
    server.map_or(MAX_PRIORITY, |server| server.priority.saturating_sub(1))
}

/// The channel of the server of alarms, when the system has one and components that live again.
///
/// The server is above the root task, and so waits for a request whenever the root task makes one. Another could miss the only one there
/// is, and nobody would make a second: a pause without end.
#[must_use]
pub fn channel(system: &System) -> Option<usize> {
    let lives = system.components.iter().any(|component| component.restart != Restart::Never);
    let own = own_priority(system);
    let serves = |channel: &Channel| {
        let server = system.components.get(channel.server as usize);
        channel.name == timer::CHANNEL
            && channel.notify
            && server.is_some_and(|server| server.timer.is_some() && server.priority > own)
    };
    system.channels.iter().position(serves).filter(|_| lives)
}

/// The badge of the root task's requests, behind those of the spec's clients.
#[must_use]
pub fn badge(channel: &Channel) -> u64 {
    channel.clients.len() as u64 + 1
}
