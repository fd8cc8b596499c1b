//! The objects, in the order in which the root task makes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sluice_abi::{FrameSize, PAGE_SIZE};
use sluice_manifest::{layout, slot};
use sluice_root_task::plan::{Grant, Plan};
use sluice_spec::{Component, Mode, System};

use super::{has_pages_of_bars, names};

/// The root task's notification, at which a timer server tells it when a pause between two lives is over.
pub(super) const ROOT_NOTIFICATION: &str = "ntfn_root";

/// Objects of one name, which numbers tell apart.
pub(super) struct Object {
    name: String,
    pub(super) count: u64,
    pub(super) kind: &'static str,
    attributes: Vec<String>,
}

impl Object {
    fn new(name: String, kind: &'static str) -> Self {
        Self { name, count: 1, kind, attributes: Vec::new() }
    }

    fn frames(name: String, count: u64, size: &str) -> Self {
        Self { count, attributes: vec![size.to_owned()], ..Self::new(name, "frame") }
    }

    fn with(mut self, attribute: String) -> Self {
        self.attributes.push(attribute);
        self
    }

    pub(super) fn show(&self, out: &mut String) {
        let attributes = match self.attributes[..] {
            [] => String::new(),
            _ => format!(" ({})", self.attributes.join(", ")),
        };
        line(out, &format!("{} = {}{attributes}", names::array(&self.name, self.count), self.kind));
    }
}

pub(super) fn list(system: &System, plans: &[Plan]) -> Vec<Object> {
    let mut all = Vec::new();
    for region in &system.regions {
        let count = region.size >> region.frame_bits;
        let frames = Object::frames(format!("frame_{}", region.name), count, &size(1 << region.frame_bits));
        let contents = region.contents.and_then(|blob| system.blobs.get(blob as usize));
        all.push(match contents {
            Some(blob) => frames.with(format!("fill: {}", blob.name)),
            None => frames,
        });
    }
    all.push(Object::new("ep_supervisor".to_owned(), "ep"));
    all.extend(system.channels.iter().map(|channel| Object::new(format!("ep_{}", channel.name), "ep")));
    if plans.iter().flat_map(|plan| &plan.grants).any(|(_, grant)| *grant == Grant::Alarm) {
        all.push(Object::new(ROOT_NOTIFICATION.to_owned(), "notification"));
    }
    let mut taken = Taken::default();
    for (component, plan) in system.components.iter().zip(plans) {
        own(&mut all, component, plan);
        of_devices(&mut all, component, plan, &mut taken);
    }
    all
}

/// A component's own objects.
fn own(all: &mut Vec<Object>, component: &Component, plan: &Plan) {
    let name = &component.name;
    all.push(Object::new(format!("ntfn_{name}"), "notification"));
    let at_least = if has_pages_of_bars(component) { " at least" } else { "" };
    let bits = plan.manifest.cnode_bits;
    all.push(Object::new(format!("cnode_{name}"), "cnode").with(format!("{bits} bits{at_least}")));
    let priority = component.priority;
    let thread = Object::new(format!("tcb_{name}"), "tcb").with(format!("sp: {:#x}", layout::STACK_TOP));
    let thread = thread.with(format!("prio: {priority}")).with(format!("max_prio: {priority}"));
    all.push(thread.with(format!("fault_ep: {:#x}", slot::SUPERVISOR)));
    all.push(Object::new(format!("vspace_{name}"), "vspace"));
    all.push(Object::frames(format!("frame_{name}_stack"), component.stack / PAGE_SIZE, "4k"));
    let (large, small) = heap(component);
    for (part, count, size) in [("heap_large", large, "2M"), ("heap", small, "4k")] {
        if count != 0 {
            all.push(Object::frames(format!("frame_{name}_{part}"), count, size));
        }
    }
    all.push(Object::frames(format!("frame_{name}_ipc"), 1, "4k"));
    let untyped = component.untyped.iter();
    all.extend(
        untyped.map(|grant| {
            Object::new(format!("ut_{name}_{}", grant.name), "ut").with(format!("{} bits", grant.size_bits))
        }),
    );
    if component.asid_pool {
        all.push(Object::new(format!("asid_pool_{name}"), "asid_pool"));
    }
}

/// What several components may have to do with, and is there once.
#[derive(Default)]
struct Taken {
    registers: BTreeSet<(u64, u64)>,
    interrupts: BTreeSet<u32>,
}

fn of_devices(all: &mut Vec<Object>, component: &Component, plan: &Plan, taken: &mut Taken) {
    for ((base, size), frame) in plan.register_ranges().filter(|(range, _)| taken.registers.insert(*range)) {
        let unit = if frame == FrameSize::Small { "4k" } else { "2M" };
        let frames = Object::frames(format!("frame_{base:x}"), size >> frame.bits(), unit);
        all.push(frames.with(format!("paddr: {base:#x}")));
    }
    let lines = component.devices.iter().filter_map(|device| device.interrupt).chain(component.timer);
    for (intid, edge) in lines.filter(|(intid, _)| taken.interrupts.insert(*intid)) {
        let trigger = if edge { "edge" } else { "level" };
        all.push(Object::new(format!("irq_{intid}"), "irq").with(format!("trigger: {trigger}")));
    }
    for device in component.devices.iter().filter(|device| device.mode != Mode::None) {
        all.extend(device.streams.iter().map(|stream| Object::new(names::sid(*stream), "sid")));
        if let Some(context) = names::cb(device) {
            all.push(Object::new(context, "cb"));
            if device.guest_slot.is_none() {
                all.push(Object::new(names::io_space(component, device), "vspace"));
            }
        }
    }
}

/// Large and small frames of a component's heap: as many large ones as fit.
pub(super) fn heap(component: &Component) -> (u64, u64) {
    let large = component.heap >> FrameSize::Large.bits();
    (large, (component.heap - (large << FrameSize::Large.bits())) / PAGE_SIZE)
}

/// A frame's size as capDL writes it.
fn size(bytes: u64) -> String {
    match bytes {
        0x1000 => "4k".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{}G", bytes >> 30),
        _ => format!("{}M", bytes >> 20),
    }
}

pub(super) fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let written = writeln!(out, "    {text}");
    debug_assert!(written.is_ok());
}
