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
use sluice_sys::Slot;

use super::builder::Builder;
use super::grants::Ends;
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
            if self.end_for(client, end) {
                told.extend(self.name(client.client));
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

    /// Does what there is to do for a client; whether it was in a call. What is refused is said: the client must not miss the rest.
    fn end_for(&mut self, at: End, end: ServerEnd) -> bool {
        let (Some(component), Some(built), Some(image)) = (
            self.system.components.get(at.client),
            self.lasting.built.get(at.client),
            self.lasting.images.get(at.client),
        ) else {
            return false;
        };
        let (who, builder, ends) = (component.name.as_str(), &mut self.builder, &self.lasting.ends);
        // One that has been taken back waits for nothing, and is given what there is when it is built again.
        let Ok(context) = builder.kernel.registers(built.thread) else { return false };
        let registers = waiting::answer(&context, at.slot, |at| image.instruction(at), end);
        let answered = registers
            .map_or(Ok(()), |registers| builder.invoke(who, Invocation::Answer { thread: built.thread, registers }));
        let exchanged = match end {
            ServerEnd::Gone => exchange(builder, who, ends, at, built.slot(at.slot)),
            ServerEnd::Died => Ok(()),
        };
        let notification = ends.notifications.get(at.client).copied();
        let signalled = at.signal.zip(notification).map_or(Ok(()), |(badge, from)| signal(builder, who, from, badge));
        let told = registers.is_some() && answered.is_ok();
        for stop in [answered, exchanged, signalled].into_iter().filter_map(Result::err) {
            builder.kernel.line(&stop.to_string());
        }
        told
    }
}

/// Gives a client the supervisor in place of a server that is gone.
fn exchange<K: Kernel>(builder: &mut Builder<K>, who: &str, ends: &Ends, at: End, to: Slot) -> Result<(), Stop> {
    let (Some(from), Some(instead)) = (ends.channels.get(at.channel).copied(), ends.client(at.channel, at.badge, to))
    else {
        return Ok(());
    };
    builder.invoke(who, Invocation::Delete { slot: to })?;
    builder.invoke(who, instead)?;
    // Threads that the component made itself, and that were not heard yet, call again, which the supervisor answers.
    let (rights, badge) = (CapRights::all(), at.badge);
    in_transit(builder, who, |to| Invocation::Mint { from, to, rights, badge }, |slot| Invocation::CancelSends { slot })
}

fn signal<K: Kernel>(builder: &mut Builder<K>, who: &str, from: u64, badge: u64) -> Result<(), Stop> {
    let mint = |to| Invocation::Mint { from, to, rights: CapRights::WRITE, badge };
    in_transit(builder, who, mint, |slot| Invocation::Signal { notification: slot.index })
}

/// Makes a capability, does something with it, and deletes it again whatever came of that.
fn in_transit<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    make: impl FnOnce(Slot) -> Invocation,
    act: impl FnOnce(Slot) -> Invocation,
) -> Result<(), Stop> {
    let slot = builder.transit();
    // Work that was broken off may have left one there.
    builder.invoke(who, Invocation::Delete { slot })?;
    builder.invoke(who, make(slot))?;
    let done = builder.invoke(who, act(slot));
    builder.invoke(who, Invocation::Delete { slot })?;
    done
}
