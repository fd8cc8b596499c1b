//! What the processors of guests reach in the address spaces that their VMMs make, against what the audit says: the guest's memory,
//! frame by frame and all of it, the registers of its own devices in one piece, and nothing else.
//!
//! Nothing of this is what a VMM says of its guest. The kernel tells of every address space that was made of a VMM's memory, and of
//! every virtual processor there is.

use super::PAGE;
use super::compare::{Behind, Difference, Pages, Places, START, lay, reached};
use super::expected::{Audit, Party};
use super::spaces::{Owners, REGISTERS, owners};
use super::told::{Made, Moment, Space};

/// The moment at which the system's run is over.
pub(super) const END: &str = "end";
/// Rights of a page that a VMM lends.
const LENT: &str = "rwx";

/// The name of the moment at which a guest has been made and has not run.
pub(super) fn made(guest: &str) -> String {
    format!("{guest} made")
}

/// The name of the moment at which a guest is over with its VMM.
fn over(guest: &str) -> String {
    format!("{guest} over")
}

/// What guests are held against beside the audit.
pub(super) struct Known<'a> {
    /// What was said before any component had run.
    start: &'a Moment,
    /// Whose own memory was what then.
    owners: Owners<'a>,
    /// Guests that have a page behind their memory.
    lent: &'a [String],
}

impl<'a> Known<'a> {
    pub(super) fn new(audit: &'a Audit, start: &'a Moment, lent: &'a [String]) -> Self {
        Self { start, owners: owners(audit, start), lent }
    }
}

/// Every difference of the guests that are told of at `moment`, one line each. At the start there is no guest yet, at the end there
/// are all, and in between it is one's moment.
pub(super) fn differences(audit: &Audit, moment: &Moment, known: &Known<'_>) -> Vec<String> {
    if moment.name == START {
        let spaces = moment.made.iter().filter(|made| audit.guests().any(|guest| guest.name == made.name));
        let early = spaces.filter(|made| of_guest(made, known).next().is_some());
        return early.map(|made| format!("{} has a guest before it has run", made.name)).collect();
    }
    let mut lines = Vec::new();
    for guest in audit.guests() {
        let own = guest.drives.contains(&moment.name) || moment.name == over(&guest.name);
        if moment.name != END && moment.name != made(&guest.name) && !own {
            continue;
        }
        let said = match moment.made.iter().find(|made| made.name == guest.name) {
            Some(made) => Look { audit, guest, moment, made, known }.differences(),
            None => vec!["has no address space that was looked at".to_owned()],
        };
        lines.extend(said.into_iter().map(|line| format!("{} (guest) {line}", guest.name)));
    }
    if moment.name == END {
        let nobodys = moment.processors.keys().filter(|at| !moment.made.iter().any(|made| made.has(**at)));
        lines.extend(nobodys.map(|at| format!("a virtual processor ({at:#x}) is no VMM's")));
    }
    lines
}

/// The address spaces of guests that [`differences`] holds against the audit.
pub(super) fn compared(moment: &Moment, known: &Known<'_>) -> usize {
    let made = moment.made.iter().filter(|_| moment.name != START);
    made.map(|made| of_guest(made, known).count()).sum()
}

/// Those of the address spaces made of a VMM's memory that are not its own, which is where it was at first in each of its lives.
fn of_guest<'a>(made: &'a Made, known: &Known<'_>) -> impl Iterator<Item = &'a Space> {
    let own = known.start.spaces.iter().find(|space| space.name == made.name).and_then(|space| space.tables);
    made.spaces.iter().filter(move |space| space.tables != own)
}

/// A guest at a moment.
struct Look<'a> {
    audit: &'a Audit,
    guest: &'a Party,
    moment: &'a Moment,
    made: &'a Made,
    known: &'a Known<'a>,
}

