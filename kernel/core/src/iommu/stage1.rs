//! Stage 1 of a context's holder: a table of context descriptors in the holder's own memory, walked under stage 2.

use core::cell::Cell;

use sluice_abi::smmu::{CdTable, ContextId, MAX_STAGE1_COMMANDS};
use sluice_smmu::Stage1Command;

use super::invalidate::MAX_NAMED_STREAMS;
use crate::Kernel;
use crate::hal::Hal;
use crate::object::StreamState;

/// The commands of a `CB_InvalidateStage1` that decoding has copied and admitted; of no meaning between two system calls.
///
/// They are here and not in the invocation because they would make every invocation a kilobyte large.
pub(crate) struct Stage1Batch([Cell<Option<Stage1Command>>; MAX_STAGE1_COMMANDS]);

impl Stage1Batch {
    pub(crate) const fn new() -> Self {
        Self([const { Cell::new(None) }; MAX_STAGE1_COMMANDS])
    }

    /// Replaces the command at `index`.
    pub(crate) fn set(&self, index: usize, command: Stage1Command) {
        if let Some(entry) = self.0.get(index) {
            entry.set(Some(command));
        }
    }

    fn first(&self, count: usize) -> impl Iterator<Item = Stage1Command> + Clone {
        self.0.iter().take(count).filter_map(Cell::get)
    }
}

impl<H: Hal> Kernel<H> {
    /// Puts a stage 1 before stage 2 of a context, or takes it away: for every stream through abort, and with nothing left
    /// in the TLB of what the context translated before.
    pub(crate) fn set_stage1(&mut self, context: ContextId, table: Option<CdTable>) {
        let Some(object) = self.smmus.context(context).map(|handle| self.get(handle)) else { return };
        let bound = || {
            self.streams_of(object).filter(|(_, located)| self.get(located.shadow).state.get() == StreamState::Bound)
        };
        for (stream, located) in bound() {
            self.write_abort(stream, located);
        }
        self.invalidate_context(context);
        object.stage1.set(table);
        for (stream, located) in bound() {
            self.activate_stream(stream, located, context);
        }
    }

    /// Carries out the first `count` commands of the batch for every stream of the context, and waits once.
    pub(crate) fn invalidate_stage1(&self, context: ContextId, count: usize) {
        let (Some(unit), Some(handle)) = (self.smmus.unit(context.smmu), self.smmus.context(context)) else { return };
        let streams = self.streams_of(self.get(handle));
        let few = streams.clone().nth(MAX_NAMED_STREAMS).is_none();
        let about_descriptors = |command: &Stage1Command| matches!(command, Stage1Command::Descriptors(_));
        let batch = self.stage1_batch.first(count);
        if !few && batch.clone().any(|command| about_descriptors(&command)) {
            self.settle(unit.driver.queue_forget_configuration(&self.hal));
        }
        for command in batch.filter(|command| few || !about_descriptors(command)) {
            let sids = streams.clone().map(|(stream, _)| stream.sid);
            self.settle(unit.driver.queue_stage1(&self.hal, command, context.cb, sids));
        }
        self.sync_smmu(context.smmu);
    }
}
