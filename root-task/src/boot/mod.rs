//! From the payload to a running system.
//!
//! The order is the point. First everything is compared with the machine; then memory is made and every component
//! built, its devices' streams bound before their functions may master memory; last, when nothing can fail any more,
//! the threads are resumed.

mod builder;
mod component;
mod device;
mod ecam;
mod extra;
mod grants;
mod machine;
mod regions;
mod report;
mod running;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sluice_abi::bootinfo::{BootInfo, slot};
use sluice_abi::{MAX_PRIORITY, ObjectType};
use sluice_manifest::console;
use sluice_platform::{Machine, validate};
use sluice_spec::{Component, Map, Mode, PayloadHeader, System};

use crate::elf::Image;
use crate::kernel::{Invocation, Kernel};
use crate::plan::{Circumstances, LiveDevice, Plan};
use crate::supervisor::Supervisor;
use crate::{Mismatch, Stop};
use builder::Builder;
use component::Objects;
use grants::Ends;
use machine::{Checked, Devices};
use regions::RegionFrames;
pub use running::Running;

/// What the kernel and the image left in memory.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Boot information.
    pub info: &'a BootInfo,
    /// Extra boot information, `info.extra_len` bytes.
    pub extra: &'a [u8],
    /// What follows the root task's image.
    pub payload: &'a [u8],
}

impl Given<'_> {
    /// Whether the kernel is one that prints and powers off for threads.
    #[must_use]
    pub fn has_debug_calls(&self) -> bool {
        extra::canary(self.extra).is_some()
    }
}

/// Builds and starts the payload's system.
///
/// # Errors
/// [`Stop`], before any component has run.
pub fn boot<'b, K: Kernel>(kernel: K, given: &Given<'b>) -> Result<Running<'b, K>, Stop> {
    let tree = extra::chunk(given.extra, sluice_abi::bootinfo::EXTRA_FDT).ok_or(Stop::NoDeviceTree)?;
    let tree = validate(tree).map_err(|error| Stop::DeviceTree(error.to_string()))?;
    // The buses found by it are in use as long as the system runs.
    let machine = Machine::from_blob(Box::leak(Box::new(tree))).map_err(|error| Stop::DeviceTree(error.to_string()))?;
    let circumstances = machine::circumstances(&machine, given.extra);

    let mut builder = Builder::new(kernel, given.info)?;
    if let Some(console) = machine.console.filter(|_| !given.has_debug_calls()) {
        builder.open_console(console.registers.base().0)?;
    }
    let header = PayloadHeader::decode(given.payload).map_err(Stop::Payload)?;
    let system = part(given.payload, header.system_offset, header.system_len);
    let system = system.and_then(|bytes| System::decode(bytes).ok()).ok_or(Stop::System("it does not decode"))?;
    builder.kernel.line(&format!("{} for {}", count(system.components.len(), "component"), system.platform));
    if !circumstances.translating {
        builder.kernel.line("WARNING: booted with sluice.smmu=off: EVERY DEVICE REACHES ALL MEMORY");
    }
    let devices = machine::check(&mut builder, &machine, &system)?;
    let mut plans = plans(&system, &devices, &circumstances)?;
    let images = images(&system, given.payload)?;

    let mut regions = regions::make(&mut builder, &system, given.payload)?;
    regions::tell_physical(&system, &mut plans, &regions)?;
    let endpoint = builder.object("root", ObjectType::Endpoint)?;
    let channels = builder.objects("root", ObjectType::Endpoint, 0, system.channels.len() as u64)?;
    let channels: Vec<u64> = (channels..).take(system.channels.len()).collect();
    let mut own = Vec::new();
    for (plan, badge) in plans.iter().zip(1..) {
        own.push(component::objects(&mut builder, plan, (endpoint, badge))?);
    }
    let ends = Ends { channels, notifications: own.iter().map(|objects| objects.notification).collect() };
    let mut threads = Vec::new();
    for (index, (component, mut objects)) in system.components.iter().zip(own).enumerate() {
        let (Some(plan), Some(image), Some(checked)) =
            (plans.get(index), images.get(index), devices.checked.get(index))
        else {
            return Err(Stop::System("a component without plan"));
        };
        let build = Build { devices: &devices, checked, plan, component, translating: circumstances.translating };
        build.memory_and_devices(&mut builder, &mut objects, &mut regions, &ends)?;
        let manifest = plan.manifest.encode().map_err(|_| Stop::System("a manifest does not encode"))?;
        component::start_state(&mut builder, &mut objects, component, image, &manifest)?;
        for line in report::lines(&system, component, plan, checked, circumstances.translating) {
            builder.kernel.line(&line);
        }
        threads.push(objects.thread);
    }
    start(&mut builder, &system, &threads)?;
    let supervisor = Supervisor::new(&system);
    let translating = circumstances.translating;
    Ok(Running { builder, endpoint, threads, supervisor, devices, system, translating })
}

