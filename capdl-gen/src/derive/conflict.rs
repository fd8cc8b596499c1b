//! What no two devices may share: streams, places, pages of registers, and interrupts of different components.

use sluice_abi::PAGE_SIZE;
use sluice_abi::smmu::StreamId;
use sluice_spec::Location;

use super::place::{self, Found};
use crate::diagnostic::{Problem, Problems, Span};
use crate::platform::{Interrupt, Platform, Range};
use crate::spec::{Component, Device, RawStream, Spec};

/// What one device takes of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim<'a> {
    pub(super) owner: &'a str,
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) location: Location,
    streams: Vec<StreamId>,
    interrupt: Option<Interrupt>,
    registers: Vec<Range>,
    guest_slot: Option<u8>,
}

impl<'a> Claim<'a> {
    pub(super) fn of_device(component: &'a Component, device: &Device, found: &Found) -> Self {
        Self {
            owner: &component.name.value,
            name: format!("{}.{}", component.name.value, device.name.value),
            span: device.at.span,
            location: found.location.clone(),
            streams: found.streams.clone(),
            interrupt: found.interrupt,
            registers: found.registers.clone(),
            guest_slot: device.guest_slot,
        }
    }

    pub(super) fn of_stream(component: &'a Component, raw: &RawStream) -> Self {
        Self {
            owner: &component.name.value,
            name: format!("{}.smmu{}", component.name.value, raw.stream.smmu),
            span: raw.span,
            location: Location::Streams,
            streams: vec![raw.stream],
            interrupt: None,
            registers: Vec::new(),
            guest_slot: None,
        }
    }

    fn is_device(&self) -> bool {
        self.location != Location::Streams
    }
}

/// Reports every pair of claims that cannot both be met.
pub(super) fn check(claims: &[Claim<'_>], platform: &Platform, problems: &mut Problems) {
    for (index, second) in claims.iter().enumerate() {
        for first in &claims[..index] {
            if let Some(problem) = conflict(first, second).or_else(|| interrupt(first, second, claims, platform)) {
                problems.push(problem);
            }
        }
    }
}

/// There is one timer, and whoever has it serves the others.
pub(super) fn check_timer(spec: &Spec, problems: &mut Problems) {
    let mut owners = spec.components.iter().filter_map(|component| Some((&component.name.value, component.timer?)));
    let Some((first, at)) = owners.next() else { return };
    for (second, again) in owners {
        problems.push(
            Problem::new("the physical timer is given twice")
                .at(again, second)
                .at(at, first)
                .help("one component has it and serves the others over a channel"),
        );
    }
}

fn conflict(first: &Claim<'_>, second: &Claim<'_>) -> Option<Problem> {
    let point = |problem: Problem| Some(problem.at(second.span, &second.name).at(first.span, &first.name));
    if first.is_device() && first.location == second.location {
        return point(Problem::new("the same device is given twice"));
    }
    if is_bridge_above(first, second) || is_bridge_above(second, first) {
        return point(
            Problem::new("a device is given that is a bridge above another").help("bridges are the root task's alone"),
        );
    }
    if let Some(stream) = second.streams.iter().find(|stream| first.streams.contains(stream)) {
        return point(
            Problem::new(format!("SID {:#x} of SMMU {} is given twice", stream.sid, stream.smmu))
                .help("a stream has one owner, who may share what it reaches"),
        );
    }
    let shared = |range: &Range| first.registers.iter().any(|other| range.pages().overlaps(&other.pages()));
    if let Some(range) = second.registers.iter().find(|range| shared(range)) {
        return point(
            Problem::new(format!("the registers of two devices are in one page, at {:#x}", range.start))
                .help(format!("registers are mapped in pages of {PAGE_SIZE} bytes, and a page has one owner")),
        );
    }
    None
}

/// Whether the way to the device `below` goes through the function `claim`.
fn is_bridge_above(claim: &Claim<'_>, below: &Claim<'_>) -> bool {
    match (&claim.location, &below.location) {
        (
            Location::Pci { host, bridges, device, function, .. },
            Location::Pci { host: other, bridges: through, .. },
        ) => {
            let rest = through.strip_prefix(bridges.as_slice()).filter(|_| host == other);
            rest.and_then(<[_]>::first) == Some(&(*device, *function))
        }
        (Location::Pci { .. } | Location::Node { .. } | Location::Streams, _) => false,
    }
}

/// The problem of two components on one interrupt line.
fn interrupt(first: &Claim<'_>, second: &Claim<'_>, claims: &[Claim<'_>], platform: &Platform) -> Option<Problem> {
    let line = second.interrupt.filter(|line| first.interrupt.is_some_and(|other| other.intid == line.intid))?;
    if first.owner == second.owner {
        return guests_lines(first, second, line);
    }
    let slot = free_slot(second, claims, platform);
    let help = match slot {
        Some(slot) => format!("{slot} has a line of its own; or one of them says irq = \"none\""),
        None => "one of them must say irq = \"none\"".to_owned(),
    };
    Some(
        Problem::new(format!("`{}` and `{}` share interrupt {}", first.name, second.name, line.intid))
            .at(second.span, &second.name)
            .at(first.span, &first.name)
            .help(help),
    )
}

/// The problem of one line that would be two in a guest: it would be told of interrupts that its function did not raise.
fn guests_lines(first: &Claim<'_>, second: &Claim<'_>, line: Interrupt) -> Option<Problem> {
    /// Slots whose pins are on the same lines are this far apart.
    const LINES: u8 = 4;
    let (one, other) = (first.guest_slot?, second.guest_slot?);
    (one % LINES != other % LINES).then(|| {
        Problem::new(format!(
            "`{}` and `{}` share interrupt {}, but not in the guest",
            first.name, second.name, line.intid
        ))
        .at(second.span, format!("in slot {other} of the guest"))
        .at(first.span, format!("in slot {one} of the guest"))
        .help("slots that are a multiple of four apart share a line; without `slot` they are those of the machine")
    })
}

/// A slot beside the PCI function `claim` that nobody has, with an interrupt that no other component has.
fn free_slot(claim: &Claim<'_>, claims: &[Claim<'_>], platform: &Platform) -> Option<String> {
    let Location::Pci { host: path, bridges, bus, .. } = &claim.location else { return None };
    if !bridges.is_empty() {
        return None;
    }
    let host = platform.hosts.iter().find(|host| host.path == *path)?;
    let free = |slot: u8, line: Interrupt| {
        claims.iter().all(|other| {
            let there = matches!(&other.location, Location::Pci { host, bridges, device, .. }
                if host == path && bridges.first().map_or(*device, |(device, _)| *device) == slot);
            let elsewhere =
                other.interrupt.is_some_and(|taken| taken.intid == line.intid) && other.owner != claim.owner;
            !there && !elsewhere
        })
    };
    place::free_slot(host, free).map(|slot| format!("pci:{bus:02x}:{slot:02x}.0"))
}
