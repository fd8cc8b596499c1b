//! Lines on the console, each of which has to arrive whole and soon, whoever else prints.
//!
//! Arguments: `verses`, how many; `verse`, a line with `{}` in the place of its number; `late_us`, how long one may take. That
//! they arrive whole is looked at from outside: `systems/misbehave.checks`.

use sluice_probe::Lateness;
use sluice_rt::time::{self, ticks_per_second};
use sluice_rt::{Env, RtError, check, println};

use crate::program::number;

/// All verses.
pub(crate) fn run(env: &Env) -> Result<(), RtError> {
    let verses = number(env, "verses", 100);
    let verse = env.arg("verse").unwrap_or("verse {}");
    let (head, tail) = verse.split_once("{}").unwrap_or((verse, ""));
    let mut lateness = Lateness::against(number(env, "late_us", 1000) * ticks_per_second() / 1_000_000);
    for number in 0..verses {
        let start = time::ticks();
        println!("{head}{number}{tail}");
        lateness.add(time::ticks() - start);
    }
    let longest = lateness.latest() * 1_000_000 / ticks_per_second();
    let good = lateness.is_good(verses, 0);
    check!("verses-in-time", good, "{} of {verses} took too long, the longest {longest} us", lateness.beyond());
    Ok(())
}
