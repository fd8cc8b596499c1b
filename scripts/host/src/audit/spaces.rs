//! What processors reach in the address spaces of components, VMMs among them, against what the audit says: regions and registers
//! page by page and both ways, and of what a component has for itself that it is of the memory which the root task has set aside
//! for this component, and nobody else's.

use std::collections::BTreeMap;

use super::PAGE;
use super::compare::{Behind, Pages, Places, START, lay, reached};
use super::expected::{Audit, Party};
use super::told::{Made, Moment, Space};

/// Rights of registers.
pub(super) const REGISTERS: &str = "rw";

/// Every difference at `moment`, one line each. Address spaces are told of at the start: later they are their owners'.
pub(super) fn differences(audit: &Audit, moment: &Moment) -> Vec<String> {
    if moment.name != START {
        return Vec::new();
    }
    let mut twice = Vec::new();
    for (index, made) in moment.made.iter().enumerate() {
        let others = &moment.made[..index];
        let both = |other: &&Made| {
            other.memory.iter().any(|(base, _)| made.has(*base)) || made.memory.iter().any(|(base, _)| other.has(*base))
        };
        twice.extend(
            others
                .iter()
                .filter(both)
                .map(|other| format!("{} and {} are made of the same memory", other.name, made.name)),
        );
    }
    let nobodys = moment.spaces.iter().filter(|space| audit.components().all(|party| party.name != space.name));
    let mut lines: Vec<String> =
        nobodys.map(|space| format!("{} has an address space, and is no component", space.name)).collect();
    lines.extend(twice);
    lines.extend(
        moment.processors.keys().map(|at| format!("a virtual processor ({at:#x}) was there before any component")),
    );
    let mut owners = BTreeMap::new();
    for party in audit.components() {
        let said = match moment.spaces.iter().find(|space| space.name == party.name) {
            Some(space) => of_one(audit, party, moment, space, &mut owners),
            None => vec!["has no address space that was looked at".to_owned()],
        };
        lines.extend(said.into_iter().map(|line| format!("{} {line}", party.name)));
    }
    lines
}

/// Whose a page of physical memory is that is no region's.
pub(super) type Owners<'a> = BTreeMap<u64, &'a str>;

fn of_one<'a>(audit: &Audit, party: &'a Party, moment: &Moment, space: &Space, owners: &mut Owners<'a>) -> Vec<String> {
    if space.tables.is_none() || space.normal.is_empty() {
        return vec!["runs with no memory".to_owned()];
    }
    let (Some(normal), Some(device)) = (reached(&space.normal), reached(&space.device)) else {
        return vec!["reaches more than can be compared".to_owned()];
    };
    let places = Places { moment, shown: party.drives.iter().map(String::as_str).collect() };
    let mut lines = space.strange.clone();
    let mut all = normal.clone();
    all.extend(device.clone());
    let wanted = match wanted(audit, party, moment, &all) {
        Ok((wanted, missing)) => {
            lines.extend(missing);
            wanted
        }
        Err(line) => {
            lines.push(line);
            return lines;
        }
    };
    lines.extend(registers(party, moment, &device));
    let wrong_kind = |line: &str, pages: &Pages, is_wrong: &dyn Fn(&Behind) -> bool| {
        let first = pages.iter().find(|(_, behind)| is_wrong(behind));
        first.map(|(at, behind)| format!("reaches {at:#x} ({}, {}){line}", places.what(behind), behind.rights))
    };
    lines.extend(wrong_kind(" as if it were memory", &normal, &|behind| places.is_shown(behind)));
    lines.extend(wrong_kind(", which is no device's", &device, &|behind| is_private(&places, behind)));
    let (own, others): (Pages, Pages) =
        all.into_iter().partition(|(at, behind)| !wanted.contains_key(at) && is_private(&places, behind));
    lines.extend(places.joined(&places.compare(&others, &wanted)));
    let made = moment.made.iter().find(|made| made.name == party.name);
    let is_its = |behind: &Behind| behind.physical.is_some_and(|at| made.is_some_and(|made| made.has(at)));
    let strange = own.iter().find(|(at, behind)| normal.contains_key(at) && !is_its(behind));
    lines.extend(strange.map(|(at, behind)| {
        format!("reaches {at:#x} ({}, {}), which was not set aside for it", places.what(behind), behind.rights)
    }));
    lines.extend(shared(party, &own, owners));
    lines
}

