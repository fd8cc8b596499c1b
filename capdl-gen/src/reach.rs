//! Who reaches which memory, and whether the policy allows it.
//!
//! Reach here is direct: the regions a component maps, and those its devices are given. Memory that moves later, by
//! capabilities sent over channels or made from a component's own Untyped, was the sender's to give. A device that
//! bypasses translation reaches everything, and its driver with it; so does a device that no SMMU separates from another
//! reach what the other does.

use sluice_spec::{Component, Device, Mode, Perms, System};
use sluice_vmm::layout::RAM_BASE;

use crate::audit::rights;
use crate::derive::Together;
use crate::diagnostic::{Problem, Problems};
use crate::spec::{Denial, Object, Pattern, Spec, Subject};
use crate::suggest;

/// Checks the policy of `spec` against the system derived from it, whose devices form `groups`.
pub fn check(spec: &Spec, system: &System, groups: &[Together]) -> Problems {
    let mut problems = Problems::default();
    for denial in &spec.policy.deny_reach {
        match parties(denial, system, groups) {
            Ok((subjects, targets)) => breaches(denial, &subjects, &targets, system, &mut problems),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// The pairs of names that a rule is about; none when it is about names that are not there.
#[must_use]
pub fn pairs(denial: &Denial, system: &System, groups: &[Together]) -> Vec<(String, String)> {
    let Ok((subjects, targets)) = parties(denial, system, groups) else { return Vec::new() };
    let pairs = targets.iter().flat_map(|target| {
        let others = subjects.iter().filter(|subject| subject.is_other_than(target));
        others.map(|subject| (subject.name.clone(), target.name.clone()))
    });
    pairs.collect()
}

/// A part of a system and the regions it is given, with the way to each.
struct Part {
    name: String,
    component: usize,
    reach: Vec<(u32, String)>,
    /// The ways to all memory, whatever it is given.
    unconfined: Vec<String>,
}

/// What a rule protects, and the component it belongs to.
struct Target {
    name: String,
    owner: Option<usize>,
    regions: Vec<u32>,
}

impl Part {
    /// Whether the rule is about the two: what an owner does with its own is its business.
    fn is_other_than(&self, target: &Target) -> bool {
        target.owner != Some(self.component)
    }
}

fn breaches(denial: &Denial, subjects: &[Part], targets: &[Target], system: &System, problems: &mut Problems) {
    let mut found: Vec<String> = Vec::new();
    for target in targets {
        for subject in subjects.iter().filter(|subject| subject.is_other_than(target)) {
            found.extend(subject.unconfined.iter().map(|way| format!("{way} -> all memory")));
            let reached = subject.reach.iter().filter(|(region, _)| target.regions.contains(region));
            found.extend(reached.map(|(region, way)| format!("{way} -> `{}`", system.regions[*region as usize].name)));
        }
    }
    found.sort_unstable();
    found.dedup();
    for way in found {
        problems.push(Problem::new(format!("the system breaks its rule `{}`", denial.text)).at(denial.span, way));
    }
}

fn parties(denial: &Denial, system: &System, groups: &[Together]) -> Result<(Vec<Part>, Vec<Target>), Problem> {
    let subjects = match &denial.subject {
        Subject::Component(component) => components(component, denial, system)?,
        Subject::Device(component, device) => devices(component, device, denial, system, groups)?,
    };
    let of = |part: Part| Target {
        name: part.name,
        owner: Some(part.component),
        regions: part.reach.into_iter().map(|(region, _)| region).collect(),
    };
    let targets = match &denial.object {
        // No region is the kernel's memory; only what bypasses translation reaches it.
        Object::Kernel => vec![Target { name: "kernel".to_owned(), owner: None, regions: Vec::new() }],
        Object::Component(component) => components(component, denial, system)?.into_iter().map(of).collect(),
        // What another device of its group is given is not this one's to protect.
        Object::Device(component, device) => {
            devices(component, device, denial, system, &[])?.into_iter().map(of).collect()
        }
        Object::Region(name) => {
            let names = system.regions.iter().map(|region| region.name.as_str());
            let found = matching(name, "memory region", names, denial)?.into_iter();
            let target = |index: usize| Target {
                name: system.regions[index].name.clone(),
                owner: None,
                regions: vec![index as u32],
            };
            found.map(target).collect()
        }
    };
    Ok((subjects, targets))
}

/// The positions in `names` of those that `pattern` means: one at least.
fn matching<'a>(
    pattern: &Pattern,
    kind: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    denial: &Denial,
) -> Result<Vec<usize>, Problem> {
    let found = names.clone().enumerate().filter(|(_, name)| pattern.matches(name));
    let found: Vec<usize> = found.map(|(index, _)| index).collect();
    if !found.is_empty() || pattern.as_str() == "*" {
        return Ok(found);
    }
    Err(if pattern.is_wild() {
        Problem::new(format!("there is no {kind} like `{}`", pattern.as_str())).at(denial.span, "a rule about nothing")
    } else {
        Problem::new(format!("there is no {kind} `{}`", pattern.as_str())).at(denial.span, "not defined")
    }
    .help_if(suggest::help(pattern.as_str(), names)))
}

fn components(name: &Pattern, denial: &Denial, system: &System) -> Result<Vec<Part>, Problem> {
    let names = system.components.iter().map(|component| component.name.as_str());
    Ok(matching(name, "component", names, denial)?.into_iter().map(|index| component(index, system)).collect())
}

fn devices(
    component: &Pattern,
    device: &Pattern,
    denial: &Denial,
    system: &System,
    groups: &[Together],
) -> Result<Vec<Part>, Problem> {
    let names = system.components.iter().map(|component| component.name.as_str());
    let owners = matching(component, "component", names, denial)?;
    let mut found = Vec::new();
    for owner in &owners {
        for (index, candidate) in system.components[*owner].devices.iter().enumerate() {
            if device.matches(&candidate.name) {
                found.push(of_device((*owner, index), system, groups));
            }
        }
    }
    if found.is_empty() {
        let names = owners.iter().flat_map(|owner| &system.components[*owner].devices);
        let kind = format!("device of `{}` called", component.as_str());
        matching(device, &kind, names.map(|device| device.name.as_str()), denial)?;
    }
    Ok(found)
}

fn of_device(position: (usize, usize), system: &System, groups: &[Together]) -> Part {
    let name = name(position, system);
    let mut part = Part { component: position.0, reach: Vec::new(), unconfined: Vec::new(), name };
    add_device(&mut part, position, "", system);
    for group in groups.iter().filter(|group| group.members.contains(&position)) {
        for other in group.members.iter().filter(|other| **other != position) {
            let before = format!("`{}` -> ", part.name);
            add_device(&mut part, *other, &before, system);
        }
    }
    part
}

fn component(index: usize, system: &System) -> Part {
    let component = &system.components[index];
    let way = |perms: Perms| format!("`{}` (CPU, {})", component.name, rights(perms));
    let reach = component.maps.iter().map(|map| (map.region, way(map.perms))).collect();
    let mut part = Part { name: component.name.clone(), component: index, reach, unconfined: Vec::new() };
    let before = format!("`{}` -> ", component.name);
    for device in 0..component.devices.len() {
        add_device(&mut part, (index, device), &before, system);
    }
    part
}

/// What the device at `position` reaches, by the way that begins with `before`.
fn add_device(part: &mut Part, position: (usize, usize), before: &str, system: &System) {
    let component = &system.components[position.0];
    let device = &component.devices[position.1];
    let name = name(position, system);
    part.reach.extend(by_device(component, device, &format!("{before}`{name}`")));
    if device.mode == Mode::Bypass {
        part.unconfined.push(format!("{before}`{name}` (bypass)"));
    }
}

fn by_device<'a>(
    component: &'a Component,
    device: &'a Device,
    way: &'a str,
) -> impl Iterator<Item = (u32, String)> + 'a {
    let how = move |perms: Perms, at: u64| format!("{way} (DMA, {} at {at:#x})", rights(perms));
    // A guest's device reaches what the guest does.
    let guests = component.guest.as_ref().filter(|_| device.guest_slot.is_some() && device.mode != Mode::None);
    let all = Perms { read: true, write: true, execute: false };
    let dma = device.dma.iter().map(move |dma| (dma.region, how(dma.perms, dma.iova)));
    dma.chain(guests.map(move |guest| (guest.ram, how(all, RAM_BASE))))
}

fn name((component, device): (usize, usize), system: &System) -> String {
    let component = &system.components[component];
    format!("{}.{}", component.name, component.devices[device].name)
}
