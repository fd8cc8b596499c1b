//! Everything the device tries, in order; what needs its stream comes before the stream is given up.

mod allowed;
mod engine;
mod error;
mod foreign;
mod frames;
mod own;
mod scene;
mod unprotected;

use sluice_rt::{Env, println};

use error::Trouble;

/// Argument that chooses what to do, and the one choice besides everything.
const ATTACK: (&str, &str) = ("attack", "kernel-canary");

/// The component's main function.
pub(crate) fn run(env: &Env) {
    let outcome = match env.arg(ATTACK.0) {
        Some(attack) if attack == ATTACK.1 => unprotected::attack(env),
        Some(other) => panic!("there is no attack `{other}`, but `{}`", ATTACK.1),
        None => exercise(env),
    };
    if let Err(trouble) = outcome {
        panic!("{trouble}");
    }
}

fn exercise(env: &Env) -> Result<(), Trouble> {
    let mut scene = scene::Scene::of(env)?;
    println!("the device is stream {}", scene.stream);
    allowed::both_ways(&mut scene)?;
    foreign::drivers_frame(&mut scene)?;
    foreign::machine(&mut scene, env)?;
    foreign::nothing(&mut scene)?;
    own::read_only_page(&mut scene)?;
    own::unmapped_page(&mut scene)?;
    own::revoked_page(&mut scene)?;
    own::deleted_stream(&mut scene)
}
