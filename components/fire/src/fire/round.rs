//! One round, and what it counts.

use alloc::vec::Vec;

use sluice_abi::{Iova, PAGE_SIZE};
use sluice_fire::{Canary, Loss, Plan};
use sluice_manifest::slot;
use sluice_nvme::machine::Bar;
use sluice_rt::{DmaView, Env, RtError, Tables, check, time};
use sluice_sys::{AsidPool, CNode, Slot, Untyped};

use super::disk::Disk;
use super::engine::Engine;
use super::field::{Field, PAGES};
use super::trouble::Trouble;
use super::wing::Wing;

/// Where both devices find the field; the disk's queues lie below.
const FIELD: Iova = Iova(0x4_0000);
/// Reads that must have ended before memory is taken away: at least one, at most so many.
const MOST_READS: u64 = 200;
/// One round in so many has a late transfer, which takes 100 ms.
const LATE: u64 = 4;
/// Under instruction counting an instruction takes a nanosecond.
const NANOSECONDS: u64 = 1_000_000_000;

/// Everything the rounds use.
pub(super) struct Arena<'a> {
    field: Field<'a>,
    disk: Wing,
    exerciser: Wing,
    bar: Bar,
    queue: DmaView,
    queue_frames: Vec<Slot>,
    engine: Engine,
    spaces: Untyped,
    pool: AsidPool,
}

/// What all rounds together have seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    /// Commands that ended well before memory was taken away.
    pub(super) before: u64,
    /// Commands in flight when it was.
    pub(super) in_flight: u64,
    /// Commands that ended after, and those of them that failed.
    pub(super) after: u64,
    pub(super) failed: u64,
    /// Transfers of the exerciser that came after.
    pub(super) late: u64,
    /// Words that changed, of how many.
    pub(super) damaged: u64,
    pub(super) words: u64,
    /// Rounds in which nothing was in flight, or nothing had arrived.
    pub(super) idle: u64,
}

impl<'a> Arena<'a> {
    pub(super) fn of(env: &'a Env) -> Result<Self, Trouble> {
        let (disk, edu) = (env.device("disk")?, env.device("edu")?);
        let queue = disk.dma("disk_queue")?;
        let own = CNode::from(slot::CNODE);
        let queue_frames: Vec<Slot> = queue.frames.iter().map(|frame| own.slot(frame.cptr().0)).collect();
        Ok(Self {
            field: Field::reserve(env, Tables::new(env.untyped("tables")?.cap, env.slots()))?,
            disk: Wing::of(env, &disk, queue_frames.len() + PAGES)?,
            exerciser: Wing::of(env, &edu, PAGES)?,
            bar: Bar(disk.registers(0)?),
            queue,
            queue_frames,
            engine: Engine::new(edu.registers(0)?, edu.interrupt()?),
            spaces: env.untyped("spaces")?.cap,
            pool: env.asid_pool()?,
        })
    }

    /// Makes memory and address spaces, and lets both devices at them.
    fn prepare(&self) -> Result<(), Trouble> {
        self.field.make()?;
        self.disk.build(self.spaces, self.pool)?;
        self.disk.map(0, &self.queue_frames, self.queue.iova)?;
        self.disk.map(self.queue_frames.len(), &self.field.frames, FIELD)?;
        self.exerciser.build(self.spaces, self.pool)?;
        self.exerciser.map(0, &self.field.frames, FIELD)?;
        self.disk.open()?;
        Ok(self.exerciser.open()?)
    }

    /// Takes everything away that a round has left, and waits until the kernel has collected the records of it: a stream
    /// that has made many is kept from its memory for a while.
    fn clean_up(&self) -> Result<(), Trouble> {
        let wings = [&self.disk, &self.exerciser];
        wings.iter().try_for_each(|wing| wing.close())?;
        self.engine.pause()?;
        wings.iter().try_for_each(|wing| wing.forget_records())?;
        let spaces = CNode::from(slot::CNODE).slot(self.spaces.cptr().0);
        spaces.revoke().map_err(RtError::refused("revoke the address spaces"))?;
        Ok(self.field.lose()?)
    }

    /// The same transfers with nothing taken away: they arrive.
    pub(super) fn control(&mut self) -> Result<(), Trouble> {
        const BEFORE: Canary = Canary(0);
        self.prepare()?;
        self.field.fill(BEFORE);
        let mut disk = Disk::open(self.bar, &self.queue, FIELD)?;
        let mut plan = Plan::new(0);
        disk.stream(MOST_READS, &mut plan)?;
        disk.drain()?;
        let by_disk = self.field.damage(BEFORE);
        check!("disk-control", by_disk > 0 && disk.failed == 0, "{} reads changed {by_disk} words", disk.ended);
        self.field.fill(BEFORE);
        self.engine.start(FIELD);
        self.engine.finish()?;
        let by_exerciser = self.field.damage(BEFORE);
        check!("late-control", by_exerciser == PAGE_SIZE / 8, "a late transfer changed {by_exerciser} words");
        self.clean_up()
    }

    /// One round. Says how many instructions the loss took.
    pub(super) fn round(
        &mut self,
        number: u64,
        loss: Loss,
        plan: &mut Plan,
        tally: &mut Tally,
    ) -> Result<u64, Trouble> {
        self.prepare()?;
        self.field.fill(Canary(2 * number));
        let mut disk = Disk::open(self.bar, &self.queue, FIELD)?;
        let late = plan.once_in(LATE);
        if late {
            self.engine.start(FIELD.offset(plan.below(PAGES as u64) * PAGE_SIZE));
        }
        disk.stream(1 + plan.below(MOST_READS), plan)?;
        let (ended, in_flight) = (disk.ended, disk.in_flight());
        tally.idle += u64::from(in_flight == 0 || self.field.damage(Canary(2 * number)) == 0);

        let start = time::ticks();
        self.take(loss)?;
        let took = time::ticks() - start;
        if loss == Loss::Memory {
            self.field.make()?;
        }
        let canary = Canary(2 * number + 1);
        self.field.fill(canary);
        // What was in flight may have arrived before the loss. These come after it, by translations that were cached.
        disk.insist(plan)?;
        let taken_along = disk.drain()?;
        if late {
            self.engine.finish()?;
        }
        tally.before += ended;
        tally.in_flight += in_flight;
        tally.after += disk.ended - ended + disk.failed + taken_along;
        tally.failed += disk.failed + taken_along;
        tally.late += u64::from(late);
        tally.damaged += self.field.damage(canary);
        tally.words += self.field.words();
        self.clean_up()?;
        Ok(took * NANOSECONDS / time::ticks_per_second().max(1))
    }

    /// Takes the field from both devices. When this returns, neither reaches it.
    fn take(&self, loss: Loss) -> Result<(), RtError> {
        let wings = [&self.disk, &self.exerciser];
        match loss {
            Loss::Pages => {
                self.disk.unmap(self.queue_frames.len(), PAGES)?;
                self.exerciser.unmap(0, PAGES)
            }
            Loss::Memory => self.field.lose(),
            Loss::Binding => {
                wings.iter().try_for_each(|wing| wing.sid.unbind_cb()).map_err(RtError::refused("unbind a stream"))
            }
            Loss::Assignment => wings
                .iter()
                .try_for_each(|wing| wing.cb.unassign_vspace())
                .map_err(RtError::refused("unassign an address space")),
            Loss::Table => wings.iter().try_for_each(|wing| wing.unmap_table()),
            Loss::Space => wings.iter().try_for_each(|wing| wing.delete_space()),
        }
    }
}
