//! The command queue (IHI 0070, 3.5 and 4.1): it is consumed within the write that fills it.

use super::Smmu;
use super::backend::Backend;
use super::batch::Batch;
use super::command::Command;
use super::features::COMMAND_QUEUE_BITS;
use super::queue::Queue;
use super::regs::{CMDQ_INDEX, CR0, GERROR, command_error, offset};
use super::streams::Found;

/// log2 of the bytes of a command.
const COMMAND_BITS: u32 = 4;

/// Why the queue stops: a value of CMDQ_CONS.ERR.
struct Stop(u32);

impl Smmu {
    /// Carries out what is in the command queue, if it is enabled and not stopped: at most as many commands as it has
    /// entries.
    pub(super) fn consume(&mut self, world: &mut impl Backend) {
        if !self.is_enabled(CR0::CMDQEN) || self.active_errors() & GERROR::CMDQ::SET.value != 0 {
            return;
        }
        let queue = Queue::new(self.pages.get_double(offset::CMDQ_BASE), COMMAND_QUEUE_BITS, COMMAND_BITS);
        let prod = CMDQ_INDEX::INDEX.read(self.pages.get(offset::CMDQ_PROD));
        let mut cons = CMDQ_INDEX::INDEX.read(self.pages.get(offset::CMDQ_CONS));
        let waiting = queue.waiting(prod, cons);
        // More than the queue holds cannot have been written to it.
        let mut result = if waiting > queue.entries() { Err(Stop(command_error::ABORT)) } else { Ok(()) };
        let mut batch = core::mem::take(&mut self.batch);
        let mut left = waiting;
        while result.is_ok() && left > 0 {
            result = self.carry_out(queue, cons, &mut batch, world);
            if result.is_ok() {
                cons = queue.after(cons);
                left -= 1;
            }
        }
        batch.issue(&self.streams, world);
        self.batch = batch;
        let error = result.err().map(|Stop(error)| error);
        // ERR keeps its last value, as it means nothing while no error is active.
        let error_field = error.unwrap_or(CMDQ_INDEX::ERR.read(self.pages.get(offset::CMDQ_CONS)));
        self.pages.set(offset::CMDQ_CONS, (CMDQ_INDEX::INDEX.val(cons) + CMDQ_INDEX::ERR.val(error_field)).value);
        if error.is_some() {
            self.raise(GERROR::CMDQ);
        }
    }

    /// Reads and carries out one command.
    fn carry_out(&mut self, queue: Queue, index: u32, batch: &mut Batch, world: &mut impl Backend) -> Result<(), Stop> {
        let mut bytes = [0; 1 << COMMAND_BITS];
        world.read(queue.entry(index), &mut bytes).map_err(|_| Stop(command_error::ABORT))?;
        let both = u128::from_le_bytes(bytes);
        let words = [both as u64, (both >> 64) as u64];
        match Command::decode(&self.features, words).ok_or(Stop(command_error::ILLEGAL))? {
            // A guest need not invalidate what was never there, though it may have been cached that it was not: Linux
            // links a second-level stream table whose entries need no change, and then has them prefetched.
            Command::Prefetch { sid } => {
                if let Some(index) = self.streams.find(sid)
                    && self.streams.get(index).is_some_and(|stream| stream.found == Found::Nothing)
                {
                    self.reconfigure(index, batch, world);
                }
            }
            Command::Streams { sid: changed, bits } => {
                for index in 0..self.streams.len() {
                    if self.streams.get(index).is_some_and(|stream| Command::concerns(stream.sid, changed, bits)) {
                        self.reconfigure(index, batch, world);
                    }
                }
            }
            Command::Descriptors { sid, substream, leaf } => {
                if let Some(stream) = self.streams.find(sid) {
                    batch.descriptors(stream, substream, leaf, &self.streams, world);
                }
            }
            Command::Translations(words) => batch.translations(words, &self.streams, world),
            Command::Sync { interrupt } => {
                batch.sync();
                self.signals.sync |= interrupt;
            }
        }
        Ok(())
    }
}
