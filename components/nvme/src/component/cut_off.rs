//! A controller whose stream begins to abort while it has commands: it knows them, does them, and cannot write what became of
//! them.
//!
//! What is looked at is the completion queue. QEMU's controllers look the addresses of a command's *data* up when the command
//! begins, and not again when the data moves.

use sluice_nvme::hardware::{Clock as _, Dma as _};
use sluice_nvme::machine::{Counter, Shared};
use sluice_nvme::prp::PAGE;
use sluice_nvme::{Data, Error, Operation, layout};
use sluice_rt::{RtError, check};

use super::hardware::{Disk, Problem};

/// Reads at once; the disk takes tens of milliseconds for each (`systems/bypass.qemu`).
const COMMANDS: u16 = 24;
/// They take longer than this, so that most are under way when the stream is cut off.
const LEAST_MS: u64 = 100;
/// Longest time for all of them, and for a controller to fail.
const MOST_MS: u64 = 20_000;

/// All commands end while the stream is bound; after `abort` has returned none does, and the controller fails at its first
/// completion. `queue` is the region of the driver's queues, whose last page it leaves alone.
pub(super) fn while_busy(
    mut disk: Disk,
    queue: Shared,
    abort: impl FnOnce() -> Result<(), RtError>,
) -> Result<(), Problem> {
    let last = queue.size() - PAGE;
    assert!(last >= layout::BYTES, "the queue region has a page to spare");
    let data = Data::At(queue.iova().offset(last));
    submit(&mut disk, data)?;
    let (start, mut done) = (Counter.now_ms(), 0);
    while done < COMMANDS && Counter.now_ms() - start < MOST_MS {
        done += reap(&mut disk)?;
    }
    let took = Counter.now_ms() - start;
    check!("slow-completions-control", done == COMMANDS && took >= LEAST_MS, "{done} commands took {took} ms");

    submit(&mut disk, data)?;
    abort()?;
    let before = reap(&mut disk)?;
    let (start, mut after) = (Counter.now_ms(), 0);
    let mut alive = Ok(());
    while alive.is_ok() && Counter.now_ms() - start < MOST_MS {
        after += reap(&mut disk)?;
        alive = disk.controller.check_alive();
    }
    after += reap(&mut disk)?;
    let blocked = alive == Err(Error::Fatal) && before < COMMANDS && after == 0;
    check!(
        "abort-completions-blocked",
        blocked,
        "{before} of {COMMANDS} before, {after} after; the controller: {alive:?}"
    );
    Ok(())
}

fn submit(disk: &mut Disk, data: Data) -> Result<(), Error> {
    (0..COMMANDS).try_for_each(|_| disk.controller.submit(Operation::Read { lba: 0, blocks: 1, data }).map(drop))
}

/// How many commands have ended.
fn reap(disk: &mut Disk) -> Result<u16, Error> {
    let mut count = 0;
    while disk.controller.reap()?.is_some() {
        count += 1;
    }
    Counter.relax();
    Ok(count)
}
