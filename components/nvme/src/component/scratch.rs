//! What the component does with the disk it writes.

use sluice_nvme::{Error, job};
use sluice_rt::{check, println};

use super::hardware::Disk;

/// Blocks read back.
const SAMPLES: u64 = 64;

/// Fills all of it with the pattern, makes that durable, and looks at samples.
pub(crate) fn run(disk: &mut Disk) -> Result<(), Error> {
    let bytes = disk.controller.namespace().bytes();
    let mut tenths = job::Tenths::of(bytes);
    let summary = job::fill(&mut disk.controller, &mut disk.interrupt, &disk.buffer, disk.plan, |done| {
        if let Some(percent) = tenths.reached(done) {
            println!("wrote {percent} % of {} MiB", bytes >> 20);
        }
    })?;
    check!(
        "scratch-write-whole",
        summary.bytes == bytes,
        "{} of {bytes} bytes in {} commands, {} in flight at once, flushed",
        summary.bytes,
        summary.commands,
        summary.deepest
    );
    let damage = job::first_damage(&mut disk.controller, &mut disk.interrupt, &disk.buffer, SAMPLES)?;
    match damage {
        None => check!("scratch-read-back", true, "{SAMPLES} blocks have the pattern"),
        Some(at) => check!("scratch-read-back", false, "the word at {at:#x} is not the pattern's"),
    };
    Ok(())
}
