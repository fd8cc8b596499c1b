//! Rounds: memory is shown to a disk and to an exerciser, both are set to work on it, it is taken away while they are, and
//! put to other use at once. Nothing may change it then.

mod disk;
mod engine;
mod field;
mod round;
mod trouble;
mod wing;

use alloc::collections::BTreeMap;

use sluice_fire::{Latencies, Loss, Plan};
use sluice_rt::{Env, check, println};

use round::{Arena, Tally};
use trouble::Trouble;

const ROUNDS: u64 = 300;
const SEED: u64 = 1;
/// Lines of progress, and most rounds between two.
const REPORTS: u64 = 10;
const REPORT_ROUNDS: u64 = 500;

/// The component's main function.
pub(crate) fn run(env: &Env) {
    let number = |name, otherwise| match env.arg(name) {
        None => otherwise,
        Some(text) => text.parse().unwrap_or_else(|_| panic!("argument {name}: `{text}` is no number")),
    };
    let (rounds, seed) = (number("rounds", ROUNDS), number("seed", SEED));
    println!("{rounds} rounds, seed {seed}");
    if let Err(trouble) = burn(env, rounds, seed) {
        check!("rounds", false, "{trouble}");
    }
}

fn burn(env: &Env, rounds: u64, seed: u64) -> Result<(), Trouble> {
    let mut arena = Arena::of(env)?;
    arena.control()?;
    let mut plan = Plan::new(seed);
    let mut latencies: BTreeMap<Loss, Latencies> = BTreeMap::new();
    let mut tally = Tally::default();
    for number in 1..=rounds {
        let loss = plan.loss();
        let took = arena.round(number, loss, &mut plan, &mut tally)?;
        latencies.entry(loss).or_default().add(took);
        if number % rounds.div_ceil(REPORTS).min(REPORT_ROUNDS) == 0 {
            println!("{number} rounds, {} commands before and {} after a loss", tally.before, tally.after);
        }
    }
    for (loss, latencies) in &latencies {
        println!("{:<29} {latencies}  instructions", loss.name());
    }
    let Tally { before, in_flight, after, failed, late, damaged, words, idle } = tally;
    check!("rounds", tally_covers(&latencies), "{rounds} rounds, each kind of loss among them");
    check!(
        "fire-is-real",
        idle == 0,
        "{before} commands had ended well and {in_flight} were in flight, in every round"
    );
    check!(
        "fire-goes-on",
        failed > 0 && late > 0,
        "{after} ended after a loss, {failed} in failure; {late} late transfers"
    );
    check!("canaries-intact", damaged == 0, "{damaged} of {words} words changed");
    Ok(())
}

fn tally_covers(latencies: &BTreeMap<Loss, Latencies>) -> bool {
    Loss::ALL.iter().all(|loss| latencies.contains_key(loss))
}
