//! From the payload to a running system.
//!
//! The order is the point. First everything is compared with the machine; then memory is made and every component
//! built, its devices' streams bound before their functions may master memory; last, when nothing can fail any more,
//! the threads are resumed.

mod audit;
mod backtrace;
mod builder;
mod callers;
mod census;
mod component;
mod device;
mod ecam;
mod extra;
mod far;
mod grants;
mod lives;
mod machine;
mod pause;
mod provoke;
mod regions;
mod report;
mod restart;
mod running;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sluice_abi::bootinfo::{BootInfo, slot};
use sluice_abi::{MAX_PRIORITY, ObjectType};
use sluice_manifest::supervisor::ServerEnd;
use sluice_platform::{Machine, validate};
use sluice_spec::{Component, Map, Mode, PayloadHeader, System};

use crate::elf::Image;
use crate::kernel::{Invocation, Kernel};
use crate::memory::Arena;
use crate::pace::{Pace, Spent, Waiting};
use crate::plan::{Circumstances, LiveDevice, Plan, alarm};
use crate::supervisor::Supervisor;
use crate::{Mismatch, Stop};
use audit::Audit;
use builder::Builder;
use census::Census;
use component::Objects;
use grants::Ends;
use lives::Lives;
use machine::{Checked, Devices};
use pause::Alarm;
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
    let tree = sluice_sys::extra_chunk(given.extra, sluice_abi::bootinfo::EXTRA_FDT).ok_or(Stop::NoDeviceTree)?;
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
    let mut devices = machine::check(&mut builder, &machine, &system)?;
    far::isolate(&mut builder, &system, &devices)?;
    if circumstances.translating {
        far::stream_tables(&mut builder, &system, &devices)?;
    }
    let mut plans = plans(&system, &devices, &circumstances)?;
    let images = images(&system, given.payload)?;

    let regions = regions::make(&mut builder, &system, given.payload)?;
    regions::tell_physical(&system, &mut plans, &regions)?;
    if circumstances.translating {
        provoke::all(&mut builder, &system, &mut devices)?;
    }
    let endpoint = builder.object("root", ObjectType::Endpoint)?;
    let channels = objects(&mut builder, ObjectType::Endpoint, system.channels.len())?;
    let notifications = objects(&mut builder, ObjectType::Notification, system.components.len())?;
    let arenas = system.components.iter().map(|_| Arena::default()).collect();
    let mut supervisor = Supervisor::new(&system);
    left_out(&devices).for_each(|index| supervisor.lost(index));
    let translating = circumstances.translating;
    let gone = system.channels.iter().map(|_| false).collect();
    let alarm = Alarm::make(&mut builder, &system, &channels)?;
    let ends = Ends { supervisor: endpoint, channels, gone, notifications, alarm };
    let paces = system.components.iter().map(|_| Pace::default()).collect();
    let lasting = Lasting {
        plans,
        images,
        payload: given.payload,
        regions,
        ends,
        arenas,
        built: Vec::new(),
        census: None,
        held: Vec::new(),
        away: system.components.iter().map(|_| false).collect(),
        lives: Lives::default(),
        paces,
        spent: Spent::default(),
        waiting: Waiting::default(),
    };
    let wish = sluice_platform::option(machine.bootargs, "sluice.audit").filter(|_| given.has_debug_calls());
    let audit = Audit::wished(wish);
    let priority = MAX_PRIORITY;
    let mut running = Running { builder, endpoint, supervisor, devices, system, translating, lasting, audit, priority };
    for index in 0..running.system.components.len() {
        let objects = running.build(index)?;
        running.introduce(index);
        running.lasting.built.push(objects);
    }
    running.lasting.census = Some(running.builder.census());
    running.told(|audit, builder, places| audit.at_start(builder, places))?;
    running.lasting.held = running.lasting.arenas.iter().map(|arena| running.builder.held(arena)).collect();
    for index in left_out(&running.devices).collect::<Vec<_>>() {
        running.end_service(index, ServerEnd::Gone);
    }
    running.start()?;
    Ok(running)
}

/// What components are made of anew when they start again.
struct Lasting<'b> {
    plans: Vec<Plan>,
    images: Vec<Image<'b>>,
    payload: &'b [u8],
    regions: Vec<RegionFrames>,
    ends: Ends,
    arenas: Vec<Arena>,
    built: Vec<Objects>,
    /// What was in use when the system had been built.
    census: Option<Census>,
    /// How many capabilities of that each component holds.
    held: Vec<u64>,
    /// Which components have been taken back, and live no more or not yet.
    away: Vec<bool>,
    lives: Lives,
    /// How soon each component lives again.
    paces: Vec<Pace>,
    /// What of the time is nobody's life.
    spent: Spent,
    /// Those that are to live again.
    waiting: Waiting,
}

