//! What the clients of a server learn when it ends.
//!
//! A call under way has no answer any more, whether the server had taken it or not: the root task gives one, by way of the
//! caller's registers ([`crate::waiting`]). Nothing is asked of servers for that, and it costs a call nothing. When the server
//! stays stopped, its clients' capabilities give way to ones to the supervisor, who says so from then on. A client that has
//! signals from the server gets one in either case: what it waits for may never come, and it can ask again.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_abi::{CapRights, MAX_PRIORITY, bootinfo};
use sluice_manifest::supervisor::ServerEnd;

use super::running::Running;
use crate::Stop;
use crate::kernel::{Invocation, Kernel};
use crate::plan::{Grant, Signals};
use crate::waiting;

/// The calling side of a channel, at one of its clients.
#[derive(Clone, Copy)]
struct End {
    channel: usize,
    client: usize,
    /// Slot in the client's CNode.
    slot: u64,
    badge: u64,
    /// Badge of the signal that the server raises at the client.
    signal: Option<u64>,
}

impl<K: Kernel> Running<'_, K> {
    /// Tells the clients of a component that serves no more. A refusal is said, and the rest is done.
    pub(super) fn end_service(&mut self, index: usize, end: ServerEnd) {
        let served = self.system.channels.iter().map(|channel| channel.server as usize == index);
        for (gone, served) in self.lasting.ends.gone.iter_mut().zip(served) {
            *gone |= served && end == ServerEnd::Gone;
        }
        let clients = self.clients(index);
        if clients.is_empty() {
            return;
        }
        // No client runs meanwhile, whatever its priority: between two steps it would have no capability to call with.
        self.run_at(MAX_PRIORITY);
        let mut told = Vec::new();
        for client in clients {
            match self.end_for(client, end) {
                Ok(true) => told.extend(self.name(client.client)),
                Ok(false) => {}
                Err(stop) => self.builder.kernel.line(&stop.to_string()),
            }
        }
        self.run_at(self.priority);
        if let Some(name) = self.name(index).filter(|_| !told.is_empty()) {
            self.builder.kernel.line(&format!("{name} leaves calls without answer: {} told", told.join(", ")));
        }
    }

    fn run_at(&mut self, priority: u8) {
        let set = Invocation::SetOwnPriority { thread: bootinfo::slot::INIT_TCB, priority };
        if let Err(stop) = self.builder.invoke("root", set) {
            self.builder.kernel.line(&stop.to_string());
        }
    }

    pub(super) fn name(&self, index: usize) -> Option<String> {
        self.system.components.get(index).map(|component| component.name.clone())
    }

    /// The calling sides of the channels that a component serves.
    fn clients(&self, server: usize) -> Vec<End> {
        let mut ends = Vec::new();
        for (channel, described) in self.system.channels.iter().enumerate() {
            if described.server as usize != server {
                continue;
            }
            for client in described.clients.iter().map(|client| *client as usize) {
                let grants = self.lasting.plans.get(client).map_or(&[][..], |plan| plan.grants.as_slice());
                let granted = grants.iter().find_map(|(slot, grant)| {
                    let Grant::Client { channel: of, badge } = grant else { return None };
                    (*of == channel).then_some((*slot, *badge))
                });
                let signals = Signals::of_channels(&self.system, client).ok().filter(|_| described.notify);
                let signal = signals.and_then(|mut signals| signals.badge(&described.name).ok());
                ends.extend(granted.map(|(slot, badge)| End { channel, client, slot, badge, signal }));
            }
        }
        ends
    }

    /// Does what there is to do for a client; whether it was in a call.
    fn end_for(&mut self, at: End, end: ServerEnd) -> Result<bool, Stop> {
        let (Some(component), Some(built), Some(image)) = (
            self.system.components.get(at.client),
            self.lasting.built.get(at.client),
            self.lasting.images.get(at.client),
        ) else {
            return Ok(false);
        };
        let (who, builder, ends) = (component.name.as_str(), &mut self.builder, &self.lasting.ends);
        // One that has been taken back waits for nothing, and is given what there is when it is built again.
        let Ok(context) = builder.kernel.registers(built.thread) else { return Ok(false) };
        let (transit, to) = (builder.transit(), built.slot(at.slot));
        if end == ServerEnd::Gone
            && let Some(endpoint) = ends.channels.get(at.channel)
            && let Some(instead) = ends.client(at.channel, at.badge, to)
        {
            builder.invoke(who, Invocation::Delete { slot: to })?;
            builder.invoke(who, instead)?;
            // Threads that the component made itself, and that were not heard yet, call again, which the supervisor answers.
            let (from, rights) = (*endpoint, CapRights::all());
            builder.invoke(who, Invocation::Mint { from, to: transit, rights, badge: at.badge })?;
            builder.invoke(who, Invocation::CancelSends { slot: transit })?;
            builder.invoke(who, Invocation::Delete { slot: transit })?;
        }
        let registers = waiting::answer(&context, at.slot, |at| image.instruction(at), end);
        if let Some(registers) = registers {
            builder.invoke(who, Invocation::Answer { thread: built.thread, registers })?;
        }
        if let Some((badge, from)) = at.signal.zip(ends.notifications.get(at.client).copied()) {
            builder.invoke(who, Invocation::Mint { from, to: transit, rights: CapRights::WRITE, badge })?;
            builder.invoke(who, Invocation::Signal { notification: transit.index })?;
            builder.invoke(who, Invocation::Delete { slot: transit })?;
        }
        Ok(registers.is_some())
    }
}
