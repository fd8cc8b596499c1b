//! The educational device of the tests, as far as it masters memory; and what comes of one that the SMMU does not see.

use std::collections::BTreeMap;

use sluice_abi::Iova;
use sluice_abi::smmu::{Record, StreamId};

use super::kernel::{Fake, Step};
use super::*;
use crate::pci::Access;

const STREAM: StreamId = StreamId { smmu: 0, sid: 0x08 };
const SOURCE: u64 = 0x80;
const COMMAND: u64 = 0x98;

#[derive(Default)]
pub(super) struct Edu {
    /// What 64-bit registers hold.
    pub(super) registers: BTreeMap<u64, u64>,
    pub(super) record: Option<Record>,
    /// What it masters does not come to the SMMU.
    pub(super) past: bool,
    /// Address bits that it emits; 0 for all.
    pub(super) bits: u32,
}

impl Fake {
    /// What happened after the device had been tried in front of an empty address space, which ends with its stream unbound.
    pub(super) fn for_good(&self) -> &[Step] {
        let tried = self.steps.iter().position(|step| *step == Step::Unbound(STREAM)).map_or(0, |end| end + 1);
        let own =
            |step: &Step| [Step::Bound(STREAM), Step::Mastering(EDU), Step::Quiet(EDU), Step::Revoked].contains(step);
        assert!(self.steps[..tried.saturating_sub(1)].iter().all(own), "{:?}", self.steps);
        let rest = &self.steps[tried..];
        rest.strip_prefix(&[Step::Revoked]).unwrap_or(rest)
    }

    /// A store to a register of the device.
    pub(super) fn master(&mut self, physical: u64, value: u32) {
        if physical & 0xfff != COMMAND || value & 1 == 0 {
            return;
        }
        assert!(self.host.read(EDU, 4) & 4 != 0, "it may master");
        let space = self.contexts[&self.bindings[&STREAM.sid]];
        assert!(self.spaces[&space].mappings.is_empty(), "it reaches nothing");
        let mask = u64::MAX.checked_shr(u64::BITS - self.edu.bits).unwrap_or(u64::MAX);
        let iova = Iova(self.edu.registers[&SOURCE] & mask);
        let record = Record { event: 0x10, stream: STREAM, iova, ipa: 0, flags: Record::READ, dropped: 0 };
        self.edu.record = (!self.edu.past).then_some(record);
    }
}

fn boot_with(edu: Edu) -> Fake {
    let mut fake = Fake { edu, ..Fake::new(&UNTYPEDS, host()) };
    let outcome = boot_then(&mut fake, TREE, system(), |_| ());
    assert_eq!(outcome, Ok(()));
    fake
}

/// The line about the device.
fn said(fake: &Fake) -> &str {
    let said: Vec<_> = fake.lines.iter().filter(|line| line.starts_with("rogue.edu ")).collect();
    assert_eq!(said.len(), 1, "{:#?}", fake.lines);
    said[0]
}

#[test]
fn a_device_that_the_smmu_sees_is_handed_out() {
    let fake = boot_with(Edu::default());
    assert_eq!(said(&fake), "rogue.edu is behind SMMU 0: it refused a read by stream 0:0x0008");
    assert!(fake.host.read(EDU, 4) & 4 != 0);
    // It was quiet and unbound again before it was bound for good.
    let about: Vec<_> = fake
        .steps
        .iter()
        .filter(|step| {
            [Step::Bound(STREAM), Step::Unbound(STREAM), Step::Mastering(EDU), Step::Quiet(EDU)].contains(step)
        })
        .collect();
    let expected = [
        Step::Bound(STREAM),
        Step::Mastering(EDU),
        Step::Quiet(EDU),
        Step::Unbound(STREAM),
        Step::Bound(STREAM),
        Step::Mastering(EDU),
    ];
    let at = |wanted: &Step, from: usize| about[from..].iter().position(|step| *step == wanted).map(|at| at + from);
    let mut from = 0;
    for step in [&expected[0], &expected[1], &expected[4], &expected[5]] {
        from = at(step, from).unwrap_or_else(|| panic!("{step:?} of {about:?}")) + 1;
    }
    assert_eq!(about.iter().filter(|step| ***step == Step::Unbound(STREAM)).count(), 1);
    assert_eq!(about.iter().filter(|step| ***step == Step::Quiet(EDU)).count(), 1);
}

#[test]
fn a_device_that_the_smmu_does_not_see_is_nobodys() {
    let fake = boot_with(Edu { past: true, ..Edu::default() });
    assert!(
        said(&fake).starts_with("rogue.edu QUARANTINED: it mastered memory, and SMMU 0 saw nothing of stream 0:0x0008")
    );
    assert_eq!(fake.host.read(EDU, 4) & 0b111, 0, "it neither decodes nor masters");
    let rogue = thread(&fake, ROGUE).clone();
    let resumed: Vec<u64> =
        fake.steps.iter().filter_map(|step| if let Step::Resumed(at) = step { Some(*at) } else { None }).collect();
    assert_eq!(resumed.len(), 2);
    assert!(resumed.iter().all(|at| fake.threads[at].cnode != rogue.cnode), "its owner does not run");
}

#[test]
fn a_device_that_emits_fewer_bits_is_told_of() {
    let fake = boot_with(Edu { bits: 30, ..Edu::default() });
    assert!(said(&fake).contains("emits fewer than 64 address bits"), "{}", said(&fake));
}