/// Whose what components have for themselves is, page by page, at the start.
pub(super) fn owners<'a>(audit: &'a Audit, start: &Moment) -> Owners<'a> {
    let places = Places { moment: start, shown: Vec::new() };
    let mut owners = Owners::new();
    for party in audit.components() {
        let spaces = start.spaces.iter().filter(|space| space.name == party.name);
        let pages = spaces.filter_map(|space| reached(&space.normal)).flat_map(Pages::into_values);
        let own = pages.filter(|behind| is_private(&places, behind)).filter_map(|behind| behind.physical);
        own.for_each(|at| {
            owners.entry(at).or_insert(&party.name);
        });
    }
    owners
}

/// The region or register is none, so that it is memory that the audit does not name.
fn is_private(places: &Places<'_>, behind: &Behind) -> bool {
    behind.physical.is_some_and(|at| places.region(at).is_none() && places.registers(at).is_none())
}

/// What the audit says; a region without an address is wanted where its first page is found, and is told of when that is nowhere.
fn wanted(audit: &Audit, party: &Party, moment: &Moment, all: &Pages) -> Result<(Pages, Vec<String>), String> {
    let (mut pages, mut missing) = (Pages::new(), Vec::new());
    for (reach, at) in audit.mapped_by(party) {
        let memory = audit.memory(&reach.memory).ok_or_else(|| format!("reaches {}, which is none", reach.memory))?;
        if memory.private {
            continue;
        }
        let first = moment.regions.iter().find(|region| region.name == memory.name && region.offset == 0);
        let found = || all.iter().find(|(_, behind)| behind.physical == first.map(|region| region.physical));
        match at.or_else(|| found().map(|(at, _)| *at)) {
            Some(at) => lay(&mut pages, moment, memory, (at, &reach.rights))?,
            None => missing.push(format!("does not reach {}, {}", memory.name, reach.rights)),
        }
    }
    Ok((pages, missing))
}

/// Registers of its devices that a component lacks, or has with other rights. What it has of others' is more than is wanted.
fn registers(party: &Party, moment: &Moment, device: &Pages) -> Vec<String> {
    let mut lines = Vec::new();
    let mut found: BTreeMap<u64, &str> = BTreeMap::new();
    for behind in device.values() {
        found.extend(behind.physical.map(|at| (at, behind.rights.as_str())));
    }
    for of in moment.registers.iter().filter(|of| party.drives.contains(&of.device)) {
        let pages = (of.base..of.base + of.bytes).step_by(PAGE as usize);
        let wrong = pages.map(|at| (at, found.get(&at).copied())).find(|(_, rights)| *rights != Some(REGISTERS));
        lines.extend(wrong.map(|(at, rights)| match rights {
            Some(rights) => {
                format!("reaches registers of {} ({at:#x}) with {rights} instead of {REGISTERS}", of.device)
            }
            None => format!("does not reach registers of {} ({at:#x}, {REGISTERS})", of.device),
        }));
    }
    lines
}

/// Pages of a component's own that are another's too, a line for each other.
fn shared<'a>(party: &'a Party, own: &Pages, owners: &mut Owners<'a>) -> Vec<String> {
    let mut others: BTreeMap<&str, (u64, &Behind, u64)> = BTreeMap::new();
    for (at, behind) in own {
        let Some(physical) = behind.physical else { continue };
        let owner = *owners.entry(physical).or_insert(&party.name);
        if owner != party.name {
            others.entry(owner).or_insert((*at, behind, 0)).2 += PAGE;
        }
    }
    let line = |(owner, (at, behind, bytes)): (&str, (u64, &Behind, u64))| {
        let physical = behind.physical.unwrap_or_default();
        format!("reaches {bytes:#x} bytes of {owner}'s own memory, first at {at:#x} ({physical:#x}, {})", behind.rights)
    };
    others.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests;
