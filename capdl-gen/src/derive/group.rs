//! Devices that reach each other without an SMMU in between, and hence go to one owner.
//!
//! Who can have one device write into another's registers drives both, whatever the SMMU says about memory.

use sluice_spec::{Location, Step, System};

use super::conflict::Claim;
use super::place;
use crate::diagnostic::{At, Problem, Problems};
use crate::platform::Platform;
use crate::spec::{GroupKind, Place, Spec};

/// Devices of one group, as far as they are handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Together {
    /// What makes them a group, as a diagnostic says it.
    pub what: String,
    /// Positions in [`System::components`], and in the list of devices there.
    pub members: Vec<(usize, usize)>,
}

/// The groups of the devices that `system` hands out; those with one such device are left out.
#[must_use]
pub fn groups(spec: &Spec, platform: &Platform, system: &System) -> Vec<Together> {
    let devices: Vec<((usize, usize), &Location)> = system
        .components
        .iter()
        .enumerate()
        .flat_map(|(component, of)| {
            of.devices.iter().enumerate().map(move |(device, at)| ((component, device), &at.location))
        })
        .collect();
    let among = |what: String, is_member: &dyn Fn(&Location) -> bool| Together {
        what,
        members: devices.iter().filter(|(_, location)| is_member(location)).map(|(position, _)| *position).collect(),
    };
    let declared = resolve(spec, platform, &mut Problems::default());
    let mut all: Vec<Together> =
        declared.iter().map(|group| among(group.what(), &|location| group.has(location))).collect();
    let alone = |location: &&Location| declared.iter().all(|group| !group.has(location));
    let mut slots: Vec<Slot<'_>> =
        devices.iter().map(|(_, location)| *location).filter(alone).filter_map(slot).collect();
    slots.sort_unstable();
    slots.dedup();
    all.extend(slots.iter().map(|of| among(functions_of(*of), &|location| slot(location) == Some(*of))));
    all.retain(|group| group.members.len() > 1);
    all
}

/// Reports members that the platform does not have, and every two devices of a group that different owners get.
pub(super) fn check(claims: &[Claim<'_>], spec: &Spec, platform: &Platform, problems: &mut Problems) {
    let groups = resolve(spec, platform, problems);
    for (index, second) in claims.iter().enumerate() {
        for first in claims[..index].iter().filter(|first| first.owner != second.owner) {
            if let Some(group) = groups.iter().find(|group| group.has(&first.location) && group.has(&second.location)) {
                problems.push(split(first, second, &group.what()).at(group.name.span, "this group"));
            } else if let Some(of) = slot(&first.location).filter(|_| first.location != second.location)
                && Some(of) == slot(&second.location)
            {
                problems.push(split(first, second, &functions_of(of)));
            }
        }
    }
}

fn split(first: &Claim<'_>, second: &Claim<'_>, what: &str) -> Problem {
    Problem::new(format!("`{}` and `{}` cannot have different owners: {what}", first.name, second.name))
        .at(second.span, format!("`{}` goes to `{}`", second.name, second.owner))
        .at(first.span, format!("`{}` goes to `{}`", first.name, first.owner))
        .help("no SMMU is between them: who drives one can have it write into the registers of the other")
}

/// A group of the spec and where its members are.
struct Resolved<'a> {
    name: &'a At<String>,
    kind: GroupKind,
    members: Vec<Location>,
}

impl Resolved<'_> {
    fn what(&self) -> String {
        format!("{} `{}`", self.kind.what(), self.name.value)
    }

    /// Whether the device at `location` is in the group: with one function, all of them are.
    fn has(&self, location: &Location) -> bool {
        self.members.iter().any(|member| member == location || slot(member).is_some() && slot(member) == slot(location))
    }
}

fn resolve<'a>(spec: &'a Spec, platform: &Platform, problems: &mut Problems) -> Vec<Resolved<'a>> {
    let mut all: Vec<Resolved<'a>> = Vec::new();
    for group in &spec.groups {
        let mut members = Vec::new();
        for member in &group.members {
            let Some(location) = problems.keep(location(member, platform)) else { continue };
            if let Some(other) = all.iter().find(|other| other.has(&location)) {
                problems.push(
                    Problem::new(format!(
                        "a device is in the groups `{}` and `{}`",
                        other.name.value, group.name.value
                    ))
                    .at(member.span, "here")
                    .at(other.name.span, "and there")
                    .help("groups that have a device in common are one group"),
                );
            }
            members.push(location);
        }
        all.push(Resolved { name: &group.name, kind: group.kind, members });
    }
    all
}

fn location(place: &At<Place>, platform: &Platform) -> Result<Location, Problem> {
    let node = |path: &str| {
        let known = platform.nodes.iter().map(|node| node.path.as_str());
        platform.node(path).map(|node| Location::Node { path: node.path.clone() }).ok_or_else(|| {
            Problem::new(format!("{} has no device `{path}`", platform.name()))
                .at(place.span, "not in its device tree")
                .help_if(place::meant(path, known).map(|near| format!("did you mean `{near}`?")))
        })
    };
    match &place.value {
        Place::Pci(at) => {
            let host = platform.hosts.get(usize::from(at.host)).ok_or_else(|| {
                Problem::new(format!("{} has no PCI host {}", platform.name(), at.host))
                    .at(place.span, format!("it has {}", platform.hosts.len()))
            })?;
            // A group is told by ways, not by numbers: a member that nobody is given has no number.
            let (host, bridges) = (host.path.clone(), at.bridges.clone());
            Ok(Location::Pci { host, bridges, bus: at.bus, device: at.device, function: at.function })
        }
        Place::Node(path) => node(path),
        Place::Alias(name) => {
            let path = platform.alias(name).ok_or_else(|| {
                Problem::new(format!("{} has no alias `{name}`", platform.name()))
                    .at(place.span, "not in its device tree")
            })?;
            node(path)
        }
    }
}

/// Host, the bridges on the way, and device number.
type Slot<'a> = (&'a str, &'a [Step], u8);

/// Functions of one device: nothing says that one cannot reach the other inside of it (PCI Express 5.0, 6.12.1.2).
fn slot(location: &Location) -> Option<Slot<'_>> {
    match location {
        Location::Pci { host, bridges, device, .. } => Some((host, bridges, *device)),
        Location::Node { .. } | Location::Streams => None,
    }
}

fn functions_of((host, bridges, device): Slot<'_>) -> String {
    let behind = place::behind(bridges);
    format!("functions of the device {device:02x}{behind} of {host}")
}
