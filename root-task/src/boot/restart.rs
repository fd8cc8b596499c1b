//! The end of a component, and its next life.
//!
//! The order is the point again. The component runs no more; its functions master nothing; its streams abort, and the
//! kernel has waited for what they had begun; its functions are reset; only then is its memory taken back. What it was
//! made of is one set of Untypeds, so revoking these leaves nothing of it: the kernel clears memory when it makes the
//! next objects of it. What others have of it stays: endpoints, its notification, regions that it shared. Those who wait for
//! an answer of it are told once it can answer no more.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_manifest::supervisor::ServerEnd;

use super::builder::Builder;
use super::ecam::Ecam;
use super::regions::forget_own;
use super::running::Running;
use crate::kernel::{Invocation, Kernel};
use crate::pci::{follow_mastering, quiesce, reset};
use crate::plan::Grant;
use crate::supervisor::Fate;

impl<K: Kernel> Running<'_, K> {
    /// Ends a component that cannot go on, and starts it again when that is its fate. One that is away has ended already.
    pub fn end(&mut self, index: usize, fate: Fate) {
        if self.is_away(index) {
            return;
        }
        let start = self.kernel().now();
        let died = self.lasting.spent.lived(start);
        let name = self.name(index).unwrap_or_default();
        if let Some(line) = self.backtrace(index) {
            self.kernel().line(&line);
        }
        if let Err(stop) = self.told(|audit, builder, places| audit.of_guest(builder, places, index, "over")) {
            self.kernel().line(&stop.to_string());
        }
        let mut outcome = self.take_back(index);
        let taken = self.kernel().now();
        self.lasting.spent.add(start, taken);
        if outcome.is_ok() && fate == Fate::Again {
            self.end_service(index, ServerEnd::Died);
            outcome = self.again(index, &name, died);
        }
        match (outcome, fate) {
            (Ok(()), Fate::Again) => {}
            (Ok(()), Fate::Over) => self.end_service(index, ServerEnd::Gone),
            (Err(reason), Fate::Again) => self.stays_stopped(index, &reason),
            (Err(reason), Fate::Over) => {
                self.end_service(index, ServerEnd::Gone);
                self.kernel().line(&format!("{name} stays stopped: {reason}"));
            }
        }
    }

    /// A component that was to live again does not.
    pub(super) fn stays_stopped(&mut self, index: usize, reason: &str) {
        self.end_service(index, ServerEnd::Gone);
        let name = self.name(index).unwrap_or_default();
        self.kernel().line(&format!("{name} stays stopped: {reason}"));
        self.supervisor.lost(index);
    }

    /// The outcome of all restarts, when there were any ([`Lives::outcome`]).
    #[must_use]
    pub fn lives(&self) -> Option<String> {
        self.lasting.lives.outcome()
    }

    pub(super) fn build_again(&mut self, index: usize, name: &str) -> Result<(), String> {
        let start = self.kernel().now();
        if let Some(plan) = self.lasting.plans.get_mut(index) {
            plan.manifest.life = plan.manifest.life.saturating_add(1);
        }
        let objects = self.build(index).map_err(|stop| {
            // A part of it may be there, with mastering on perhaps.
            let undone = self.take_back(index).err().map_or_else(String::new, |reason| format!(", and then {reason}"));
            format!("{stop}{undone}")
        })?;
        let thread = objects.thread;
        if let Some(built) = self.lasting.built.get_mut(index) {
            *built = objects;
        }
        if let Some(away) = self.lasting.away.get_mut(index) {
            *away = false;
        }
        self.supervisor.begins(index);
        let away = || self.lasting.held.iter().zip(&self.lasting.away).filter(|(_, away)| **away);
        let (before, now) = (self.lasting.census, self.builder.census());
        let same = before.is_none_or(|before| before.without(away().map(|(held, _)| held).sum()) == now);
        let kept = if same { "as at first" } else { "NOT AS AT FIRST" };
        let life = self.lasting.plans.get(index).map_or(0, |plan| plan.manifest.life);
        self.builder.kernel.line(&format!("{name} starts life {life}: {now}, {kept}"));
        let whole = self.builder.kernel.census();
        if let Some(changed) = self.lasting.lives.add(same, &self.lasting.away, whole) {
            self.builder.kernel.line(&format!("in the whole system: {changed}"));
        }
        let now = self.builder.kernel.now();
        self.lasting.spent.add(start, now);
        let lived = self.lasting.spent.lived(now);
        if let Some(pace) = self.lasting.paces.get_mut(index) {
            pace.begins(lived);
        }
        self.builder.invoke(name, Invocation::Resume { thread }).map_err(|stop| stop.to_string())
    }

    /// Takes back everything a component has. Whatever is refused on the way, the rest is done; the first refusal is what
    /// is said.
    fn take_back(&mut self, index: usize) -> Result<(), String> {
        let mut trouble = Trouble(None);
        if let Some(away) = self.lasting.away.get_mut(index) {
            *away = true;
        }
        let (Some(component), Some(plan), Some(built), Some(arena)) = (
            self.system.components.get(index),
            self.lasting.plans.get(index),
            self.lasting.built.get(index),
            self.lasting.arenas.get_mut(index),
        ) else {
            return Err("there is no such component".to_string());
        };
        let who = component.name.as_str();
        let builder = &mut self.builder;
        trouble.note(builder.invoke(who, Invocation::Suspend { thread: built.thread }));
        let checked = self.devices.checked.get(index).map_or(&[][..], Vec::as_slice);
        let functions = || {
            let functions = component.devices.iter().zip(checked);
            functions.filter_map(|(device, checked)| Some((device, checked.function?)))
        };
        for (_, function) in functions() {
            if let Some(bus) = self.devices.buses.get(function.bus) {
                let mut ecam = Ecam { builder, host: &bus.host };
                quiesce(&mut ecam, function.at);
                follow_mastering(&mut ecam, &bus.found);
            }
        }
        // A stream without capability is bound to nothing, and one that is not bound aborts.
        let handed_out = plan.grants.iter().filter(|(_, grant)| matches!(grant, Grant::Stream { .. }));
        let places = handed_out.map(|(slot, _)| built.slot(*slot));
        let places = places.chain(built.streams.iter().copied().map(Builder::<K>::root));
        for slot in places {
            trouble.note(builder.invoke(who, Invocation::Delete { slot }));
        }
        for (device, function) in functions() {
            if let Some(bus) = self.devices.buses.get(function.bus)
                && let Err(error) =
                    reset(&mut Ecam { builder, host: &bus.host }, function.at, bus.above_alone(function.at), K::wait)
            {
                trouble.add(format!("{} {error}", device.name));
            }
        }
        for (at, _) in plan.register_ranges() {
            trouble.note(builder.revoke_registers(who, at));
        }
        for untyped in arena.untypeds() {
            trouble.note(builder.invoke(who, Invocation::Revoke { slot: *untyped }));
        }
        for slot in arena.slots().collect::<Vec<_>>() {
            trouble.note(builder.invoke(who, Invocation::Delete { slot: Builder::<K>::root(slot) }));
        }
        arena.rewind();
        forget_own(&self.system, index, &mut self.lasting.regions);
        trouble.note(builder.invoke(who, Invocation::Forget { notification: built.notification }));
        trouble.0.map_or(Ok(()), Err)
    }
}

/// The first thing that went wrong.
struct Trouble(Option<String>);

impl Trouble {
    fn add(&mut self, what: String) {
        self.0.get_or_insert(what);
    }

    fn note<E: ToString>(&mut self, outcome: Result<(), E>) {
        if let Err(error) = outcome {
            self.add(error.to_string());
        }
    }
}
