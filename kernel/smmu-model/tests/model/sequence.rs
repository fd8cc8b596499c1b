//! Random sequences in which tables change under a device and invalidations may be missing: whatever QEMU's SMMU makes
//! of an access, the model must permit it.
//!
//! The model fetches everything that it can after every step, so what it permits is all that any SMMU may still know.

use proptest::prelude::*;
use sluice_abi::Iova;
use sluice_abi::smmu::event;
use sluice_smmu::regs::{EVT1, config, opcode};
use sluice_smmu_model::Transaction;

use crate::build::Access;
use crate::compare::{Pair, Seen, meaning};
use crate::encode::{CdFields, SteFields, command, table};
use crate::machine::{RAM, SID};

/// Frames of memory, which are addresses of the device and intermediate ones too: two in each of two last tables.
pub(crate) const FRAMES: [u64; 4] = [0x4a00_0000, 0x4a00_1000, 0x4a20_0000, 0x4a20_1000];
const CD: u64 = 0x4880_0040;
/// Tables of stage 1 from level 1 on, and of stage 2 from level 0 on; stage 2 leaves all structures where they are.
const STAGE1: u64 = 0x4890_0000;
const STAGE2: u64 = 0x4900_0000;
const ASIDS: [u64; 2] = [5, 6];
const VMIDS: [u64; 2] = [7, 8];

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The page of stage 1 that a frame's address is, leads to another frame or nowhere.
    Stage1 {
        page: usize,
        to: Option<usize>,
        write: bool,
        global: bool,
    },
    Stage2 {
        page: usize,
        to: Option<usize>,
        write: bool,
    },
    /// A last table is linked or not: of stage 1 or 2, for the first or the last two frames.
    Link {
        stage2: bool,
        half: usize,
        linked: bool,
    },
    Descriptor {
        asid: usize,
        valid: bool,
    },
    Entry {
        vmid: usize,
        kind: usize,
    },
    Command([u64; 2]),
    Access {
        page: usize,
        write: bool,
    },
}

fn commands() -> impl Strategy<Value = [u64; 2]> {
    let (asid, vmid, page) = (0..ASIDS.len(), 0..VMIDS.len(), 0..FRAMES.len());
    let by_address = (
        prop_oneof![Just(opcode::TLBI_NH_VA), Just(opcode::TLBI_NH_VAA), Just(opcode::TLBI_S2_IPA)],
        asid.clone(),
        vmid.clone(),
        page,
        any::<bool>(),
        0..8u64,
    );
    prop_oneof![
        6 => by_address.prop_map(|(op, asid, vmid, page, leaf, range)| {
            let words = command::page(op, VMIDS[vmid], ASIDS[asid], FRAMES[page], leaf);
            match range {
                0 => command::range(words, 1, 0, 0),
                1 => command::range(words, 0, 0, 3),
                2 => command::range(words, 0, 9, 0),
                _ => words,
            }
        }),
        3 => (prop_oneof![Just(opcode::TLBI_NH_ALL), Just(opcode::TLBI_NH_ASID), Just(opcode::TLBI_S12_VMALL)], asid, vmid)
            .prop_map(|(op, asid, vmid)| command::tag(op, VMIDS[vmid], ASIDS[asid])),
        2 => prop_oneof![
            Just(command::ste(SID)), Just(command::cd(SID, 0)), Just(command::cd_all(SID)), Just(command::CFGI_ALL),
            Just(command::NSNH_ALL)
        ],
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let page = 0..FRAMES.len();
    let to = || proptest::option::weighted(0.7, 0..FRAMES.len());
    prop_oneof![
        3 => (page.clone(), to(), any::<bool>(), 0..4u8)
            .prop_map(|(page, to, write, global)| Step::Stage1 { page, to, write, global: global == 0 }),
        3 => (page.clone(), to(), any::<bool>()).prop_map(|(page, to, write)| Step::Stage2 { page, to, write }),
        1 => (any::<bool>(), 0..2usize, any::<bool>())
            .prop_map(|(stage2, half, linked)| Step::Link { stage2, half, linked }),
        1 => (0..2usize, 0..8u8).prop_map(|(asid, valid)| Step::Descriptor { asid, valid: valid > 0 }),
        1 => (0..2usize, 0..8usize).prop_map(|(vmid, kind)| Step::Entry { vmid, kind }),
        6 => commands().prop_map(Step::Command),
        12 => (page, any::<bool>()).prop_map(|(page, write)| Step::Access { page, write }),
    ]
}

/// A kind of translation to start with, and steps from there.
pub(crate) fn sequences(stages: u64) -> impl Strategy<Value = (u64, Vec<Step>)> {
    let kind = match stages {
        1 => Just(config::STAGE1).boxed(),
        2 => Just(config::STAGE2).boxed(),
        _ => prop_oneof![1 => Just(config::STAGE1), 2 => Just(config::STAGE2), 4 => Just(config::NESTED)].boxed(),
    };
    (kind, proptest::collection::vec(steps(), 4..40))
}

/// What sequences came to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) accesses: u64,
    /// Accesses for which more than one outcome was permitted.
    pub(crate) open: u64,
    /// Of these, those where QEMU's was not what memory says.
    pub(crate) stale: u64,
}

