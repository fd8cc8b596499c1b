//! A heart that beats by the timer server, whatever others do; and memory of its own that stays as it is.
//!
//! Arguments: `beats`, how many; `period_us`, from one to the next; `late_us`, how late a beat may be; `late_beats`, how many may be
//! later, because the root task waits for functions that it resets.

use sluice_probe::{Lateness, Stamp};
use sluice_rt::time::ticks_per_second;
use sluice_rt::timer::Timer;
use sluice_rt::{Env, RtError, check, println};

use crate::program::number;

/// All checks.
pub(crate) fn run(env: &Env) -> Result<(), RtError> {
    let timer = Timer::of(env)?;
    let memory = env.region("heart")?;
    let stamp = Stamp::of(env.name(), 0);
    let words = (memory.len() / 8) as u64;
    (0..words).for_each(|index| memory.write64(8 * index as usize, stamp.word(0, index)));
    let ticks = |microseconds: u64| microseconds * ticks_per_second() / 1_000_000;
    let (beats, period) = (number(env, "beats", 100), ticks(number(env, "period_us", 1000)));
    let mut lateness = Lateness::against(ticks(number(env, "late_us", 1000)));
    println!("{beats} beats");
    let start = timer.ticks();
    for beat in 1..=beats {
        let at = start + beat * period;
        timer.sleep_until(at)?;
        lateness.add(timer.ticks() - at);
    }
    let latest = lateness.latest() * 1_000_000 / ticks_per_second();
    let good = lateness.is_good(beats, number(env, "late_beats", 0));
    check!("beats-in-time", good, "{} of {beats} too late, the latest by {latest} us", lateness.beyond());
    let changed = (0..words).filter(|index| memory.read64(8 * *index as usize) != stamp.word(0, *index)).count();
    check!("memory-left-alone", changed == 0, "{changed} of {words} words changed");
    Ok(())
}