impl Look<'_> {
    /// Whether the guest is as it should be when it runs: its VMM is neither making it nor gone.
    fn is_whole(&self) -> bool {
        self.moment.name == made(&self.guest.name) || self.guest.drives.contains(&self.moment.name)
    }

    fn differences(&self) -> Vec<String> {
        let spaces: Vec<&Space> = of_guest(self.made, self.known).collect();
        let mut lines = Vec::new();
        if spaces.len() > 1 || (spaces.is_empty() && self.is_whole()) {
            lines.push(format!("has {} address spaces", spaces.len()));
        }
        lines.extend(self.processors(&spaces));
        lines.extend(spaces.into_iter().flat_map(|space| self.space(space)));
        lines
    }

    /// Those made of the VMM's memory, and no others, run with its guest's tables.
    fn processors(&self, spaces: &[&Space]) -> Vec<String> {
        let (own, others): (Vec<_>, Vec<_>) = self.moment.processors.iter().partition(|(at, _)| self.made.has(**at));
        if own.is_empty() && self.is_whole() {
            return vec!["has no processor".to_owned()];
        }
        let elsewhere = own.into_iter().filter_map(|(at, tables)| match tables {
            None if self.is_whole() => Some(format!("has a processor ({at:#x}) that reaches nothing")),
            Some(tables) if spaces.iter().all(|space| space.tables != Some(*tables)) => {
                Some(format!("has a processor ({at:#x}) with tables ({tables:#x}) that are not the guest's"))
            }
            None | Some(_) => None,
        });
        let is_guests = |tables: &&Option<u64>| spaces.iter().any(|space| space.tables == **tables);
        let strange = others.into_iter().filter(|(_, tables)| is_guests(tables));
        let strange = strange.map(|(at, _)| format!("has a processor ({at:#x}) that its VMM did not make"));
        elsewhere.chain(strange).collect()
    }

    fn space(&self, space: &Space) -> Vec<String> {
        let (Some(normal), Some(device)) = (reached(&space.normal), reached(&space.device)) else {
            return vec!["reaches more than can be compared".to_owned()];
        };
        let wanted = match self.wanted() {
            Ok(wanted) => wanted,
            Err(line) => return vec![line],
        };
        let places = Places { moment: self.moment, shown: Vec::new() };
        let mut lines = space.strange.clone();
        let mut differing = places.compare(&normal, &wanted);
        if !self.is_whole() {
            differing.retain(|_, difference| !matches!(difference, Difference::Missing(_)));
        }
        lines.extend(places.joined(&differing));
        lines.extend(self.of_others(&normal, &wanted));
        lines.extend(self.registers(&device));
        lines
    }

    /// What the audit says, and the page that is lent.
    fn wanted(&self) -> Result<Pages, String> {
        let (mut pages, mut end) = (Pages::new(), None);
        for (reach, at) in self.audit.mapped_by(self.guest) {
            let unplaced = || format!("reaches {}, which has no place", reach.memory);
            let (memory, at) = self.audit.memory(&reach.memory).zip(at).ok_or_else(unplaced)?;
            if memory.private {
                let pages_of = (0..memory.bytes).step_by(PAGE as usize);
                let behind = || Behind { rights: reach.rights.clone(), physical: None };
                pages.extend(pages_of.map(|offset| (at + offset, behind())));
            } else {
                if self.moment.regions.iter().any(|region| region.name == memory.name) || self.is_whole() {
                    lay(&mut pages, self.moment, memory, (at, &reach.rights))?;
                }
                end = end.max(Some(at + memory.bytes));
            }
        }
        if let Some(end) = end.filter(|_| self.known.lent.contains(&self.guest.name)) {
            pages.insert(end, Behind { rights: LENT.to_owned(), physical: None });
        }
        Ok(pages)
    }

    /// Pages that the VMM shows its guest are made of the VMM's memory, and not what a component has for itself.
    fn of_others(&self, normal: &Pages, wanted: &Pages) -> Vec<String> {
        let shown = wanted.iter().filter(|(_, behind)| behind.physical.is_none());
        let found = shown.filter_map(|(at, _)| Some((at, normal.get(at)?.physical?)));
        let lines = found.filter_map(|(at, physical)| match self.known.owners.get(&physical) {
            Some(owner) => Some(format!("reaches at {at:#x} {owner}'s own memory ({physical:#x})")),
            None if !self.made.has(physical) => Some(format!("reaches at {at:#x} memory of others ({physical:#x})")),
            None => None,
        });
        lines.collect()
    }

    /// Registers are of the guest's devices, to be read and written, and where they are, all of a range are, one after the other.
    fn registers(&self, device: &Pages) -> Vec<String> {
        let places = Places { moment: self.moment, shown: self.guest.drives.iter().map(String::as_str).collect() };
        let foreign = device.iter().filter(|(_, behind)| !places.is_shown(behind));
        let foreign: Vec<_> = foreign.map(|(at, behind)| (*at, Difference::Extra(behind.clone()))).collect();
        let mut lines = places.joined(&foreign.into_iter().collect());
        for of in self.moment.registers.iter().filter(|of| self.guest.drives.contains(&of.device)) {
            let within = |behind: &Behind| behind.physical.filter(|at| (of.base..of.base + of.bytes).contains(at));
            let found = device.iter().filter_map(|(at, behind)| Some((*at, within(behind)?, behind.rights.as_str())));
            let found: Vec<(u64, u64, &str)> = found.collect();
            let Some((first, physical, _)) = found.first().copied() else { continue };
            let start = first.wrapping_sub(physical - of.base);
            if let Some((at, _, rights)) = found.iter().find(|(.., rights)| *rights != REGISTERS) {
                lines.push(format!(
                    "reaches registers of {} at {at:#x} with {rights} instead of {REGISTERS}",
                    of.device
                ));
            }
            let is_whole = found.len() as u64 * PAGE == of.bytes;
            let moved = found.iter().find(|(at, physical, _)| at.wrapping_sub(physical - of.base) != start);
            if let Some((at, physical, _)) = moved {
                let offset = physical - of.base;
                lines.push(format!(
                    "reaches registers of {} ({:#x}) at {at:#x}, +{offset:#x}, out of order",
                    of.device, of.base
                ));
            } else if !is_whole && self.is_whole() {
                lines.push(format!("reaches {} pages of registers of {} ({:#x})", found.len(), of.device, of.base));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests;
