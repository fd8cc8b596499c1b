//! The program: which devices it drives, and in what order.

mod disk;
mod faults;
mod hardware;
mod scratch;
mod vault;

use sluice_nvme::Error;
use sluice_rt::{Env, check, finish, println};

use hardware::Disk;
use vault::Vault;

sluice_rt::entry!(main);

fn main(env: &Env) {
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
