//! Whole ranges with many commands in flight: commands end in any order, data is handed on in the range's order.

use sluice_abi::Iova;

use crate::controller::{Controller, Data, Done, Operation};
use crate::error::Error;
use crate::hardware::{Clock, Dma, Interrupt, Registers};
use crate::ids::{CommandId, MAX_OUTSTANDING};
use crate::status::Status;

/// Longest time without any completion while commands are outstanding.
const STALL_MS: u64 = 30_000;

/// The part of a DMA buffer a stream uses: `slots` chunks of `chunk` bytes each, from `iova` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Where the controller finds it.
    pub iova: Iova,
    /// Bytes of one chunk: what one command transfers.
    pub chunk: u64,
    /// Number of chunks, which bounds the commands in flight.
    pub slots: u16,
}

impl Buffer {
    /// The largest chunks with which `depth` commands of the controller fit into `bytes` at `iova`.
    ///
    /// # Errors
    /// [`Error::Memory`] when not even one block for each command fits.
    pub fn plan<R: Registers, D: Dma, C: Clock>(
        controller: &Controller<R, D, C>,
        iova: Iova,
        bytes: u64,
        depth: u16,
    ) -> Result<Self, Error> {
        let block = controller.namespace().block_bytes();
        let slots = depth.min(controller.depth()).max(1);
        let chunk = (bytes / u64::from(slots)).min(controller.identity().max_transfer) & !(block - 1);
        if chunk == 0 {
            return Err(Error::Memory { needed: u64::from(slots) * block, given: bytes });
        }
        Ok(Self { iova, chunk, slots })
    }
}

/// One command's share of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Byte of the namespace it starts at.
    pub disk_offset: u64,
    /// Byte of the buffer it starts at.
    pub buffer_offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a stream did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Bytes transferred.
    pub bytes: u64,
    /// Commands that ended.
    pub commands: u64,
    /// Most commands in flight at once.
    pub deepest: u16,
    /// Times the interrupt was waited for.
    pub interrupts: u64,
}

/// Reads the whole namespace; `sink` gets each chunk in ascending order once it is in the buffer.
///
/// # Errors
/// [`Error::Busy`] when commands are outstanding already; the first transfer that failed, after all others have ended;
/// or why the controller is of no use any more.
pub fn read_all<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    buffer: Buffer,
    sink: impl FnMut(Chunk),
) -> Result<Summary, Error> {
    let read = |lba, blocks, data| Operation::Read { lba, blocks, data };
    run(controller, interrupt, buffer, read, |_| (), sink)
}

/// Writes the whole namespace; `source` puts each chunk into the buffer.
///
/// # Errors
/// As for [`read_all`].
pub fn write_all<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    buffer: Buffer,
    source: impl FnMut(Chunk),
    progress: impl FnMut(Chunk),
) -> Result<Summary, Error> {
    let write = |lba, blocks, data| Operation::Write { lba, blocks, data };
    run(controller, interrupt, buffer, write, source, progress)
}

/// Runs a single command to its end.
///
/// # Errors
/// Why it could not be given, or why the controller is of no use any more; how the command ended is the value.
pub fn single<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    operation: Operation,
) -> Result<Result<(), Status>, Error> {
    only_user(controller)?;
    let wanted = controller.submit(operation)?;
    let mut result = None;
    loop {
        next_completions(controller, interrupt, |done| {
            if done.id == wanted {
                result = Some(done.result);
            }
        })?;
        if let Some(result) = result {
            return Ok(result);
        }
    }
}

/// Nobody else's commands may be in flight: their ends would be taken for the stream's.
fn only_user<R: Registers, D: Dma, C: Clock>(controller: &Controller<R, D, C>) -> Result<(), Error> {
    if controller.outstanding() > 0 { Err(Error::Busy) } else { Ok(()) }
}

/// Which chunks are in flight, and which have landed but wait for an earlier one.
struct Window {
    buffer: Buffer,
    total: u64,
    issued: u64,
    consumed: u64,
    landed: [bool; MAX_OUTSTANDING as usize],
    slot_of: [u16; MAX_OUTSTANDING as usize],
}

