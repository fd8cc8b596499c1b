//! A controller that is up, and its commands.

use sluice_abi::Iova;

use crate::admin::{BringUp, execute};
use crate::command::{Command, LOG_ERROR_BYTES, LOG_ERRORS};
use crate::error::Error;
use crate::hardware::{Clock, Dma, Registers};
use crate::identify::{Answer, ControllerIdentity, ErrorEntry, Namespace};
use crate::ids::{CommandId, MAX_OUTSTANDING};
use crate::layout;
use crate::prp::{self, List, Pointers};
use crate::queue::QueuePair;
use crate::registers::{self, Capabilities};
use crate::reset;
use crate::status::Status;

/// A controller that is ready for I/O on its first namespace.
#[derive(Debug)]
pub struct Controller<R, D, C> {
    registers: R,
    memory: D,
    clock: C,
    capabilities: Capabilities,
    admin: QueuePair,
    io: QueuePair,
    identity: ControllerIdentity,
    namespace: Namespace,
    /// First block of the command of each identifier, for messages.
    lbas: [u64; MAX_OUTSTANDING as usize],
}

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Reads `blocks` from `lba` on.
    Read {
        /// First block.
        lba: u64,
        /// Number of blocks.
        blocks: u32,
        /// Where they go.
        data: Data,
    },
    /// Writes `blocks` from `lba` on.
    Write {
        /// First block.
        lba: u64,
        /// Number of blocks.
        blocks: u32,
        /// Where they come from.
        data: Data,
    },
    /// Makes completed writes durable.
    Flush,
}

/// Where the data of a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Contiguous from this address on.
    At(Iova),
    /// Where these pointers say; the caller answers for them, and the SMMU for the caller.
    Through(Pointers),
}

/// A command that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// Which.
    pub id: CommandId,
    /// Its first block.
    pub lba: u64,
    /// How.
    pub result: Result<(), Status>,
}

impl<R: Registers, D: Dma, C: Clock> Controller<R, D, C> {
    /// Resets and enables the controller, identifies it and namespace 1, and creates the I/O queues in `memory`.
    ///
    /// # Errors
    /// When the controller does not answer, does not become ready in the time it states itself, or is of a kind this
    /// driver cannot use; or when `memory` is smaller than [`layout::BYTES`].
    pub fn open(registers: R, memory: D, clock: C) -> Result<Self, Error> {
        layout::check(memory.size())?;
        let capabilities = Capabilities::read(&registers)?;
        reset::disable(&registers, &clock, &capabilities)?;
        let entries = |limit: u16| limit.min(capabilities.max_entries.min(u32::from(u16::MAX)) as u16);
        let admin = QueuePair::new(
            0,
            entries(layout::ADMIN_ENTRIES),
            layout::ADMIN_SUBMISSION,
            layout::ADMIN_COMPLETION,
            &memory,
        );
        let io = QueuePair::new(
            layout::IO_QUEUE,
            entries(layout::IO_ENTRIES),
            layout::IO_SUBMISSION,
            layout::IO_COMPLETION,
            &memory,
        );
        memory.publish();
        reset::enable(&registers, &clock, &capabilities, memory.iova(), admin.entries())?;
        let mut bring_up = BringUp { registers: &registers, memory: &memory, clock: &clock, capabilities, admin };
        let (identity, namespace) = bring_up.identify()?;
        bring_up.create_queues(&io)?;
        let admin = bring_up.admin;
        // Bring-up polls; from here on the interrupt tells of completions.
        registers.write(registers::INTMC, 1);
        let lbas = [0; MAX_OUTSTANDING as usize];
        Ok(Self { registers, memory, clock, capabilities, admin, io, identity, namespace, lbas })
    }

