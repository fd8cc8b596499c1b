//! A pair of queues: commands go out through one, completions come back through the other (4.1).

use crate::command::{self, Command};
use crate::completion::{self, Completion};
use crate::error::{Error, Violation};
use crate::hardware::{Dma, Registers};
use crate::ids::{CommandId, CommandIds};
use crate::registers::Capabilities;
use crate::ring::{CompletionRing, SubmissionRing};

/// Submission queue and completion queue of the same number and size.
#[derive(Debug)]
pub struct QueuePair {
    number: u16,
    entries: u16,
    submissions_at: u64,
    completions_at: u64,
    submissions: SubmissionRing,
    completions: CompletionRing,
    ids: CommandIds,
    unacknowledged: bool,
}

impl QueuePair {
    /// An empty pair over memory that is zeroed here: a stale phase tag would pass for a completion.
    pub fn new(number: u16, entries: u16, submissions_at: u64, completions_at: u64, memory: &impl Dma) -> Self {
        for word in 0..u64::from(entries) * completion::WORDS {
            memory.store(completions_at + 8 * word, 0);
        }
        Self {
            number,
            entries,
            submissions_at,
            completions_at,
            submissions: SubmissionRing::new(entries),
            completions: CompletionRing::new(entries),
            ids: CommandIds::new(entries - 1),
            unacknowledged: false,
        }
    }

    /// Entries of each of the two queues.
    #[must_use]
    pub fn entries(&self) -> u16 {
        self.entries
    }

    /// Commands outstanding.
    #[must_use]
    pub fn outstanding(&self) -> u16 {
        self.ids.outstanding()
    }

    /// Most commands that can be outstanding.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.ids.limit()
    }

    /// Submits the command that `build` makes for its identifier and rings the doorbell.
    ///
    /// # Errors
    /// [`Error::Busy`] when as many commands are outstanding as fit, or what `build` fails with; then nothing was
    /// submitted.
    pub fn submit(
        &mut self,
        registers: &impl Registers,
        memory: &impl Dma,
        capabilities: &Capabilities,
        build: impl FnOnce(CommandId) -> Result<Command, Error>,
    ) -> Result<CommandId, Error> {
        let id = self.ids.take().ok_or(Error::Busy)?;
        let prepared = build(id).and_then(|command| Ok((command, self.submissions.push().ok_or(Error::Busy)?)));
        let (command, slot) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.ids.end(id.index());
                return Err(error);
            }
        };
        let entry = self.submissions_at + u64::from(slot) * 8 * command::WORDS as u64;
        for (word, value) in (0..).zip(command.encode(id)) {
            memory.store(entry + 8 * word, value);
        }
        memory.publish();
        registers.write(capabilities.tail_doorbell(self.number), u32::from(self.submissions.tail()));
        Ok(id)
    }

    /// The next completion, when there is one.
    ///
    /// # Errors
    /// [`Error::Protocol`] when it does not fit what is outstanding.
    pub fn reap(&mut self, memory: &impl Dma) -> Result<Option<(CommandId, Completion)>, Error> {
        let entry = self.completions_at + u64::from(self.completions.head()) * 8 * completion::WORDS;
        let upper = memory.load(entry + 8);
        if !Completion::has_phase(upper, self.completions.phase()) {
            return Ok(None);
        }
        // The phase tag is written last: only loads after it see the rest of the entry, and the data of the command.
        memory.observe();
        let completion = Completion::decode(memory.load(entry), upper);
        self.completions.pop();
        self.unacknowledged = true;
        if completion.queue != self.number {
            return Err(Error::Protocol(Violation::WrongQueue(completion.queue)));
        }
        self.submissions.consumed_up_to(completion.head).map_err(Error::Protocol)?;
        match self.ids.end(completion.id) {
            Some(id) => Ok(Some((id, completion))),
            None => Err(Error::Protocol(Violation::UnknownCommand(completion.id))),
        }
    }

    /// Tells the controller which completions were reaped, which takes back their interrupt.
    pub fn acknowledge(&mut self, registers: &impl Registers, memory: &impl Dma, capabilities: &Capabilities) {
        if self.unacknowledged {
            self.unacknowledged = false;
            // The controller may reuse the entries from here on.
            memory.publish();
            registers.write(capabilities.head_doorbell(self.number), u32::from(self.completions.head()));
        }
    }
}
