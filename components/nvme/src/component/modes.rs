//! One way of translation at a time: what must arrive, in both directions, and what must not.

use sluice_abi::Iova;
use sluice_abi::smmu::CdTable;
use sluice_dma::stage1;
use sluice_nvme::hardware::{Clock as _, Dma as _};
use sluice_nvme::machine::{Counter, Shared};
use sluice_nvme::prp::PAGE;
use sluice_nvme::{Data, Error, Operation, stream};
use sluice_rt::{Env, RtError, check};

use super::faults::Stage;
use super::hardware::{Disk, Problem};
use super::scratch;
use super::{cut_off, disk};

/// How long a command that must not be fetched is waited for.
const NOT_FETCHED_MS: u64 = 500;
/// What a block is filled with; each of its words is another.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// What the controller must not overwrite.
const KEPT: u64 = 0x5a5a_0ff0_a5a5_f00f;
/// Checks of what is stopped.
const LIST: [&str; 2] = ["disk-list-out-of-reach", "disk-list-fault"];
const DATA: &str = "disk-data-fault";
/// TLBI_NH_ALL (IHI 0070, 4.4.2): all that stage 1 says.
const TLBI_NH_ALL: u64 = 0x10;
/// Two pages of stage 1 at the end of its last-level table, which no region has.
const ALIAS: Iova = Iova(510 * PAGE);

/// A device confined to its regions by the only stage of its SMMU, or by stage 2 of two.
pub(crate) fn confined(env: &Env, stage: Stage) -> Result<(), Problem> {
    let mut disk = Disk::open(env, "disk")?;
    disk.faults.stage = stage;
    both_ways(&mut disk, ["mode-reads-memory", "mode-writes-memory"])?;
    blocked(&mut disk)?;
    scratch::run(&mut disk)?;
    Ok(disk.controller.shut_down()?)
}

/// A stage 1 of the component's own before that, in the region `disk_stage1`: it has all regions at their addresses.
pub(crate) fn nested(env: &Env) -> Result<(), Problem> {
    let mut disk = Disk::open(env, "disk")?;
    both_ways(&mut disk, ["control-reads-memory", "control-writes-memory"])?;
    let device = env.device("disk").map_err(RtError::from)?;
    let own = Shared(device.dma("disk_stage1")?);
    let at = |page: u64| own.iova().offset(page * PAGE);
    for (index, word) in (0u64..).zip(stage1::context_descriptor(at(1))) {
        own.store(8 * index, word);
    }
    own.store(PAGE, stage1::table(at(2)));
    for (start, bytes) in device.reach() {
        for page in (start.0..start.0 + bytes).step_by(PAGE as usize) {
            // One table of the last level covers 2 MiB.
            assert!(page < ALIAS.0, "regions lie below 2 MiB, and leave two pages");
            own.store(2 * PAGE + 8 * (page / PAGE), stage1::page(Iova(page)));
        }
    }
    own.publish();
    let table = CdTable { ipa: at(0).0, inner: 1, outer: 1, shareability: 3, ..CdTable::default() };
    device.manage()?.cb.assign_cd_table(table).map_err(RtError::refused("assign context descriptors"))?;
    disk.faults.stage = Stage::One;
    both_ways(&mut disk, ["mode-reads-memory", "mode-writes-memory"])?;
    blocked(&mut disk)?;

    let alias = |to: Iova| {
        for page in 0..2 {
            own.store(2 * PAGE + 8 * (ALIAS.0 / PAGE + page), stage1::page(to.offset(page * PAGE)));
        }
        own.publish();
        // No stage-2 entry and no descriptor has changed.
        device.manage()?.cb.invalidate_stage1(&[[TLBI_NH_ALL, 0]]).map_err(RtError::refused("invalidate stage 1"))
    };
    alias(disk.plan.iova)?;
    both_ways_at(&mut disk, ALIAS, ["alias-reads-memory", "alias-writes-memory"])?;
    // Stage 1 goes on to say that there is memory; stage 2 has none there.
    alias(disk.faults.out_of_reach())?;
    disk.faults.stage = Stage::Two;
    disk::list_at(&mut disk, ["astray-list-out-of-reach", "astray-list-fault"], ALIAS)?;
    disk::data_to(&mut disk, "astray-data-fault", ALIAS.offset(PAGE))?;
    alias(disk.plan.iova)?;
    both_ways_at(&mut disk, ALIAS, ["again-reads-memory", "again-writes-memory"])?;
    scratch::run(&mut disk)?;
    Ok(disk.controller.shut_down()?)
}