    /// What the controller says it is.
    pub fn identity(&self) -> &ControllerIdentity {
        &self.identity
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Most commands that can be outstanding.
    pub fn depth(&self) -> u16 {
        self.io.depth()
    }

    /// Commands outstanding.
    pub fn outstanding(&self) -> u16 {
        self.io.outstanding()
    }

    /// The clock it was opened with.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// Gives the controller a command.
    ///
    /// Whether the blocks exist is for the controller to say.
    ///
    /// # Errors
    /// [`Error::Busy`], or a transfer that does not fit one command; then nothing was submitted.
    pub fn submit(&mut self, operation: Operation) -> Result<CommandId, Error> {
        let Self { registers, memory, capabilities, io, identity, namespace, .. } = self;
        let transfer = |id, blocks: u32, data| {
            let bytes = u64::from(blocks) << namespace.block_bits;
            if bytes == 0 || bytes > identity.max_transfer || blocks > 0x1_0000 {
                return Err(Error::Blocks);
            }
            match data {
                Data::Through(pointers) => Ok(pointers),
                Data::At(start) => name_pages(&*memory, id, start, bytes),
            }
        };
        let mut first = 0;
        let id = io.submit(&*registers, &*memory, capabilities, |id| {
            Ok(match operation {
                Operation::Read { lba, blocks, data } => {
                    first = lba;
                    Command::read(namespace.id, lba, blocks, transfer(id, blocks, data)?)
                }
                Operation::Write { lba, blocks, data } => {
                    first = lba;
                    Command::write(namespace.id, lba, blocks, transfer(id, blocks, data)?)
                }
                Operation::Flush => Command::flush(namespace.id),
            })
        })?;
        self.lbas[usize::from(id.index())] = first;
        Ok(id)
    }

    /// The next command that ended, when there is one.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the controller completes what was never submitted.
    pub fn reap(&mut self) -> Result<Option<Done>, Error> {
        let reaped = self.io.reap(&self.memory)?;
        Ok(reaped.map(|(id, completion)| Done {
            id,
            lba: self.lbas[usize::from(id.index())],
            result: completion.status,
        }))
    }

    /// Gives the entries of reaped commands back, which takes back the interrupt.
    pub fn acknowledge(&mut self) {
        self.io.acknowledge(&self.registers, &self.memory, &self.capabilities);
    }

    /// Whether the controller is still there and working; asked when an interrupt brought nothing.
    ///
    /// # Errors
    /// [`Error::Absent`] or [`Error::Fatal`].
    pub fn check_alive(&self) -> Result<(), Error> {
        reset::check_alive(&self.registers)
    }

    /// The newest entry of the error log (5.14.1.1).
    ///
    /// # Errors
    /// When the command fails or does not complete.
    pub fn error_log(&mut self) -> Result<ErrorEntry, Error> {
        self.log_to(self.memory.iova().offset(layout::ANSWER), LOG_ERROR_BYTES)?;
        Ok(ErrorEntry::parse(&Answer::copy(&self.memory, layout::ANSWER)))
    }

    /// Has the controller write the first `bytes` (a multiple of four, at most one entry) of the error log to `at`,
    /// wherever that is.
    ///
    /// # Errors
    /// When the command fails or does not complete.
    pub fn log_to(&mut self, at: Iova, bytes: u32) -> Result<(), Error> {
        if bytes == 0 || bytes > LOG_ERROR_BYTES || !bytes.is_multiple_of(4) {
            return Err(Error::Blocks);
        }
        self.registers.write(registers::INTMS, 1);
        let Self { registers, memory, clock, capabilities, admin, .. } = self;
        let done = execute(
            &*registers,
            &*memory,
            &*clock,
            capabilities,
            admin,
            "Get Log Page",
            Command::log_page(LOG_ERRORS, bytes, at),
        );
        self.registers.write(registers::INTMC, 1);
        done.map(|_| ())
    }

    /// Stops the controller so that nothing written is lost (7.6.2), and disables it.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn shut_down(self) -> Result<(), Error> {
        reset::shut_down(&self.registers, &self.clock)?;
        reset::disable(&self.registers, &self.clock, &self.capabilities)
    }
}

/// Builds the PRP entries of command `id`.
fn name_pages(memory: &impl Dma, id: CommandId, start: Iova, bytes: u64) -> Result<Pointers, Error> {
    let offset = layout::list(id);
    let list = List { iova: memory.iova().offset(offset), entries: layout::LIST_ENTRIES };
    Ok(prp::build(start, bytes, list, |index, page| memory.store(offset + 8 * index as u64, page.0))?)
}
