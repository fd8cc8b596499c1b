//! Who reaches which memory, and whether the policy allows it.
//!
//! Reach here is direct: the regions a component maps, and those its devices are given. Memory that moves later, by
//! capabilities sent over channels or made from a component's own Untyped, was the sender's to give. A device that
//! bypasses translation reaches everything, and its driver with it.

use sluice_spec::{Component, Device, Mode, System};

use crate::diagnostic::{Problem, Problems};
use crate::spec::{Denial, Object, Spec, Subject};
use crate::suggest;

/// Checks the policy of `spec` against the system derived from it.
pub fn check(spec: &Spec, system: &System) -> Problems {
    let mut problems = Problems::default();
    for denial in &spec.policy.deny_reach {
        match breaches(denial, system) {
            Ok(found) => {
                for problem in found {
                    problems.push(problem);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// A named part of a system and the regions it is given, with the way it reaches each.
struct Part {
    component: usize,
    reach: Vec<(u32, String)>,
    /// What of it reaches all memory, whatever it is given.
    unconfined: Vec<String>,
}

fn breaches(denial: &Denial, system: &System) -> Result<Vec<Problem>, Problem> {
    let target = target(denial, system)?;
    let subjects: Vec<Part> = match &denial.subject {
        Subject::Any => {
            let all = 0..system.components.len();
            all.filter(|index| target.owner != Some(*index)).map(|index| component(index, system)).collect()
        }
        Subject::Component(name) => vec![component(find_component(name, denial, system)?, system)],
        Subject::Device(name, device) => vec![find_device(name, device, denial, system)?],
    };
    let mut problems = Vec::new();
    for subject in subjects.iter().filter(|subject| target.owner != Some(subject.component)) {
        for how in &subject.unconfined {
            problems.push(
                Problem::new(format!("the system breaks its rule `{}`", denial.text))
                    .at(denial.span, format!("{how} reaches all memory")),
            );
        }
        for (region, how) in &subject.reach {
            if target.regions.contains(region) {
                let name = &system.regions[*region as usize].name;
                problems.push(
                    Problem::new(format!("the system breaks its rule `{}`", denial.text))
                        .at(denial.span, format!("{how} reaches `{name}`")),
                );
            }
        }
    }
    Ok(problems)
}

/// What a rule protects, and the component it belongs to.
struct Target {
    owner: Option<usize>,
    regions: Vec<u32>,
}

fn target(denial: &Denial, system: &System) -> Result<Target, Problem> {
    let of = |part: Part| Target {
        owner: Some(part.component),
        regions: part.reach.into_iter().map(|(region, _)| region).collect(),
    };
    match &denial.object {
        // No region is the kernel's memory; only what bypasses translation reaches it.
        Object::Kernel => Ok(Target { owner: None, regions: Vec::new() }),
        Object::Component(name) => Ok(of(component(find_component(name, denial, system)?, system))),
        Object::Device(name, device) => Ok(of(find_device(name, device, denial, system)?)),
        Object::Region(name) => {
            let names = system.regions.iter().map(|region| region.name.as_str());
            let index = names.clone().position(|candidate| candidate == name);
            let index = index.ok_or_else(|| unknown("memory region", name, names, denial))?;
            Ok(Target { owner: None, regions: vec![index as u32] })
        }
    }
}

fn find_component(name: &str, denial: &Denial, system: &System) -> Result<usize, Problem> {
    let names = system.components.iter().map(|component| component.name.as_str());
    names.clone().position(|candidate| candidate == name).ok_or_else(|| unknown("component", name, names, denial))
}

fn find_device(name: &str, device: &str, denial: &Denial, system: &System) -> Result<Part, Problem> {
    let component = find_component(name, denial, system)?;
    let devices = &system.components[component].devices;
    let names = devices.iter().map(|device| device.name.as_str());
    let index = names.clone().position(|candidate| candidate == device);
    let index = index.ok_or_else(|| unknown(&format!("device of `{name}` called"), device, names, denial))?;
    let (owner, device) = (&system.components[component], &devices[index]);
    Ok(Part {
        component,
        reach: by_device(owner, device).collect(),
        unconfined: bypassing(owner, device).into_iter().collect(),
    })
}

fn component(index: usize, system: &System) -> Part {
    let component = &system.components[index];
    let mut reach: Vec<(u32, String)> =
        component.maps.iter().map(|map| (map.region, format!("`{}`", component.name))).collect();
    for device in &component.devices {
        reach.extend(by_device(component, device));
    }
    let unconfined = component.devices.iter().flat_map(|device| bypassing(component, device)).collect();
    Part { component: index, reach, unconfined }
}

fn by_device<'a>(component: &'a Component, device: &'a Device) -> impl Iterator<Item = (u32, String)> + 'a {
    let how = move || format!("`{}.{}` (DMA)", component.name, device.name);
    // A guest's device reaches what the guest does.
    let guests = component.guest.as_ref().filter(|_| device.guest_slot.is_some() && device.mode != Mode::None);
    let dma = device.dma.iter().map(|dma| dma.region);
    dma.chain(guests.map(|guest| guest.ram)).map(move |region| (region, how()))
}

fn bypassing(component: &Component, device: &Device) -> Option<String> {
    (device.mode == Mode::Bypass).then(|| format!("`{}.{}` (bypass)", component.name, device.name))
}

fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>, denial: &Denial) -> Problem {
    Problem::new(format!("there is no {kind} `{name}`"))
        .at(denial.span, "not defined")
        .help_if(suggest::help(name, names))
}
