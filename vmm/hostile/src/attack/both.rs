//! Two processors at one SMMU: one rewrites queues, entries, descriptors and their bases while the other has them used.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::report::Report;
use crate::rogue::{ARRIVED, AT_HELD, AT_OTHER, BEAT, OTHER, Rogue, Told, is_nothing, turn_off};
use crate::second;
use crate::smmu::{COMMANDS, TRANSLATE, command, read, register, write};
use crate::stage1::page;
use sluice_bare::machine::{barrier, load, store};

/// Batches of commands at least, whether or not the other leaves them be.
const LEAST: u64 = 4;

/// What the second processor writes with: addresses of a target, and of the SMMU's own structures.
static TARGET: AtomicU64 = AtomicU64::new(0);
static QUEUE: AtomicU64 = AtomicU64::new(0);
static TABLE: AtomicU64 = AtomicU64::new(0);
static ENTRY: AtomicU64 = AtomicU64::new(0);
static DESCRIPTOR: AtomicU64 = AtomicU64::new(0);
static PAGE: AtomicU64 = AtomicU64::new(0);

fn value(of: &AtomicU64) -> u64 {
    of.load(Ordering::SeqCst)
}

pub(crate) fn all(report: &mut Report, rogue: &Rogue, told: &Told) {
    let [commands, _] = rogue.smmu.queues();
    QUEUE.store(commands, Ordering::SeqCst);
    TABLE.store(rogue.smmu.table(), Ordering::SeqCst);
    ENTRY.store(rogue.smmu.table() + rogue.stream() * 64, Ordering::SeqCst);
    DESCRIPTOR.store(rogue.stage1.descriptor(), Ordering::SeqCst);
    PAGE.store(rogue.stage1.level(3) + 8 * AT_OTHER[0], Ordering::SeqCst);
    race(report, rogue, told, ["both-queue", "both-queue-control"], queue);
    race(report, rogue, told, ["both-doorbells", "both-doorbells-control"], doorbells);
    race(report, rogue, told, ["both-entries", "both-entries-control"], entries);
    race(report, rogue, told, ["both-bases", "both-bases-control"], bases);
}

/// Commands change after they were written and before they are read.
fn queue(turn: u64) {
    let at = value(&QUEUE) + turn % 256 * 16;
    let stream = (value(&ENTRY) - value(&TABLE)) / 64;
    for word in [[0xff, 0], command::entry(stream), command::descriptor(stream), [4, 31], [u64::MAX; 2], [0x46, 0]] {
        store(at, 8, word[0]);
        store(at + 8, 8, word[1]);
    }
}

/// Both write CMDQ_PROD, each what it likes.
fn doorbells(turn: u64) {
    write(register::CMDQ_PROD, turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44);
    write(register::GERRORN, read(register::GERROR));
}

/// Entry, descriptor and page lead to the guest's own, to others, to nothing.
fn entries(turn: u64) {
    let target = value(&TARGET);
    let (entry, descriptor, leaf) = (value(&ENTRY), value(&DESCRIPTOR), value(&PAGE));
    let words = [descriptor | 0xb, target & !0x3f | 0xb, 1, 9, descriptor | 0xf, u64::MAX, 0];
    store(entry, 8, words[(turn % 7) as usize]);
    store(descriptor + 8, 8, [target & !0xfff, descriptor + 0x1000][(turn % 2) as usize]);
    store(leaf, 8, [page(target), page(OTHER[0]), 0][(turn % 3) as usize]);
    barrier();
}

/// The bases move to others' memory and back, on and off.
fn bases(turn: u64) {
    let target = value(&TARGET) & !0x3fff;
    let own = turn.is_multiple_of(2);
    write(register::CR0, [0, COMMANDS, COMMANDS | 4, COMMANDS | 4 | TRANSLATE][(turn % 4) as usize]);
    store(crate::smmu::address(register::CMDQ_BASE), 8, if own { value(&QUEUE) } else { target } | 8);
    store(crate::smmu::address(register::EVENTQ_BASE), 8, if own { value(&QUEUE) + 0x1000 } else { target } | 7);
    store(crate::smmu::address(register::STRTAB_BASE), 8, if own { value(&TABLE) } else { target });
}

/// For each target a transfer, while this processor has commands carried out and the other does `job`.
fn race(report: &mut Report, rogue: &Rogue, told: &Told, [name, control]: [&str; 2], job: fn(u64)) {
    let (mut turns, mut issued, mut astray, mut ended) = (0, 0, 0, 0);
    for (target, number) in told.targets().zip(0..) {
        TARGET.store(target.at, Ordering::SeqCst);
        OTHER.iter().chain([&ARRIVED]).for_each(|at| store(*at, 8, 0));
        rogue.edu.fetch(AT_HELD << 12, BEAT);
        let beside = second::beside(job, || {
            rogue.edu.begin_put(if number % 2 == 0 { AT_OTHER[0] << 12 } else { target.at }, BEAT);
            let mut batches = 0;
            while batches < LEAST || !rogue.edu.is_idle() {
                rogue.smmu.issue(&[command::entry(rogue.stream()), command::descriptor(rogue.stream())]);
                batches += 1;
            }
            issued += batches;
        });
        turns += beside.unwrap_or(0);
        ended += u64::from(beside.is_some());
        astray += OTHER.iter().chain([&ARRIVED]).filter(|at| !is_nothing(load(**at, 8))).count();
        restore(rogue);
    }
    let held = ended == told.targets().count() as u64 && astray == 0 && turns > 0;
    report.check(name, held, format_args!("{turns} turns beside {issued} batches, {astray} words that are no mark"));
    rogue.control(report, control);
}

/// Sets everything right that either has written.
fn restore(rogue: &Rogue) {
    turn_off();
    write(register::GERRORN, read(register::GERROR));
    let [commands, events] = rogue.smmu.queues();
    rogue.smmu.place_table(rogue.smmu.table());
    rogue.smmu.place_commands(commands);
    rogue.smmu.place_events(events);
    rogue.smmu.enable(TRANSLATE);
    rogue.honest();
    rogue.smmu.forget_events();
}
