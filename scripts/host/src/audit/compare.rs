//! What a machine's streams reach against what the audit says they do: page by page, both ways.

use std::collections::BTreeMap;

use super::PAGE;
use super::expected::{Audit, Memory, Party};
use super::told::{Moment, Others, Piece, Stages, Stream};

/// The moment at which no component has run.
pub const START: &str = "start";
/// Nobody in a system that is compared reaches more pages: 64 GiB.
const MOST_PAGES: u64 = 1 << 24;

/// What lies behind a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Behind {
    pub(super) rights: String,
    /// Where; `None` where the audit cannot know, and any memory that is no region's will do.
    pub(super) physical: Option<u64>,
}

/// How a page differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Difference {
    Extra(Behind),
    Missing(Behind),
    Rights { found: Behind, wanted: Behind },
    Elsewhere { found: Behind, wanted: Behind },
}

pub(super) type Pages = BTreeMap<u64, Behind>;

/// Every difference of a stream at `moment`, one line each; none when hardware and audit say the same.
#[must_use]
pub(super) fn differences(audit: &Audit, moment: &Moment) -> Vec<String> {
    let mut lines = Vec::new();
    for (smmu, others) in &moment.smmus {
        match others {
            Others::Abort | Others::Off => {}
            Others::Bypass => lines.push(format!("SMMU {smmu} is off, and every stream of it reaches all memory")),
            Others::Incomplete => lines.push(format!("the stream table of SMMU {smmu} leads out of memory")),
        }
    }
    if moment.smmus.is_empty() && audit.devices().any(|device| !device.streams.is_empty()) {
        lines.push("no SMMU was looked at".to_owned());
    }
    for (name, stream) in &moment.streams {
        if !audit.devices().any(|device| device.streams.contains(name)) {
            lines.push(format!("{name} {}, and no device has that stream", does(stream.stages)));
        }
    }
    for device in audit.devices() {
        for name in &device.streams {
            let found = moment.streams.get(name);
            let whose = format!("{name} ({})", device.name);
            let said = match what_is_due(audit, device, moment) {
                Due::Anything => Vec::new(),
                Due::Abort => {
                    found.map(|stream| format!("{} instead of aborting", does(stream.stages))).into_iter().collect()
                }
                Due::Translation => translation(audit, device, moment, found),
            };
            lines.extend(said.into_iter().map(|line| format!("{whose} {line}")));
        }
    }
    lines
}

/// The streams that [`differences`] holds against more than abort.
#[must_use]
pub fn compared(audit: &Audit, moment: &Moment) -> usize {
    let devices = audit.devices().filter(|device| what_is_due(audit, device, moment) == Due::Translation);
    devices.map(|device| device.streams.iter().filter(|stream| moment.streams.contains_key(*stream)).count()).sum()
}

/// What a stream should be doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// Its owner has it by now, and decides.
    Anything,
    /// To abort: it is not bound yet, or masters nothing.
    Abort,
    /// What the audit says.
    Translation,
}

/// At the start a guest's device waits for its VMM; at a moment of its own it is bound, and others' may be whatever their owners
/// made of them.
fn what_is_due(audit: &Audit, device: &Party, moment: &Moment) -> Due {
    let starting = moment.name == START;
    if !starting && moment.name != device.name {
        return Due::Anything;
    }
    if device.mode == "none" || (starting && audit.is_guests(device)) { Due::Abort } else { Due::Translation }
}