/// What building one component looks at.
struct Build<'a, 'b> {
    devices: &'a Devices<'b>,
    checked: &'a [Checked],
    plan: &'a Plan,
    component: &'a Component,
    translating: bool,
}

impl Build<'_, '_> {
    fn memory_and_devices<K: Kernel>(
        &self,
        builder: &mut Builder<K>,
        objects: &mut Objects,
        regions: &mut [RegionFrames],
        ends: &Ends,
    ) -> Result<(), Stop> {
        let who = self.component.name.as_str();
        let manifest = &self.plan.manifest;
        for (map, told) in self.component.maps.iter().zip(&manifest.regions) {
            let map: &Map = map;
            regions::map(builder, who, objects, regions, (map, told.vaddr, told.perms))?;
        }
        for page in &self.plan.registers {
            device::map_registers(builder, &format!("{who}.{}", page.device), objects, page)?;
        }
        let mut translations = Vec::new();
        for (position, device) in self.component.devices.iter().enumerate() {
            let who = format!("{who}.{}", device.name);
            let badge = self.plan.fault_badges.get(position).copied().flatten();
            let translation = match self.translating {
                true => device::translate(builder, &who, device, objects, (manifest, position), (regions, badge))?,
                false => None,
            };
            // Behind no SMMU there is nothing to bypass.
            let chosen = device.mode == Mode::Bypass && device.streams.is_empty();
            let confined = translation.is_some() || chosen || !self.translating;
            let guests = device.guest_slot.is_some() && translation.is_none();
            if device.mode != Mode::None && (!confined || guests) {
                return Err(Stop::Mismatch { who, mismatch: Mismatch::Unconfined });
            }
            if let Some(checked) = self.checked.get(position) {
                device::enable(builder, self.devices, checked, device, confined);
            }
            translations.push(translation);
        }
        grants::put(builder, self.plan, objects, ends, &translations, (&self.component.maps, regions))
    }
}

fn plans(system: &System, devices: &Devices<'_>, circumstances: &Circumstances) -> Result<Vec<Plan>, Stop> {
    let mut plans = Vec::new();
    for (index, (component, checked)) in system.components.iter().zip(&devices.checked).enumerate() {
        let live: Vec<LiveDevice> = checked.iter().map(|checked| checked.live.clone()).collect();
        let plan = Plan::new(system, index, &live, circumstances);
        plans.push(plan.map_err(|error| Stop::Plan { component: component.name.clone(), error })?);
    }
    Ok(plans)
}

fn images<'a>(system: &System, payload: &'a [u8]) -> Result<Vec<Image<'a>>, Stop> {
    let mut images = Vec::new();
    for component in &system.components {
        let blob = system.blobs.get(component.image as usize);
        let file = blob.and_then(|blob| part(payload, blob.offset, blob.len));
        let file = file.ok_or(Stop::System("a component's file is not in the payload"))?;
        let image = Image::parse(file).map_err(|error| Stop::Image { component: component.name.clone(), error });
        images.push(image?);
    }
    Ok(images)
}

/// Resumes every thread, the most urgent first, then steps below the console server: a line of the root task's own
/// then falls between the server's lines, never inside one.
fn start<K: Kernel>(builder: &mut Builder<K>, system: &System, threads: &[u64]) -> Result<(), Stop> {
    let mut order: Vec<(&Component, u64)> = system.components.iter().zip(threads.iter().copied()).collect();
    order.sort_by_key(|(component, _)| core::cmp::Reverse(component.priority));
    for (component, thread) in order {
        builder.invoke(&component.name, Invocation::Resume { thread })?;
    }
    let server = system.channels.iter().find(|channel| channel.name == console::CHANNEL);
    let server = server.and_then(|channel| system.components.get(channel.server as usize));
    let priority = server.map_or(MAX_PRIORITY, |server| server.priority.saturating_sub(1));
    builder.invoke("root", Invocation::SetOwnPriority { thread: slot::INIT_TCB, priority })
}

fn part(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let from = usize::try_from(offset).ok()?;
    bytes.get(from..from.checked_add(usize::try_from(len).ok()?)?)
}

fn count(number: usize, what: &str) -> alloc::string::String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests;
