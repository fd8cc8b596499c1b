//! A system as capability distribution: which objects there are, and who holds which capability in which slot.
//!
//! The form is that of capDL, with seL4's names for objects. Slots and addresses are not worked out again here: they are
//! read off the plans that the root task makes at boot ([`sluice_root_task::plan`]).
//!
//! Left out is what only the machine can tell, which lines that begin with `--` say in its place: where BARs are, and how many
//! pages they have. Page tables, and frames of images and manifests, are left out altogether.

mod caps;
mod names;
mod objects;

use std::collections::BTreeMap;

use sluice_root_task::plan::{Circumstances, Grant, LiveDevice, Plan, PlanError};
use sluice_spec::{Component, Location, System};

/// What an SMMU says that has all a system can ask for: both stages (IDR0, IHI 0070, 6.3.1).
const ABLE: [u32; 4] = [0b11, 0, 0, 0];

/// `system` as text.
///
/// # Errors
/// When a component cannot have what it is to get.
pub fn show(system: &System) -> Result<String, PlanError> {
    let plans = plans(system)?;
    let mut out = format!("-- {}\narch aarch64\n\nobjects {{\n", system.platform);
    objects::list(system, &plans).iter().for_each(|object| object.show(&mut out));
    out.push_str("}\n\ncaps {\n");
    caps::show(&mut out, system, &plans);
    out.push_str("}\n");
    Ok(out)
}

/// How many objects of each kind `system` has, by the names of the kinds.
///
/// # Errors
/// As [`show`].
pub fn census(system: &System) -> Result<BTreeMap<&'static str, u64>, PlanError> {
    let mut counts = BTreeMap::new();
    for object in objects::list(system, &plans(system)?) {
        *counts.entry(object.kind).or_default() += object.count;
    }
    Ok(counts)
}

fn plans(system: &System) -> Result<Vec<Plan>, PlanError> {
    (0..system.components.len()).map(|index| plan(system, index)).collect()
}

/// The plan of a component on a machine that is as the device tree says.
fn plan(system: &System, index: usize) -> Result<Plan, PlanError> {
    let devices = system.components.get(index).map_or(&[][..], |component| &component.devices);
    let live: Vec<LiveDevice> = devices
        .iter()
        .map(|device| {
            let ranges = device.registers.iter().zip(0..);
            LiveDevice {
                registers: ranges.map(|((base, size), number)| (number, *base, *size)).collect(),
                ..LiveDevice::default()
            }
        })
        .collect();
    let smmus = devices.iter().flat_map(|device| &device.streams).map(|word| (word >> 32) as usize + 1).max();
    let circumstances =
        Circumstances { translating: true, smmus: vec![ABLE; smmus.unwrap_or(0)], ..Circumstances::default() };
    Plan::new(system, index, &live, &circumstances)
}

/// Whether the machine decides how many slots the first functions of `component` take, and with it where all later grants
/// are: a guest's VMM holds the pages of BARs.
fn has_pages_of_bars(component: &Component) -> bool {
    component.devices.iter().any(|device| device.guest_slot.is_some() && is_function(&device.location))
}

/// Whether `grant` is behind those pages.
const fn is_behind(grant: &Grant) -> bool {
    !matches!(grant, Grant::RegionFrames { .. })
}

const fn is_function(location: &Location) -> bool {
    matches!(location, Location::Pci { .. })
}
