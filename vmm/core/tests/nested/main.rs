//! A guest cannot tell its virtual SMMU from one of its own.
//!
//! Two models of an SMMU run side by side. The **reference** is what the identification registers of the virtual SMMU
//! promise: stage 1 alone, with the guest's registers, queue and tables as the guest writes them. The **physical** one
//! has both stages and is driven by the kernel's driver, with what the virtual SMMU asks for. Guests are random, and
//! every SMMU fetches whatever it may whenever it may. After each step of the guest, everything that the physical SMMU
//! may make of a transaction, the reference may have made of it too: memory reached, and what the guest reads of a
//! fault.

mod guest;
mod queue;
mod seen;
mod step;
mod world;

use fastrand::Rng;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use guest::Guest;
use step::steps;

/// Cases of a run, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 200;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

#[test]
fn whatever_the_physical_smmu_does_the_virtual_one_may() {
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let tally = std::cell::RefCell::new([0; 6]);
    let result = runner.run(&(steps(), any::<u64>()), |(steps, seed)| {
        let mut guest = Guest::new(Rng::with_seed(seed));
        for (number, step) in steps.iter().enumerate() {
            guest.perform(step);
            guest.check().map_err(|difference| TestCaseError::fail(format!("after step {number}: {difference}")))?;
        }
        tally.borrow_mut().iter_mut().zip(guest.tally).for_each(|(sum, count)| *sum += count);
        Ok(())
    });
    let [transactions, outcomes, reached, told, silent, owners] = tally.into_inner();
    println!(
        "scope: virtual SMMU and one of its own: {} cases, {transactions} transactions, {outcomes} outcomes: {reached} \
         reach memory, {told} are told to the guest, {silent} abort in silence, {owners} are the owner's",
        cases()
    );
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        [reached, told, silent, owners].iter().all(|count| *count > 2 * u64::from(cases())),
        "too little was tried"
    );
}
