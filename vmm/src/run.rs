//! The life of a guest: it is loaded, it runs, and answers come to what it does until it powers off.

use core::convert::Infallible;

use sluice_rt::{Env, finish, println, record};

use crate::error::Error;
use crate::guest::Guest;
use crate::load;
use crate::ram::Ram;
use crate::scrub::scrub;
use crate::serve::{End, Serve};
use crate::trial::Trial;
use sluice_vmm::layout::RAM_BASE;

/// The component's main function.
pub(crate) fn run(env: &Env) {
    match live(env) {
        Ok(never) => match never {},
        Err(error) => panic!("{error}"),
    }
}

/// Life after life.
fn live(env: &Env) -> Result<Infallible, Error> {
    let described = env.guest()?;
    let guest = Guest::new(env, usize::from(described.vcpus), described.priority)?;
    guest.map_memory(&described.ram, RAM_BASE)?;
    let ram = Ram(env.region(&described.ram)?);
    let mut trial = Trial::new(env, &guest)?;
    trial.begin(env, ram);
    let mut serve = Serve::new(env, &guest, described, ram)?;
    // A guest in whose memory others write is not started: it shows nothing more.
    while trial.is_clean() {
        let start = load::load(env, described, ram, &trial.words())?;
        let end = serve.run(start, &mut trial)?;
        serve.stop(end)?;
        trial.between(ram);
        // What a life has left is gone: not even its successor is to read it. The first one finds memory that the kernel has
        // cleared.
        scrub(ram);
        match end {
            End::Reset if trial.may_restart() => println!("the guest starts again"),
            End::Off | End::Reset => {
                record("power-off", true, format_args!("the guest has powered off"));
                break;
            }
        }
    }
    trial.conclude();
    finish();
    sluice_rt::exit()
}
