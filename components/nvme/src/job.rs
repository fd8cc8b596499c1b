//! What the component does with a disk: hash all of it, fill all of it, look at samples of it.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::controller::{Controller, Data, Operation};
use crate::error::Error;
use crate::hardware::{Clock, Dma, Interrupt, Registers};
use crate::pattern;
use crate::prp::PAGE;
use crate::stream::{self, Buffer, Summary};

/// A SHA-256 value, shown as 64 lower-case digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tells when another tenth of a whole is done.
#[derive(Clone, Copy, Debug)]
pub struct Tenths {
    total: u64,
    told: u64,
}

impl Tenths {
    /// Nothing of `total` is done.
    #[must_use]
    pub const fn of(total: u64) -> Self {
        Self { total, told: 0 }
    }

    /// With `done` of the whole done: the percentage to tell, a multiple of ten not told before.
    pub fn reached(&mut self, done: u64) -> Option<u64> {
        let tenths = (u128::from(done) * 10).checked_div(u128::from(self.total)).unwrap_or(10) as u64;
        (tenths > self.told).then(|| {
            self.told = tenths;
            tenths * 10
        })
    }
}

/// Hashes the whole namespace, read through `memory`, of which `buffer` is a part at the beginning.
///
/// # Errors
/// As for [`stream::read_all`].
pub fn hash_all<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    memory: &impl Dma,
    buffer: Buffer,
    mut progress: impl FnMut(u64),
) -> Result<(Digest, Summary), Error> {
    let mut hash = Sha256::new();
    let summary = stream::read_all(controller, interrupt, buffer, |chunk| {
        let mut copy = [0; PAGE as usize];
        let end = chunk.buffer_offset + chunk.bytes;
        let mut at = chunk.buffer_offset;
        while at < end {
            let piece = &mut copy[..(end - at).min(PAGE) as usize];
            for (word, offset) in piece.chunks_exact_mut(8).zip((at..).step_by(8)) {
                word.copy_from_slice(&memory.load(offset).to_le_bytes());
            }
            hash.update(&*piece);
            at += PAGE;
        }
        progress(chunk.disk_offset + chunk.bytes);
    })?;
    Ok((Digest(hash.finalize().into()), summary))
}

/// Fills the whole namespace with the [`pattern`] and makes it durable.
///
/// # Errors
/// As for [`stream::write_all`], or a Flush that failed.
pub fn fill<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    memory: &impl Dma,
    buffer: Buffer,
    mut progress: impl FnMut(u64),
) -> Result<Summary, Error> {
    let source = |chunk: stream::Chunk| {
        for at in (0..chunk.bytes).step_by(8) {
            memory.store(chunk.buffer_offset + at, pattern::word(chunk.disk_offset + at));
        }
    };
    let summary = stream::write_all(controller, interrupt, buffer, source, |chunk| {
        progress(chunk.disk_offset + chunk.bytes);
    })?;
    stream::single(controller, interrupt, Operation::Flush)?
        .map_err(|status| Error::Command { what: "Flush", status })?;
    Ok(summary)
}

/// The hash of one block, read to the beginning of `memory`.
///
/// # Errors
/// A transfer that failed, or why the controller is of no use any more.
pub fn hash_block<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    memory: &impl Dma,
    lba: u64,
) -> Result<Digest, Error> {
    read_block(controller, interrupt, memory, lba)?;
    let mut hash = Sha256::new();
    for offset in (0..controller.namespace().block_bytes()).step_by(8) {
        hash.update(memory.load(offset).to_le_bytes());
    }
    Ok(Digest(hash.finalize().into()))
}

/// Reads a block to the beginning of `memory`, which is cleared first: a block that is not transferred at all must not
/// pass for the one that was there before.
fn read_block<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    memory: &impl Dma,
    lba: u64,
) -> Result<(), Error> {
    for offset in (0..controller.namespace().block_bytes()).step_by(8) {
        memory.store(offset, 0);
    }
    let data = Data::At(memory.iova());
    stream::single(controller, interrupt, Operation::Read { lba, blocks: 1, data })?
        .map_err(|status| Error::Transfer { lba, status })
}

/// Reads `samples` blocks spread over the namespace, the first and the last among them, and returns the disk offset of
/// the first word that does not have the [`pattern`].
///
/// # Errors
/// A transfer that failed, or why the controller is of no use any more.
pub fn first_damage<R: Registers, D: Dma, C: Clock>(
    controller: &mut Controller<R, D, C>,
    interrupt: &mut impl Interrupt,
    memory: &impl Dma,
    samples: u64,
) -> Result<Option<u64>, Error> {
    let namespace = *controller.namespace();
    let steps = samples.saturating_sub(1).max(1);
    for sample in 0..samples {
        let lba = (u128::from(namespace.blocks - 1) * u128::from(sample) / u128::from(steps)) as u64;
        read_block(controller, interrupt, memory, lba)?;
        for offset in (0..namespace.block_bytes()).step_by(8) {
            let at = (lba << namespace.block_bits) + offset;
            if memory.load(offset) != pattern::word(at) {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}