impl<K: Kernel> Running<'_, K> {
    /// Makes a component, up to where its thread can be resumed.
    fn build(&mut self, index: usize) -> Result<Objects, Stop> {
        let missing = Stop::System("a component without plan");
        let lasting = &mut self.lasting;
        let (Some(component), Some(checked)) = (self.system.components.get(index), self.devices.checked.get(index))
        else {
            return Err(missing);
        };
        let (Some(plan), Some(image), Some(arena), Some(notification)) = (
            lasting.plans.get(index),
            lasting.images.get(index),
            lasting.arenas.get_mut(index),
            lasting.ends.notifications.get(index),
        ) else {
            return Err(missing);
        };
        self.builder.enter(core::mem::take(arena));
        let build = Build { devices: &self.devices, checked, plan, component, translating: self.translating };
        let place = (&self.system, lasting.payload, index);
        let made = build.all(
            &mut self.builder,
            place,
            (self.endpoint, *notification),
            image,
            (&mut lasting.regions, &lasting.ends),
        );
        *arena = self.builder.leave();
        made
    }

    /// Prints what a component has been given.
    fn introduce(&mut self, index: usize) {
        let of = (self.system.components.get(index), self.lasting.plans.get(index), self.devices.checked.get(index));
        let (Some(component), Some(plan), Some(checked)) = of else { return };
        for line in report::lines(&self.system, component, plan, checked, self.translating) {
            self.builder.kernel.line(&line);
        }
    }
}

/// `count` new objects, for good.
fn objects<K: Kernel>(builder: &mut Builder<K>, object: ObjectType, count: usize) -> Result<Vec<u64>, Stop> {
    let first = builder.objects("root", object, 0, count as u64)?;
    Ok((first..).take(count).collect())
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
    /// Makes everything; the component's thread does not run yet.
    fn all<K: Kernel>(
        &self,
        builder: &mut Builder<K>,
        (system, payload, index): (&System, &[u8], usize),
        (endpoint, notification): (u64, u64),
        image: &Image<'_>,
        (regions, ends): (&mut [RegionFrames], &Ends),
    ) -> Result<Objects, Stop> {
        let mut objects = component::objects(builder, self.plan, (endpoint, index as u64 + 1), notification)?;
        regions::make_own(builder, system, payload, index, regions)?;
        self.memory_and_devices(builder, &mut objects, regions, ends)?;
        let manifest = self.plan.manifest.encode().map_err(|_| Stop::System("a manifest does not encode"))?;
        component::start_state(builder, &mut objects, self.component, image, &manifest)?;
        Ok(objects)
    }

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
            if let Some(checked) = self.checked.get(position).filter(|checked| !checked.quarantined) {
                device::enable(builder, self.devices, checked, device, confined);
            }
            objects.streams.extend(translation.iter().flat_map(|translation| translation.streams.iter().copied()));
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

impl<K: Kernel> Running<'_, K> {
    /// Resumes every thread, the most urgent first, then steps below the console server: a line of the root task's own
    /// then falls between the server's lines, never inside one.
    fn start(&mut self) -> Result<(), Stop> {
        let now = self.lasting.spent.lived(self.builder.kernel.now());
        self.lasting.paces.iter_mut().for_each(|pace| pace.begins(now));
        let system = &self.system;
        let threads = self.lasting.built.iter().map(|objects| objects.thread);
        let mut order: Vec<(usize, (&Component, u64))> = system.components.iter().zip(threads).enumerate().collect();
        order.retain(|(index, _)| !left_out(&self.devices).any(|left_out| left_out == *index));
        order.sort_by_key(|(_, (component, _))| core::cmp::Reverse(component.priority));
        for (_, (component, thread)) in order {
            self.builder.invoke(&component.name, Invocation::Resume { thread })?;
        }
        let priority = alarm::own_priority(system);
        self.priority = priority;
        self.builder.invoke("root", Invocation::SetOwnPriority { thread: slot::INIT_TCB, priority })
    }
}

/// The components that are not started, as a device of theirs is in quarantine.
fn left_out(devices: &Devices<'_>) -> impl Iterator<Item = usize> {
    let quarantined = |checked: &Vec<Checked>| checked.iter().any(|checked| checked.quarantined);
    devices.checked.iter().enumerate().filter(move |(_, checked)| quarantined(checked)).map(|(index, _)| index)
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
