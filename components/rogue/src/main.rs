//! The program. Arguments: `misdeed`; `deaths`, lives that end; `seed`, of random messages; `region`, for its disk.
//!
//! The life after the last death reports that, and goes on misbehaving, but for a flood: logs are
//! not endless.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod crash;
#[cfg(target_os = "none")]
mod exhaust;
#[cfg(target_os = "none")]
mod messages;
#[cfg(target_os = "none")]
mod storm;
#[cfg(target_os = "none")]
mod program {
    use sluice_rogue::Misdeed;
    use sluice_rt::sys::yield_now;
    use sluice_rt::{Env, check, finish};

    use crate::{crash, exhaust, messages, storm};

    sluice_rt::entry!(main);

    fn main(env: &Env) {
        let Some(misdeed) = env.arg("misdeed").and_then(Misdeed::named) else {
            panic!("there is no misdeed {:?}", env.arg("misdeed"));
        };
        let deaths = env.arg("deaths").and_then(|text| text.parse().ok()).unwrap_or(0);
        let life = env.life();
        let mut last = life >= deaths;
        if last {
            check!("lives", life == deaths, "this is life {life} of {deaths} and one");
            // A storm has more to report, and a flood an end.
            if !matches!(misdeed, Misdeed::Storm | Misdeed::Flood) {
                finish();
            }
        }
        loop {
            match misdeed {
                Misdeed::Crash if !last => crash::of(life),
                Misdeed::Exhaust if !last => exhaust::of(env, life),
                Misdeed::Crash | Misdeed::Exhaust => return,
                Misdeed::Loop => loop {
                    core::hint::spin_loop();
                },
                Misdeed::Flood => messages::flood(env),
                Misdeed::Garbage => messages::garbage(env),
                Misdeed::Storm => storm::blow(env, core::mem::take(&mut last)),
            }
            if last && misdeed == Misdeed::Flood {
                return;
            }
            assert!(life >= deaths, "of life {life}, as it was to be");
            yield_now();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