/// No translation; then none and no access; then that of a context which has the queues and not the data.
pub(crate) fn bypass(env: &Env) -> Result<(), Problem> {
    let mut disk = Disk::open(env, "disk")?;
    for frame in &disk.buffer.0.frames {
        frame.unmap().map_err(RtError::refused("unmap a frame"))?;
    }
    both_ways(&mut disk, ["bypass-reads-memory", "bypass-writes-memory"])?;
    scratch::run(&mut disk)?;

    let device = env.device("disk").map_err(RtError::from)?;
    let manage = device.manage()?;
    for sid in &manage.sids {
        sid.unbind_cb().map_err(RtError::refused("end a bypass"))?;
    }
    fill(&disk, |_| KEPT);
    disk.controller.submit(Operation::Read { lba: 0, blocks: 1, data: Data::At(disk.plan.iova) })?;
    let start = Counter.now_ms();
    let mut done = None;
    while done.is_none() && Counter.now_ms() - start < NOT_FETCHED_MS {
        done = disk.controller.reap()?;
        Counter.relax();
    }
    let alive = disk.controller.check_alive();
    check!("abort-reads-nothing", done.is_none() && alive == Err(Error::Fatal), "a command is not even fetched");
    let kept = is_filled(&disk, 0, |_| KEPT);
    check!("abort-writes-nothing", kept, "{} bytes at physical {:#x}", block(&disk), disk.plan.iova.0);

    for sid in &manage.sids {
        sid.bind_cb(manage.cb).map_err(RtError::refused("bind a stream"))?;
    }
    let mut disk = Disk::open(env, "disk")?;
    let at = disk.plan.iova;
    disk::list_at(&mut disk, LIST, at)?;
    disk::data_to(&mut disk, DATA, at.offset(PAGE))?;
    let kept = is_filled(&disk, 0, |_| KEPT);
    check!("bound-buffer-intact", kept, "{} bytes at {:#x}, which the context does not map", block(&disk), at.0);

    cut_off::while_busy(disk, Shared(device.dma("disk_queue")?), || {
        manage.sids.iter().try_for_each(|sid| sid.unbind_cb().map_err(RtError::refused("unbind a stream")))
    })?;
    for sid in &manage.sids {
        sid.bind_cb(manage.cb).map_err(RtError::refused("bind a stream"))?;
    }
    Ok(Disk::open(env, "disk")?.controller.shut_down()?)
}

/// What the mode does not let through: the controller's reads and its writes.
fn blocked(disk: &mut Disk) -> Result<(), Error> {
    let at = disk.faults.out_of_reach();
    disk::list_at(disk, LIST, at)?;
    disk::data_to(disk, DATA, at.offset(PAGE))?;
    both_ways(disk, ["after-reads-memory", "after-writes-memory"])
}

/// A block from memory to the disk, and back to other memory.
fn both_ways(disk: &mut Disk, names: [&str; 2]) -> Result<(), Error> {
    let at = disk.plan.iova;
    both_ways_at(disk, at, names)
}

/// The same, where the device finds the first two pages of the buffer at `at`.
fn both_ways_at(disk: &mut Disk, at: Iova, [reads, writes]: [&str; 2]) -> Result<(), Error> {
    let word = |index: u64| SEED.wrapping_mul(index + 1);
    fill(disk, word);
    let write = Operation::Write { lba: 0, blocks: 1, data: Data::At(at) };
    let ended = stream::single(&mut disk.controller, &mut disk.interrupt, write)?;
    check!(reads, ended.is_ok(), "{} bytes at {:#x}", block(disk), at.0);
    let back = at.offset(PAGE);
    let read = Operation::Read { lba: 0, blocks: 1, data: Data::At(back) };
    let ended = stream::single(&mut disk.controller, &mut disk.interrupt, read)?;
    let same = is_filled(disk, PAGE, word);
    check!(writes, ended.is_ok() && same, "the same bytes at {:#x}", back.0);
    Ok(())
}

fn block(disk: &Disk) -> u64 {
    disk.controller.namespace().block_bytes().min(PAGE)
}

/// Fills the first page of the buffer, and the second with something else.
fn fill(disk: &Disk, word: impl Fn(u64) -> u64) {
    for index in 0..PAGE / 8 {
        disk.buffer.store(8 * index, word(index));
        disk.buffer.store(PAGE + 8 * index, !word(index));
    }
}

/// Whether a block at byte `start` of the buffer has the words.
fn is_filled(disk: &Disk, start: u64, word: impl Fn(u64) -> u64) -> bool {
    (0..block(disk) / 8).all(|index| disk.buffer.load(start + 8 * index) == word(index))
}
