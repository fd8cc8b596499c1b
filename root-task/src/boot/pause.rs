//! Pauses between lives ([`crate::pace`]), by way of the system's timer server.
//!
//! The root task is a client of that server as others are, but never waits for it: its request is lost when the server does not
//! wait for one, and made again with whatever the root task hears next. A server that is above the root task waits whenever that runs;
//! without such a server there are no pauses; neither
//! are there for the server itself.

use alloc::format;
use alloc::string::String;

use sluice_abi::{CapRights, ObjectType, bootinfo};
use sluice_spec::System;

use super::builder::Builder;
use super::running::Running;
use crate::Stop;
use crate::kernel::{Invocation, Kernel};
use crate::pace::Lived;
use crate::plan::alarm;

/// What is between the root task and the timer server; slots of the root CNode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    channel: usize,
    /// The badged endpoint.
    endpoint: u64,
    /// The root task's notification.
    pub(super) notification: u64,
}

impl Alarm {
    /// Makes it, when the system has a timer server and components that live again.
    pub(super) fn make<K: Kernel>(
        builder: &mut Builder<K>,
        system: &System,
        channels: &[u64],
    ) -> Result<Option<Self>, Stop> {
        let described = alarm::channel(system).and_then(|channel| {
            let (described, endpoint) = (system.channels.get(channel)?, channels.get(channel)?);
            Some((channel, *endpoint, alarm::badge(described)))
        });
        let Some((channel, endpoint, badge)) = described else { return Ok(None) };
        let notification = builder.object("root", ObjectType::Notification)?;
        let thread = bootinfo::slot::INIT_TCB;
        builder.invoke("root", Invocation::BindNotification { thread, notification })?;
        let endpoint = builder.badged("root", endpoint, CapRights::WRITE, badge)?;
        Ok(Some(Self { channel, endpoint, notification }))
    }
}

impl<K: Kernel> Running<'_, K> {
    /// Has a component that died at `died` live again, now or after a pause.
    pub(super) fn again(&mut self, index: usize, name: &str, died: Lived) -> Result<(), String> {
        let (now, second) = (self.builder.kernel.now(), self.builder.kernel.ticks_per_second());
        let pause = self.lasting.paces.get_mut(index).map(|pace| pace.ended(died, now, second));
        match pause.filter(|(_, pause_ms)| *pause_ms > 0 && self.alarm(Some(index)).is_some()) {
            Some((at, pause_ms)) => {
                self.builder.kernel.line(&format!("{name} lives again in {pause_ms} ms"));
                self.lasting.waiting.add(at, index);
                Ok(())
            }
            None => self.build_again(index, name),
        }
    }

    /// Does what is due, whatever woke the root task, and sees to it that it is woken for what is not.
    pub fn go_on(&mut self) {
        if self.lasting.waiting.earliest().is_none() {
            return;
        }
        // Nobody would wake it: there is no reason to wait any more.
        let now = self.alarm(None).map_or(u64::MAX, |_| self.builder.kernel.now());
        while let Some(index) = self.lasting.waiting.take_due(now) {
            let name = self.name(index).unwrap_or_default();
            if let Err(reason) = self.build_again(index, &name) {
                self.stays_stopped(index, &reason);
            }
        }
        if let (Some(ticks), Some(alarm)) = (self.lasting.waiting.earliest(), self.alarm(None)) {
            let set = Invocation::SetAlarm { endpoint: alarm.endpoint, ticks };
            if let Err(stop) = self.builder.invoke("root", set) {
                self.builder.kernel.line(&format!("{stop}"));
            }
        }
    }

    /// The way to a timer server that is there, and is not the component at `index`.
    fn alarm(&self, index: Option<usize>) -> Option<Alarm> {
        let alarm = self.lasting.ends.alarm?;
        let gone = self.lasting.ends.gone.get(alarm.channel).copied().unwrap_or(true);
        let server = self.system.channels.get(alarm.channel).map(|channel| channel.server as usize);
        Some(alarm).filter(|_| !gone && server != index)
    }
}
