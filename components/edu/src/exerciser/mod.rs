//! Everything the device tries, in order; what needs its stream comes before the stream is given up.

mod above;
mod allowed;
mod aperture;
mod bypass;
mod driver;
mod engine;
mod error;
mod foreign;
mod frames;
mod gather;
mod lab;
mod nested;
mod own;
mod scene;
mod sharing;
mod streaming;
mod unprotected;
mod width;

use sluice_rt::{Env, println};

use error::Trouble;

/// What a scene does; checks that fail do not end it.
type Scene = fn(&Env) -> Result<(), Trouble>;

/// What the argument `scene` chooses from; without it, everything that is to be stopped is tried.
const SCENES: [(&str, Scene); 9] = [
    ("above", above::show),
    ("aperture", aperture::show),
    ("kernel-canary", unprotected::attack),
    ("sharing", sharing::show),
    ("gather", gather::show),
    ("width", width::show),
    ("streaming", streaming::show),
    ("nested", nested::show),
    ("bypass", bypass::show),
];

/// The component's main function.
pub(crate) fn run(env: &Env) {
    let outcome = match env.arg("scene") {
        None => exercise(env),
        Some(name) => match SCENES.iter().find(|(scene, _)| *scene == name) {
            Some((_, show)) => show(env),
            None => panic!("there is no scene `{name}`, but {:?}", SCENES.map(|(scene, _)| scene)),
        },
    };
    if let Err(trouble) = outcome {
        panic!("{trouble}");
    }
}

fn exercise(env: &Env) -> Result<(), Trouble> {
    let mut scene = scene::Scene::of(env)?;
    println!("the device is stream {}", scene.driver.stream);
    allowed::both_ways(&mut scene)?;
    foreign::drivers_frame(&mut scene)?;
    foreign::machine(&mut scene, env)?;
    foreign::nothing(&mut scene)?;
    own::read_only_page(&mut scene)?;
    own::unmapped_page(&mut scene)?;
    own::revoked_page(&mut scene)?;
    own::deleted_stream(&mut scene)
}
