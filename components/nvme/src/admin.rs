//! Admin commands, one at a time and polled: bring-up comes before the interrupt, and later ones are rare.

use crate::command::{Command, Identify};
use crate::error::{Error, Unsupported};
use crate::hardware::{Clock, Dma, Registers};
use crate::identify::{Answer, ControllerIdentity, Namespace};
use crate::layout;
use crate::queue::QueuePair;
use crate::registers::Capabilities;
use crate::reset;

/// Longest time an admin command may take.
const ADMIN_MS: u64 = 5_000;
/// The only namespace this driver uses.
const NAMESPACE: u32 = 1;

/// What [`crate::Controller::open`] has while the I/O queues do not exist yet.
pub(crate) struct BringUp<'a, R, D, C> {
    pub(crate) registers: &'a R,
    pub(crate) memory: &'a D,
    pub(crate) clock: &'a C,
    pub(crate) capabilities: Capabilities,
    pub(crate) admin: QueuePair,
}

impl<R: Registers, D: Dma, C: Clock> BringUp<'_, R, D, C> {
    fn execute(&mut self, what: &'static str, command: Command) -> Result<u32, Error> {
        execute(self.registers, self.memory, self.clock, &self.capabilities, &mut self.admin, what, command)
    }

    /// Identifies the controller and its namespace.
    pub(crate) fn identify(&mut self) -> Result<(ControllerIdentity, Namespace), Error> {
        let page = self.memory.iova().offset(layout::ANSWER);
        self.execute("Identify Controller", Command::identify(Identify::Controller, page))?;
        let identity = ControllerIdentity::parse(&Answer::copy(self.memory, layout::ANSWER))?;
        self.execute("Identify Namespace", Command::identify(Identify::Namespace(NAMESPACE), page))?;
        let namespace = Namespace::parse(NAMESPACE, &Answer::copy(self.memory, layout::ANSWER))?;
        if namespace.block_bytes() > identity.max_transfer {
            return Err(Error::Unsupported(Unsupported::BlockFormat));
        }
        Ok((identity, namespace))
    }

    /// Creates the I/O queues where `layout` has them.
    pub(crate) fn create_queues(&mut self, io: &QueuePair) -> Result<(), Error> {
        let base = self.memory.iova();
        self.execute("Set Features (number of queues)", Command::one_queue_pair())?;
        let completions = base.offset(layout::IO_COMPLETION);
        self.execute(
            "Create I/O Completion Queue",
            Command::create_completion_queue(layout::IO_QUEUE, io.entries(), completions),
        )?;
        let submissions = base.offset(layout::IO_SUBMISSION);
        self.execute(
            "Create I/O Submission Queue",
            Command::create_submission_queue(layout::IO_QUEUE, io.entries(), submissions),
        )?;
        Ok(())
    }
}

/// Runs one admin command to its end by polling.
pub(crate) fn execute(
    registers: &impl Registers,
    memory: &impl Dma,
    clock: &impl Clock,
    capabilities: &Capabilities,
    admin: &mut QueuePair,
    what: &'static str,
    command: Command,
) -> Result<u32, Error> {
    let id = admin.submit(registers, memory, capabilities, |_| Ok(command))?;
    let start = clock.now_ms();
    loop {
        if let Some((done, completion)) = admin.reap(memory)? {
            admin.acknowledge(registers, memory, capabilities);
            if done == id {
                return completion.status.map(|()| completion.result).map_err(|status| Error::Command { what, status });
            }
            // The late end of a command that was given up.
            continue;
        }
        reset::check_alive(registers)?;
        if clock.now_ms().saturating_sub(start) > ADMIN_MS {
            return Err(Error::TimedOut { what, ms: ADMIN_MS });
        }
        clock.relax();
    }
}