fn translation(audit: &Audit, device: &Party, moment: &Moment, found: Option<&Stream>) -> Vec<String> {
    let Some(found) = found else {
        // A guest may let its device master before it has given it a stage 1.
        return if device.mode == "nested" { Vec::new() } else { vec![format!("aborts instead of {}", device.mode)] };
    };
    let as_it_should = match device.mode.as_str() {
        "s1" => found.stages == Stages::One,
        "s2" => found.stages == Stages::Two,
        // Stage 1 is the guest's, and it may want none.
        "nested" => matches!(found.stages, Stages::Two | Stages::Both),
        "bypass" => found.stages == Stages::Bypass,
        _ => false,
    };
    if !as_it_should {
        return vec![format!("{} instead of {}", does(found.stages), device.mode)];
    }
    let mut lines = found.strange.clone();
    let (wanted, unplaced) = match wanted(audit, device, moment) {
        Ok(wanted) => (wanted, None),
        Err(line) => (Pages::new(), Some(line)),
    };
    match (reached(&found.pieces), unplaced) {
        (_, Some(line)) => lines.push(line),
        (None, None) => lines.push("reaches more than can be compared".to_owned()),
        (Some(reached), None) => {
            let places = Places { moment, shown: shown(audit, device) };
            lines.extend(places.joined(&places.compare(&reached, &wanted)));
        }
    }
    lines
}

/// The pages of `pieces`, unless there are too many.
pub(super) fn reached(pieces: &[Piece]) -> Option<Pages> {
    let count: u64 = pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.bytes / PAGE));
    (count <= MOST_PAGES).then(|| {
        let pages = pieces.iter().flat_map(|piece| {
            (0..piece.bytes).step_by(PAGE as usize).map(|at| {
                let physical = Some(piece.physical.wrapping_add(at));
                (piece.iova.wrapping_add(at), Behind { rights: piece.rights.clone(), physical })
            })
        });
        pages.collect()
    })
}

/// What the audit says, with regions where the root task says they are; what it does not say as an error.
fn wanted(audit: &Audit, device: &Party, moment: &Moment) -> Result<Pages, String> {
    let mut pages = Pages::new();
    for (reach, at) in audit.reach_of(device) {
        let memory = audit.memory(&reach.memory).ok_or_else(|| format!("reaches {}, which is none", reach.memory))?;
        if memory.private {
            let offsets = (0..memory.bytes).step_by(PAGE as usize);
            pages.extend(offsets.map(|offset| (at + offset, Behind { rights: reach.rights.clone(), physical: None })));
        } else {
            lay(&mut pages, moment, memory, (at, &reach.rights))?;
        }
    }
    Ok(pages)
}

/// Adds the pages of a region from an address on; an error when the root task has not said where all of it is.
pub(super) fn lay(
    pages: &mut Pages,
    moment: &Moment,
    memory: &Memory,
    (at, rights): (u64, &str),
) -> Result<(), String> {
    let mut placed = 0;
    for region in moment.regions.iter().filter(|region| region.name == memory.name) {
        placed += region.bytes;
        pages.extend((0..region.bytes).step_by(PAGE as usize).map(|part| {
            let physical = Some(region.physical + part);
            (at + region.offset + part, Behind { rights: rights.to_owned(), physical })
        }));
    }
    match placed == memory.bytes {
        true => Ok(()),
        false => Err(format!("reaches {}, of which {placed:#x} bytes have a place", memory.name)),
    }
}

/// The devices whose registers a device may have in its address space: a guest's those of the guest.
fn shown<'a>(audit: &'a Audit, device: &'a Party) -> Vec<&'a str> {
    let own = audit.is_guests(device).then_some(&device.name);
    own.into_iter().flat_map(|own| device.drives.iter().chain([own])).map(String::as_str).collect()
}

pub(super) struct Places<'a> {
    pub(super) moment: &'a Moment,
    /// Devices whose registers may be anywhere.
    pub(super) shown: Vec<&'a str>,
}

