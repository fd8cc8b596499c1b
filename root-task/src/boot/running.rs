//! The system while it runs: what only the root task can do for a component afterwards.

use alloc::format;
use alloc::string::{String, ToString};

use sluice_manifest::supervisor::DeviceAction;
use sluice_spec::{Mode, System};

use super::Lasting;
use super::audit::{Audit, Places};
use super::builder::Builder;
use super::ecam::Ecam;
use super::machine::Devices;
use crate::Stop;
use crate::kernel::Kernel;
use crate::pci::{
    disable_mastering, enable_decode, enable_interrupt, enable_mastering, follow_mastering, quiesce, reset,
};
use crate::supervisor::Supervisor;

/// A system whose components run as soon as the root task waits.
pub struct Running<'b, K> {
    pub(super) builder: Builder<K>,
    /// Endpoint of the supervisor, in the root CNode.
    pub endpoint: u64,
    /// What the components have reported.
    pub supervisor: Supervisor,
    pub(super) devices: Devices<'b>,
    pub(super) system: System,
    pub(super) translating: bool,
    pub(super) lasting: Lasting<'b>,
    pub(super) audit: Audit,
    /// The root task's own priority.
    pub(super) priority: u8,
}

impl<K: Kernel> Running<'_, K> {
    /// The kernel.
    pub fn kernel(&mut self) -> &mut K {
        &mut self.builder.kernel
    }

    /// Has something told of what lies where.
    pub(super) fn told(
        &mut self,
        tell: impl FnOnce(&mut Audit, &mut Builder<K>, &Places<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Lasting { regions, built, arenas, .. } = &self.lasting;
        let places = Places { system: &self.system, regions, checked: &self.devices.checked, built, arenas };
        tell(&mut self.audit, &mut self.builder, &places)
    }

    /// Whether a component has been taken back: it lives no more, or not yet.
    pub(super) fn is_away(&self, index: usize) -> bool {
        self.lasting.away.get(index).copied().unwrap_or(true)
    }

    /// Refuses what is asked for a component that is away. Its functions are quiet, and whoever speaks for it is somebody else.
    fn alive(&self, index: usize) -> Result<(), String> {
        match self.is_away(index) {
            true => Err(format!("{} does not live: nothing is done for it", self.name(index).unwrap_or_default())),
            false => Ok(()),
        }
    }

    /// The guest of a component has been made, and none of its processors has run.
    ///
    /// # Errors
    /// Why that cannot be looked at, for the console.
    pub fn guest(&mut self, component: usize) -> Result<(), String> {
        self.alive(component)?;
        let told = self.told(|audit, builder, places| audit.of_guest(builder, places, component, "made"));
        told.map_err(|stop| stop.to_string())
    }

    /// The system's run is over.
    ///
    /// # Errors
    /// Why that cannot be looked at, for the console.
    pub fn over(&mut self) -> Result<(), String> {
        self.told(|audit, builder, places| audit.at_end(builder, places)).map_err(|stop| stop.to_string())
    }

    /// Does to a component's device what the component asks for; configuration space never leaves the root task.
    ///
    /// # Errors
    /// Why not, for the console.
    pub fn device(&mut self, component: usize, device: u64, action: DeviceAction) -> Result<(), String> {
        self.alive(component)?;
        let described = self.system.components.get(component);
        let position = usize::try_from(device).ok();
        let found = described.zip(position).and_then(|(described, position)| {
            let device = described.devices.get(position)?;
            let checked = self.devices.checked.get(component)?.get(position)?;
            Some((described, (position, device), checked.function?))
        });
        let (described, (position, device), function) = found.ok_or_else(|| format!("has no PCI function {device}"))?;
        let who = format!("{}.{}", described.name, device.name);
        let (may_master, guests, interrupts) =
            (device.mode != Mode::None && self.translating, device.guest_slot.is_some(), device.interrupt.is_some());
        if action == DeviceAction::Master {
            if !may_master {
                return Err(format!("{who} is to master no memory"));
            }
            if guests {
                let told = self
                    .told(|audit, builder, places| audit.at_mastering(builder, places, (component, position), &who));
                told.map_err(|stop| stop.to_string())?;
            }
        }
        let bus = self.devices.buses.get(function.bus).ok_or_else(|| format!("{who} has no bus"))?;
        let mut ecam = Ecam { builder: &mut self.builder, host: &bus.host };
        match action {
            DeviceAction::Quiesce => quiesce(&mut ecam, function.at),
            DeviceAction::Reset => {
                let above = bus.above_alone(function.at);
                let outcome = reset(&mut ecam, function.at, above, K::wait);
                follow_mastering(&mut ecam, &bus.found);
                outcome.map_err(|error| format!("{who} {error}"))?;
            }
            DeviceAction::NoMaster => disable_mastering(&mut ecam, function.at),
            DeviceAction::Master => enable_mastering(&mut ecam, function.at),
            DeviceAction::Start => {
                enable_decode(&mut ecam, function.at, function.decode);
                if interrupts {
                    enable_interrupt(&mut ecam, function.at);
                }
            }
        }
        follow_mastering(&mut ecam, &bus.found);
        Ok(())
    }
}
