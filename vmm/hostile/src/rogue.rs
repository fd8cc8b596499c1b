//! A device that masters memory, behind an SMMU of the guest's, and what of other people's it is aimed at.

use sluice_hostile::place::{FREE, RAM, RAM_BYTES};

use crate::edu::Edu;
use crate::report::Report;
use crate::smmu::{self, Entry, Smmu, command};
use crate::stage1::{self, Stage1};
use sluice_bare::Given;
use sluice_bare::machine::{barrier, load, store};

/// What the device is to carry into others' memory, and to bring none of.
pub(crate) const MARK: u64 = 0x1bad_b002_dead_bea7;
/// One beat, which leaves one record.
pub(crate) const BEAT: u64 = 8;
/// Most targets that are attacked.
const MOST: usize = 8;

/// Memory of the guest's behind what else it uses: a page with [`MARK`], one where what was read arrives, two more to be
/// written; then the SMMU's, the tables of stage 1, and those of another.
pub(crate) const HELD: u64 = FREE + 0x10_0000;
pub(crate) const ARRIVED: u64 = HELD + 0x1000;
pub(crate) const OTHER: [u64; 2] = [HELD + 0x2000, HELD + 0x3000];
const SMMU: u64 = FREE + 0x12_0000;
const TABLES: u64 = FREE + 0x13_0000;
pub(crate) const SECOND_TABLES: u64 = TABLES + stage1::BYTES;
/// Where the device has these pages, in pages of its stage 1; those of targets follow.
pub(crate) const AT_HELD: u64 = 1;
pub(crate) const AT_ARRIVED: u64 = 2;
pub(crate) const AT_OTHER: [u64; 2] = [3, 4];
pub(crate) const AT_TARGETS: u64 = 16;
/// What an honest stage 1 does not map.
pub(crate) const UNMAPPED: u64 = 0xff << 12;

/// Memory of others.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Where it is in the machine.
    pub(crate) at: u64,
}

/// What the VMM tells: `sluice.targets=NAME=ADDRESS,...`, and where the guest's memory is in the machine, `sluice.ram=ADDRESS`.
pub(crate) struct Told {
    targets: [Option<Target>; MOST],
    pub(crate) ram: Option<u64>,
}

impl Told {
    pub(crate) fn read(given: Given) -> Self {
        let mut targets = [None; MOST];
        let named =
            given.word("sluice.targets=").unwrap_or_default().split(',').filter_map(|target| target.split_once('='));
        let named = named.filter_map(|(name, at)| Some(Target { name, at: number(at)? }));
        targets.iter_mut().zip(named).for_each(|(place, target)| *place = Some(target));
        Self { targets, ram: given.word("sluice.ram=").and_then(number) }
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> {
        self.targets.into_iter().flatten()
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The device and the SMMU before it.
pub(crate) struct Rogue {
    pub(crate) edu: Edu,
    pub(crate) smmu: Smmu,
    pub(crate) stage1: Stage1,
}

impl Rogue {
    /// Turns the SMMU on, with an honest stage 1 for the device.
    pub(crate) fn translated(edu: Edu) -> Self {
        let rogue = Self { edu, smmu: Smmu::start(SMMU), stage1: Stage1::new(TABLES) };
        rogue.honest();
        rogue
    }

    /// The device's stream.
    pub(crate) const fn stream(&self) -> u64 {
        self.edu.function.stream()
    }

    /// An honest stage 1: four pages of the guest's own. Whether the SMMU has it.
    pub(crate) fn honest(&self) -> bool {
        let stage1 = Stage1::new(TABLES);
        map_own(stage1, 0);
        self.smmu.issue(&[command::TLBI_ALL]) && self.use_descriptor(stage1.descriptor())
    }

    /// Has the SMMU use the context descriptor at an address.
    pub(crate) fn use_descriptor(&self, at: u64) -> bool {
        self.smmu.configure(self.stream(), Entry::Stage1(at))
    }

    /// Has whatever the SMMU remembers of descriptor and tables forgotten.
    pub(crate) fn forget(&self) -> bool {
        self.smmu.issue(&[command::descriptor(self.stream()), command::TLBI_ALL])
    }

    /// The device's way to its own memory and back, a page of it: the same transfers that others' memory is attacked by.
    pub(crate) fn control(&self, report: &mut Report, name: &str) {
        both_ways(self.edu, report, name, AT_HELD << 12, AT_ARRIVED << 12);
    }

    /// Has the device, with the mark in its hands, read from an address, bring what it has then home, and write that to the
    /// address; the guest's pages are where the device has them. What it brought.
    pub(crate) fn attack(&self, address: u64, held: u64, arrived: u64) -> u64 {
        store(ARRIVED, 8, 0);
        self.edu.fetch(held, BEAT);
        self.edu.fetch(address, BEAT);
        self.edu.put(arrived, BEAT);
        self.edu.put(address, BEAT);
        load(ARRIVED, 8)
    }
}

/// Maps the four pages of the guest's own in a stage 1; of each it says that it is `offset` further.
pub(crate) fn map_own(stage1: Stage1, offset: u64) {
    for (number, at) in [(AT_HELD, HELD), (AT_ARRIVED, ARRIVED), (AT_OTHER[0], OTHER[0]), (AT_OTHER[1], OTHER[1])] {
        stage1.page(number, at + offset);
    }
}

/// Copies a page from `held` to the device, and from there to `arrived`.
pub(crate) fn both_ways(edu: Edu, report: &mut Report, name: &str, held: u64, arrived: u64) {
    let words = || (0..0x1000).step_by(8);
    for at in words() {
        store(HELD + at, 8, MARK ^ at);
        store(ARRIVED + at, 8, 0);
    }
    barrier();
    let ended = edu.fetch(held, 0x1000) && edu.put(arrived, 0x1000);
    barrier();
    let moved = words().filter(|at| load(ARRIVED + at, 8) == MARK ^ at).count();
    report.check(
        name,
        ended && moved == 512,
        format_args!("{moved} of 512 words of a page went to the device and came back"),
    );
}

/// Whether an address is, in the machine, none that the guest has memory at: it would lead there.
pub(crate) fn is_foreign(address: u64) -> bool {
    !(RAM..RAM + RAM_BYTES).contains(&address)
}

/// Whether what a device brought is nothing of others'.
pub(crate) fn is_nothing(brought: u64) -> bool {
    brought == 0 || brought == MARK
}

/// Whether an event is of this kind and about this stream.
pub(crate) fn is_event(event: Option<[u64; 4]>, kind: u64, stream: u64) -> bool {
    event.is_some_and(|[head, ..]| head & 0xff == kind && head >> 32 == stream)
}

/// Turns the SMMU off: everything comes through it as it is.
pub(crate) fn turn_off() {
    smmu::write(smmu::register::CR0, 0);
    smmu::write(smmu::register::GBPA, smmu::GBPA_UPDATE);
}