impl Places<'_> {
    pub(super) fn compare(&self, reached: &Pages, wanted: &Pages) -> BTreeMap<u64, Difference> {
        let missing = wanted.iter().filter(|(at, _)| !reached.contains_key(at));
        let missing = missing.map(|(at, wanted)| (*at, Difference::Missing(wanted.clone())));
        let found = reached.iter().filter_map(|(at, found)| Some((*at, self.differs(found, wanted.get(at))?)));
        missing.chain(found).collect()
    }

    fn differs(&self, found: &Behind, wanted: Option<&Behind>) -> Option<Difference> {
        let Some(wanted) = wanted else {
            return (!self.is_shown(found)).then(|| Difference::Extra(found.clone()));
        };
        let (found, wanted) = (found.clone(), wanted.clone());
        let same = match (found.physical, wanted.physical) {
            (Some(physical), None) => self.region(physical).is_none() && self.registers(physical).is_none(),
            (found, wanted) => found == wanted,
        };
        match (same, found.rights == wanted.rights) {
            (true, true) => None,
            (true, false) => Some(Difference::Rights { found, wanted }),
            (false, _) => Some(Difference::Elsewhere { found, wanted }),
        }
    }

    pub(super) fn is_shown(&self, found: &Behind) -> bool {
        let device = found.physical.and_then(|physical| self.registers(physical));
        device.is_some_and(|device| self.shown.contains(&device))
    }

    pub(super) fn region(&self, physical: u64) -> Option<String> {
        let mut all = self.moment.regions.iter();
        let found = all.find(|region| (region.physical..region.physical + region.bytes).contains(&physical))?;
        Some(format!("{}+{:#x}", found.name, found.offset + (physical - found.physical)))
    }

    pub(super) fn registers(&self, physical: u64) -> Option<&str> {
        let mut all = self.moment.registers.iter();
        let found = all.find(|registers| (registers.base..registers.base + registers.bytes).contains(&physical))?;
        Some(&found.device)
    }

    /// What is there, for people.
    pub(super) fn what(&self, behind: &Behind) -> String {
        let Some(physical) = behind.physical else { return "memory of its VMM's".to_owned() };
        let registers = || self.registers(physical).map(|device| format!("registers of {device}"));
        let name = self.region(physical).or_else(registers);
        name.unwrap_or_else(|| format!("memory of no region, {physical:#x}"))
    }

    /// A line for each run of pages that differ in the same way.
    pub(super) fn joined(&self, differences: &BTreeMap<u64, Difference>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut all = differences.iter().peekable();
        while let Some((at, difference)) = all.next() {
            let mut bytes = PAGE;
            while all.next_if(|(next, other)| **next == at + bytes && difference.moved(bytes) == **other).is_some() {
                bytes += PAGE;
            }
            let (range, said) = (format!("{at:#x}+{bytes:#x}"), |behind| self.what(behind));
            lines.push(match difference {
                Difference::Extra(found) => {
                    format!("reaches {range} ({}, {}), which it should not", said(found), found.rights)
                }
                Difference::Missing(wanted) => {
                    format!("does not reach {range} ({}, {})", said(wanted), wanted.rights)
                }
                Difference::Rights { found, wanted } => {
                    format!("reaches {range} ({}) with {} instead of {}", said(found), found.rights, wanted.rights)
                }
                Difference::Elsewhere { found, wanted } => {
                    format!("reaches at {range} {} instead of {}", said(found), said(wanted))
                }
            });
        }
        lines
    }
}

impl Difference {
    /// The same, so many bytes on.
    fn moved(&self, bytes: u64) -> Self {
        let on = |behind: &Behind| Behind {
            rights: behind.rights.clone(),
            physical: behind.physical.map(|physical| physical + bytes),
        };
        match self {
            Self::Extra(found) => Self::Extra(on(found)),
            Self::Missing(wanted) => Self::Missing(on(wanted)),
            Self::Rights { found, wanted } => Self::Rights { found: on(found), wanted: on(wanted) },
            Self::Elsewhere { found, wanted } => Self::Elsewhere { found: on(found), wanted: on(wanted) },
        }
    }
}

const fn does(stages: Stages) -> &'static str {
    match stages {
        Stages::Bypass => "bypasses translation",
        Stages::One => "is translated by stage 1",
        Stages::Two => "is translated by stage 2",
        Stages::Both => "is translated by stages 1 and 2",
        Stages::Unknown => "has an entry that the kernel does not write",
    }
}

#[cfg(test)]
mod tests;