impl Window {
    fn chunk(&self, number: u64) -> Chunk {
        let disk_offset = number * self.buffer.chunk;
        Chunk {
            disk_offset,
            buffer_offset: u64::from(self.slot(number)) * self.buffer.chunk,
            bytes: self.buffer.chunk.min(self.total - disk_offset),
        }
    }

    fn slot(&self, number: u64) -> u16 {
        (number % u64::from(self.buffer.slots)) as u16
    }

    fn chunks(&self) -> u64 {
        self.total.div_ceil(self.buffer.chunk)
    }

    /// The chunk to issue next, when there is one and its slot is free.
    fn next(&self) -> Option<Chunk> {
        let free = self.issued - self.consumed < u64::from(self.buffer.slots);
        (self.issued < self.chunks() && free).then(|| self.chunk(self.issued))
    }

    fn issue(&mut self, id: CommandId) {
        self.slot_of[usize::from(id.index())] = self.slot(self.issued);
        self.issued += 1;
    }

    fn land(&mut self, id: CommandId) {
        self.landed[usize::from(self.slot_of[usize::from(id.index())])] = true;
    }

    /// The next chunk in order, when it has landed; its slot is free once the caller is done with it.
    fn consume(&mut self) -> Option<Chunk> {
        if self.consumed == self.issued {
            return None;
        }
        let slot = usize::from(self.slot(self.consumed));
        if !core::mem::take(&mut self.landed[slot]) {
            return None;
        }
        let chunk = self.chunk(self.consumed);
        self.consumed += 1;
        Some(chunk)
    }
}

fn run<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    buffer: Buffer,
    operation: impl Fn(u64, u32, Data) -> Operation,
    mut before: impl FnMut(Chunk),
    mut after: impl FnMut(Chunk),
) -> Result<Summary, Error> {
    let block_bits = controller.namespace().block_bits;
    let blocks = buffer.chunk >> block_bits;
    if blocks == 0 || blocks << block_bits != buffer.chunk || !(1..=MAX_OUTSTANDING).contains(&buffer.slots) {
        return Err(Error::Blocks);
    }
    let mut window = Window {
        buffer,
        total: controller.namespace().bytes(),
        issued: 0,
        consumed: 0,
        landed: [false; MAX_OUTSTANDING as usize],
        slot_of: [0; MAX_OUTSTANDING as usize],
    };
    let mut summary = Summary::default();
    let mut failure = None;
    only_user(controller)?;
    interrupt.rearm();
    loop {
        while let (None, Some(chunk)) = (failure, window.next()) {
            before(chunk);
            let data = Data::At(buffer.iova.offset(chunk.buffer_offset));
            let command = operation(chunk.disk_offset >> block_bits, (chunk.bytes >> block_bits) as u32, data);
            match controller.submit(command) {
                Ok(id) => window.issue(id),
                Err(error) => failure = Some(error),
            }
        }
        summary.deepest = summary.deepest.max(controller.outstanding());
        if controller.outstanding() == 0 {
            return failure.map_or(Ok(summary), Err);
        }
        summary.interrupts += next_completions(controller, interrupt, |done: Done| {
            summary.commands += 1;
            match done.result {
                Ok(()) => window.land(done.id),
                Err(status) => failure = failure.or(Some(Error::Transfer { lba: done.lba, status })),
            }
        })?;
        while let (None, Some(chunk)) = (failure, window.consume()) {
            after(chunk);
            summary.bytes += chunk.bytes;
        }
    }
}

/// Waits until at least one command ends, hands all that ended to `each`, and returns how often it waited.
fn next_completions<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    mut each: impl FnMut(Done),
) -> Result<u64, Error> {
    let start = controller.clock().now_ms();
    let mut waits = 0;
    loop {
        interrupt.wait();
        waits += 1;
        let mut any = false;
        while let Some(done) = controller.reap()? {
            any = true;
            each(done);
        }
        controller.acknowledge();
        interrupt.rearm();
        if any {
            return Ok(waits);
        }
        controller.check_alive()?;
        if controller.clock().now_ms().saturating_sub(start) > STALL_MS {
            return Err(Error::TimedOut { what: "a transfer", ms: STALL_MS });
        }
    }
}
