//! A disk whose queue is kept full of reads into the field.

use sluice_abi::Iova;
use sluice_fire::Plan;
use sluice_nvme::machine::{Bar, Counter, Shared};
use sluice_nvme::{Controller, Data, Error, Operation};
use sluice_rt::DmaView;
use sluice_rt::time::Deadline;
use sluice_sys::yield_now;

use super::field::PAGES;
use super::trouble::Trouble;

/// Most pages of one read.
const READ_PAGES: u64 = 4;
const PAGE_BITS: u32 = sluice_abi::PAGE_BITS;
/// How long commands may take to end, or the controller to fail.
const DRAIN_MS: u64 = 10_000;

/// A controller that has just been brought up.
pub(super) struct Disk {
    controller: Controller<Bar, Shared, Counter>,
    /// Where it finds the field.
    field: Iova,
    /// Commands that ended well, and that did not.
    pub(super) ended: u64,
    pub(super) failed: u64,
}

impl Disk {
    pub(super) fn open(bar: Bar, queue: &DmaView, field: Iova) -> Result<Self, Error> {
        let controller = Controller::open(bar, Shared(queue.clone()), Counter)?;
        Ok(Self { controller, field, ended: 0, failed: 0 })
    }

    /// Commands in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.controller.outstanding().into()
    }

    /// Keeps the queue full until `wanted` commands have ended.
    pub(super) fn stream(&mut self, wanted: u64, plan: &mut Plan) -> Result<(), Trouble> {
        let deadline = Deadline::in_milliseconds(DRAIN_MS);
        loop {
            self.fill(plan)?;
            if self.ended >= wanted {
                return Ok(());
            }
            if deadline.passed() {
                return Err(Trouble::Stuck);
            }
            self.reap()?;
        }
    }

    fn fill(&mut self, plan: &mut Plan) -> Result<(), Error> {
        let namespace = self.controller.namespace();
        let (block_bits, blocks) = (namespace.block_bits, namespace.blocks);
        loop {
            let pages = 1 + plan.below(READ_PAGES);
            let page = plan.below(PAGES as u64 - pages + 1);
            let count = pages << (PAGE_BITS - block_bits);
            let data = Data::At(self.field.offset(page << PAGE_BITS));
            let read = Operation::Read { lba: plan.below(blocks - count), blocks: count as u32, data };
            match self.controller.submit(read) {
                Ok(_) => {}
                Err(Error::Busy) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Orders as many reads again as the queue takes, whatever has become of the memory they go to.
    pub(super) fn insist(&mut self, plan: &mut Plan) -> Result<(), Error> {
        self.reap()?;
        self.fill(plan)
    }

    fn reap(&mut self) -> Result<(), Error> {
        while let Some(done) = self.controller.reap()? {
            match done.result {
                Ok(()) => self.ended += 1,
                Err(_) => self.failed += 1,
            }
        }
        self.controller.acknowledge();
        yield_now();
        Ok(())
    }

    /// Waits until no command is in flight any more, or the controller has given up. Says how many it took along.
    pub(super) fn drain(&mut self) -> Result<u64, Trouble> {
        let deadline = Deadline::in_milliseconds(DRAIN_MS);
        while self.in_flight() > 0 {
            match self.controller.check_alive() {
                Err(Error::Fatal) => return Ok(self.in_flight()),
                outcome => outcome?,
            }
            if deadline.passed() {
                return Err(Trouble::Stuck);
            }
            self.reap()?;
        }
        Ok(0)
    }
}
