//! The program: which devices it drives, and in what order.

mod cut_off;
mod disk;
mod faults;
mod hardware;
mod modes;
mod scratch;
mod serve;
mod vault;

use sluice_nvme::Error;
use sluice_rt::{Env, check, finish, println};

use faults::Stage;
use hardware::{Disk, Problem};
use vault::Vault;

sluice_rt::entry!(main);

fn main(env: &Env) {
    match env.arg("scene") {
        None => drive(env),
        Some(scene) => match show(env, scene) {
            Ok(()) => {}
            Err(problem) => {
                check!("driver", false, "{scene}: {problem}");
            }
        },
    }
}

/// Shows one way of translation, or serves.
fn show(env: &Env, scene: &str) -> Result<(), Problem> {
    match scene {
        "stage-1" => modes::confined(env, Stage::One),
        "stage-2" => modes::confined(env, Stage::Two),
        "nested" => modes::nested(env),
        "bypass" => modes::bypass(env),
        "serve" => match serve::run(env) {
            Ok(never) => match never {},
            // Its clients need a server, so this life is over.
            Err(problem) => panic!("{problem}"),
        },
        _ => panic!("there is no scene `{scene}`"),
    }
}

/// Reads one disk, writes the other, and keeps the vault.
fn drive(env: &Env) {
    work(env, "disk", disk::run);
    work(env, "scratch", scratch::run);
    let vault = Vault::open(env, "disk", "disk_queue");
    if let Err(problem) = &vault {
        check!("vault", false, "{problem}");
    }
    // Others wait for the answers, but the system's run does not wait for this component any more.
    finish();
    if let Ok(vault) = vault {
        vault.serve();
    }
}

/// Opens the disk and does `job` with it. What keeps the job from its end is a failed check of its own.
fn work(env: &Env, name: &str, job: fn(&mut Disk) -> Result<(), Error>) {
    let done = Disk::open(env, name).and_then(|mut disk| {
        introduce(name, &disk);
        job(&mut disk)?;
        disk.controller.shut_down()?;
        Ok(())
    });
    if let Err(problem) = done {
        check!("driver", false, "{name}: {problem}");
    }
}

fn introduce(name: &str, disk: &Disk) {
    let (identity, namespace) = (disk.controller.identity(), disk.controller.namespace());
    println!(
        "{name}: {} (serial {}, firmware {}), {} blocks of {} bytes, {} commands of {} bytes",
        identity.model,
        identity.serial,
        identity.firmware,
        namespace.blocks,
        namespace.block_bytes(),
        disk.plan.slots,
        disk.plan.chunk
    );
}
