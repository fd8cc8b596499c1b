//! Random configurations on the model and on QEMU.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestError, TestRunner};
use sluice_smmu_model::Identity;

use crate::bench::Levels;
use crate::case::cases;
use crate::compare::{Comparison, Pair};
use crate::deviations::DEVIATIONS;
use crate::machine::{BOTH_STAGES, Qemu};
use crate::sequence::{Tally, sequences};

/// Cases of each test, unless `PROPTEST_CASES` says otherwise.
const CONFIGURATIONS: u32 = 1500;
const SEQUENCES: u32 = 300;
const COMMANDS: u32 = 2000;

/// Where random numbers start: what another emulator does in a rare case must not decide whether a change here is good. Runs
/// with a number of cases of their own start anywhere, and find what is not listed yet.
const SEED: RngSeed = RngSeed::Fixed(0x5100);

/// A failing case is shrunk and printed, and its seed is kept beside this file to start from next time.
fn config(usual: u32, name: &'static str) -> ProptestConfig {
    let chosen = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let (cases, rng_seed) = chosen.map_or((usual, SEED), |cases| (cases, RngSeed::Random));
    ProptestConfig { cases, rng_seed, source_file: Some(file!()), test_name: Some(name), ..ProptestConfig::default() }
}

fn stop(error: TestError<impl std::fmt::Debug>) -> ! {
    panic!("{}", format!("{error}").replace('\n', " ").replace("  ", ""))
}

/// An SMMU of QEMU's, and what it says it is.
struct Kind {
    name: &'static str,
    machine: &'static str,
    identity: Identity,
    /// Bit 0: stage 1. Bit 1: stage 2.
    stages: u64,
    levels: Levels,
}

const BOTH: Kind =
    Kind { name: "both stages", machine: BOTH_STAGES, identity: Identity::QEMU, stages: 3, levels: Levels::One };
const STAGE1: Kind = Kind {
    name: "stage 1",
    machine: "-M virt-9.0,virtualization=on,gic-version=3,iommu=smmuv3 -global arm-smmuv3.stage=1",
    identity: Identity { idr0: Identity::QEMU.idr0 & !1, ..Identity::QEMU },
    stages: 1,
    levels: Levels::Two,
};
const STAGE2: Kind = Kind {
    name: "stage 2",
    machine: "-M virt-9.0,virtualization=on,gic-version=3,iommu=smmuv3 -global arm-smmuv3.stage=2",
    identity: Identity { idr0: Identity::QEMU.idr0 & !2, ..Identity::QEMU },
    stages: 2,
    levels: Levels::Two,
};

fn configurations_agree(kind: &Kind) {
    let pair = Pair::start(Qemu::start(kind.machine), kind.identity, kind.levels);
    let explained = RefCell::new(BTreeMap::<_, u64>::new());
    let (accesses, reached, recorded) = (Cell::new(0u64), Cell::new(0u64), Cell::new(0u64));
    let mut runner = TestRunner::new(config(CONFIGURATIONS, kind.name));
    let result = runner.run(&cases(kind.stages), |case| {
        let built = case.build();
        for Comparison { difference, expected } in pair.compared(&built) {
            accesses.set(accesses.get() + 1);
            reached.set(reached.get() + u64::from(expected.reached.is_some()));
            recorded.set(recorded.get() + u64::from(expected.record.is_some()));
            let Some(difference) = difference else { continue };
            match DEVIATIONS.iter().find(|(_, explains)| explains(&built, &difference)) {
                Some((name, _)) => *explained.borrow_mut().entry(*name).or_default() += 1,
                None => return Err(TestCaseError::fail(format!("{difference:x?} {built:x?}"))),
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        stop(error);
    }
    let (accesses, reached, recorded) = (accesses.get(), reached.get(), recorded.get());
    let explained = explained.into_inner();
    println!(
        "scope: SMMU model and QEMU, {}: {accesses} accesses of random configurations, {reached} reach memory, {recorded} \
         leave a record, {} differ as known: {explained:?}",
        kind.name,
        explained.values().sum::<u64>(),
    );
    assert!(reached > accesses / 10 && recorded > accesses / 10, "configurations are too much alike");
}

fn sequences_agree(kind: &Kind) {
    let pair = Pair::start(Qemu::start(kind.machine), kind.identity, kind.levels);
    let total = Cell::new(Tally::default());
    let mut runner = TestRunner::new(config(SEQUENCES, kind.name));
    let result = runner.run(&sequences(kind.stages), |(translation, steps)| {
        let tally = pair.play(translation, &steps).map_err(TestCaseError::fail)?;
        let sum = total.get();
        total.set(Tally {
            accesses: sum.accesses + tally.accesses,
            open: sum.open + tally.open,
            stale: sum.stale + tally.stale,
        });
        Ok(())
    });
    if let Err(error) = result {
        stop(error);
    }
    let Tally { accesses, open, stale } = total.get();
    println!(
        "scope: SMMU model and QEMU, {}: {accesses} accesses in random sequences, {open} with several permitted outcomes, \
         in {stale} of which QEMU was stale",
        kind.name,
    );
    assert!(stale > accesses / 100, "no invalidation was ever missing");
}

/// Any command there is or is not, with any words.
fn commands() -> impl Strategy<Value = [u64; 2]> {
    let known = prop_oneof![1..=0x06u64, 0x10..=0x13u64, 0x18..=0x23u64, 0x28..=0x30u64, 0x40..=0x46u64];
    let op = prop_oneof![8 => known, 1 => 0..0x100u64];
    (op, any::<u64>(), any::<u64>()).prop_map(|(op, low, high)| [low & !0xff | op, high])
}

fn commands_agree(kind: &Kind) {
    let pair = Pair::start(Qemu::start(kind.machine), kind.identity, kind.levels);
    let refused = Cell::new(0u64);
    let mut runner = TestRunner::new(config(COMMANDS, kind.name));
    let result = runner.run(&commands(), |words| {
        let taken = pair.run_any(words).map_err(TestCaseError::fail)?;
        refused.set(refused.get() + u64::from(!taken));
        Ok(())
    });
    if let Err(error) = result {
        stop(error);
    }
    println!("scope: SMMU model and QEMU, {}: random commands, {} refused", kind.name, refused.get());
    assert!(refused.get() > 0, "commands are too much alike");
}

#[test]
fn commands_agree_with_every_kind() {
    [BOTH, STAGE1, STAGE2].iter().for_each(commands_agree);
}

#[test]
fn configurations_agree_with_both_stages() {
    configurations_agree(&BOTH);
}

#[test]
fn configurations_agree_with_stage_1() {
    configurations_agree(&STAGE1);
}

#[test]
fn configurations_agree_with_stage_2() {
    configurations_agree(&STAGE2);
}

#[test]
fn sequences_agree_with_both_stages() {
    sequences_agree(&BOTH);
}

#[test]
fn sequences_agree_with_stage_1() {
    sequences_agree(&STAGE1);
}

#[test]
fn sequences_agree_with_stage_2() {
    sequences_agree(&STAGE2);
}
