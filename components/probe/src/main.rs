//! The program.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod alarms;
#[cfg(target_os = "none")]
mod beats;
#[cfg(target_os = "none")]
mod blocks;
#[cfg(target_os = "none")]
mod song;
#[cfg(target_os = "none")]
mod typing;
#[cfg(target_os = "none")]
mod program {
    use sluice_rt::{Env, RtError, check};

    sluice_rt::entry!(main);

    fn main(env: &Env) {
        let outcome: Result<(), RtError> = match env.arg("scene") {
            Some("alarms") => super::alarms::run(env),
            Some("beats") => super::beats::run(env),
            Some("song") => super::song::run(env),
            Some("blocks") => super::blocks::run(env),
            Some("typing") => super::typing::run(env),
            scene => {
                check!("scene", false, "there is no scene {scene:?}");
                return;
            }
        };
        if let Err(error) = outcome {
            check!("scene", false, "{error}");
        }
    }

    /// The number in an argument, or `otherwise`.
    pub(crate) fn number(env: &Env, name: &str, otherwise: u64) -> u64 {
        match env.arg(name).map(str::parse) {
            Some(Ok(number)) => number,
            Some(Err(_)) => panic!("the argument `{name}` is no number"),
            None => otherwise,
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