struct Player<'p> {
    pair: &'p Pair,
    kind: u64,
    /// A page that serves every ASID was mapped.
    global: bool,
    tally: Tally,
}

impl Pair {
    /// Plays a sequence; the error says where QEMU did what is not permitted.
    pub(crate) fn play(&self, kind: u64, steps: &[Step]) -> Result<Tally, String> {
        let mut player = Player { pair: self, kind, global: false, tally: Tally::default() };
        player.set_up();
        for (number, step) in steps.iter().enumerate() {
            player.step(step).map_err(|error| format!("step {number}, {step:x?}: {error}"))?;
        }
        // With everything forgotten, one outcome is left.
        player.forget();
        for (page, write) in (0..FRAMES.len()).flat_map(|page| [(page, false), (page, true)]) {
            let open = player.tally.open;
            player.access(page, write).map_err(|error| format!("at the end, page {page}: {error}"))?;
            if player.tally.open != open {
                return Err(format!("page {page} is still open at the end"));
            }
        }
        Ok(player.tally)
    }
}

impl Player<'_> {
    fn forget(&self) {
        self.pair.run(&[command::CFGI_ALL, command::NSNH_ALL]);
        self.pair.model.speculate(SID);
    }

    fn set_up(&self) {
        let store = |at, word| self.pair.store(at, word);
        // Stage 1: 39 bits, three levels.
        store(STAGE1 + 8 * (FRAMES[0] >> 30), table::table(STAGE1 + 0x1000));
        // Stage 2: 44 bits, four levels; structures by blocks of 2 MiB.
        store(STAGE2, table::table(STAGE2 + 0x1000));
        store(STAGE2 + 0x1000 + 8 * (RAM.start >> 30), table::table(STAGE2 + 0x2000));
        for structures in [CD, STAGE1] {
            let block = structures >> 21 << 21;
            store(STAGE2 + 0x2000 + 8 * (block >> 21 & 0x1ff), table::stage2(block, false) & !2);
        }
        for half in 0..2 {
            self.link(false, half, true);
            self.link(true, half, true);
        }
        for page in 0..FRAMES.len() {
            self.stage1(page, Some(page), true, false);
            self.stage2(page, Some(page), true);
        }
        self.descriptor(0, true);
        self.entry(0, self.kind);
        self.forget();
    }

    fn stage1(&self, page: usize, to: Option<usize>, write: bool, global: bool) {
        let word = to.map_or(0, |to| table::stage1(FRAMES[to], write) & !(u64::from(global) << 11));
        self.pair.store(STAGE1 + 0x2000 + 0x1000 * (page as u64 / 2) + 8 * (page as u64 % 2), word);
    }

    fn stage2(&self, page: usize, to: Option<usize>, write: bool) {
        let word = to.map_or(0, |to| table::stage2(FRAMES[to], write));
        self.pair.store(STAGE2 + 0x3000 + 0x1000 * (page as u64 / 2) + 8 * (page as u64 % 2), word);
    }

    fn link(&self, stage2: bool, half: usize, linked: bool) {
        let (above, last) =
            if stage2 { (STAGE2 + 0x2000, STAGE2 + 0x3000) } else { (STAGE1 + 0x1000, STAGE1 + 0x2000) };
        let word = if linked { table::table(last + 0x1000 * half as u64) } else { 0 };
        self.pair.store(above + 8 * (FRAMES[2 * half] >> 21 & 0x1ff), word);
    }

    fn descriptor(&self, asid: usize, valid: bool) {
        let mut cd = CdFields { valid, ..CdFields::plain(ASIDS[asid], STAGE1) };
        cd.low.size = 25;
        for (word, number) in cd.words().into_iter().zip(0..) {
            self.pair.store(CD + 8 * number, word);
        }
    }

    fn entry(&self, vmid: usize, kind: u64) {
        let entry = SteFields { config: kind, ..SteFields::nested(VMIDS[vmid], STAGE2, CD) };
        self.pair.store_entry(&entry.words());
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Stage1 { page, to, write, global } => {
                self.global |= global && to.is_some();
                self.stage1(page, to, write, global);
            }
            Step::Stage2 { page, to, write } => self.stage2(page, to, write),
            Step::Link { stage2, half, linked } => self.link(stage2, half, linked),
            Step::Descriptor { asid, valid } => self.descriptor(asid, valid),
            // One in eight is abort.
            Step::Entry { vmid, kind } => self.entry(vmid, if kind == 0 { config::ABORT } else { self.kind }),
            Step::Command(words) => {
                self.pair.run_any(self.without_global_pages(words))?;
            }
            Step::Access { page, write } => return self.access(page, write),
        }
        self.pair.model.speculate(SID);
        Ok(())
    }

    /// QEMU tags pages that serve every ASID with the one that used them, and an invalidation by another misses them.
    fn without_global_pages(&self, [low, high]: [u64; 2]) -> [u64; 2] {
        let by_asid = self.global && low & 0xff == opcode::TLBI_NH_VA;
        [if by_asid { low & !0xff | opcode::TLBI_NH_VAA } else { low }, high]
    }

    fn access(&mut self, page: usize, write: bool) -> Result<(), String> {
        let access = Access { address: FRAMES[page] + 8 * page as u64, write, target: 0 };
        let transaction = Transaction { privileged: true, ..Transaction::new(SID, Iova(access.address), write) };
        let permitted: Vec<Seen> = self
            .pair
            .model
            .permitted(&transaction)
            .iter()
            .map(|outcome| Seen {
                reached: outcome.result.ok().map(|at| at.0),
                record: outcome.record.as_ref().map(meaning),
            })
            .collect();
        let seen = self.pair.touch_any(&access, &FRAMES.map(|frame| frame + access.address % 0x1000));
        self.tally.accesses += 1;
        self.tally.open += u64::from(permitted.len() > 1);
        let matching = permitted.iter().position(|outcome| same(outcome, &seen));
        // What memory says comes last.
        self.tally.stale += u64::from(matching.is_some_and(|number| number + 1 < permitted.len()));
        match matching {
            Some(_) => Ok(()),
            None => Err(format!("seen {seen:x?}, permitted {permitted:x?}")),
        }
    }
}

/// Whether QEMU did what is permitted, but for what is known of it: see `deviations`.
fn same(permitted: &Seen, seen: &Seen) -> bool {
    let field = |record: [u64; 4]| (record[0] & 0xff, EVT1::S2.read(record[1]), EVT1::CLASS.read(record[1]));
    let known = match (permitted.record.map(field), seen.record.map(field)) {
        (Some((kind, 1, 1)), Some(seen)) => seen == (kind, 0, 1),
        (Some((event::F_PERMISSION, 1, 2)), None | Some((event::F_PERMISSION, 1, 2))) => true,
        (_, _) => false,
    };
    permitted == seen || known && permitted.reached.is_none() && seen.reached.is_none()
}
