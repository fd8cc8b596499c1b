//! The memory a driver needs, and what it is for.

use sluice_abi::{PhysAddr, smmu::STREAM_TABLE_SPLIT};

use crate::Features;
use crate::ste::STE_BYTES;

/// log2 of the bytes of a command.
pub(crate) const COMMAND_BYTES_BITS: u32 = 4;
/// log2 of the bytes of an event record.
pub(crate) const EVENT_BYTES_BITS: u32 = 5;
/// log2 of the most entries of a queue: enough for a batch and its SYNC, small enough for static memory.
const MAX_QUEUE_BITS: u32 = 10;
/// Stream bits a two-level table covers when the SMMU has them: every function behind one PCIe host.
const PCIE_STREAM_BITS: u32 = 16;

/// Format of the stream table, chosen once: it is sticky on some implementations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamTableFormat {
    /// All entries in the driver's own memory.
    Linear,
    /// Descriptors in the driver's memory, entries in the tables installed.
    TwoLevel,
}

/// Physical memory to reserve for one SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needs {
    /// Format of the stream table.
    pub format: StreamTableFormat,
    /// log2 of the streams the stream table covers. Streams beyond abort.
    pub stream_bits: u32,
    /// Bytes of the stream table (the first level of a two-level one), aligned to themselves.
    pub strtab_bytes: u64,
    /// log2 of the command queue's entries.
    pub command_bits: u32,
    /// Bytes of the command queue, aligned to themselves.
    pub cmdq_bytes: u64,
    /// log2 of the event queue's entries.
    pub event_bits: u32,
    /// Bytes of the event queue, aligned to themselves.
    pub evtq_bytes: u64,
}

/// The memory given: three ranges of RAM that nobody else writes, sized and aligned as [`Needs`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// The stream table.
    pub strtab: PhysAddr,
    /// The command queue.
    pub cmdq: PhysAddr,
    /// The event queue.
    pub evtq: PhysAddr,
}

/// What an SMMU needs when the device tree names no stream above `highest_sid`.
///
/// A two-level table covers 16 stream bits where the SMMU has them, since its first level costs 8 bytes for 256
/// streams. A linear table costs 64 bytes a stream and has to be contiguous: it covers what `iommus` and `iommu-map`
/// name, rounded up to a power of two and to at least one table's span. A stream beyond either is out of range for the
/// SMMU itself and aborts.
#[must_use]
pub fn memory_needed(features: &Features, highest_sid: u32) -> Needs {
    let named_bits = (u32::BITS - highest_sid.leading_zeros()).max(STREAM_TABLE_SPLIT);
    // A table of one span gains nothing from a first level.
    let format = if features.two_level && features.sid_bits > STREAM_TABLE_SPLIT {
        StreamTableFormat::TwoLevel
    } else {
        StreamTableFormat::Linear
    };
    let (stream_bits, strtab_bytes) = match format {
        StreamTableFormat::Linear => {
            let bits = named_bits.min(features.sid_bits);
            (bits, STE_BYTES << bits)
        }
        StreamTableFormat::TwoLevel => {
            let bits = named_bits.max(PCIE_STREAM_BITS).min(features.sid_bits);
            (bits, (8 << (bits - STREAM_TABLE_SPLIT)).max(STE_BYTES))
        }
    };
    let command_bits = features.command_bits.min(MAX_QUEUE_BITS);
    let event_bits = features.event_bits.min(MAX_QUEUE_BITS);
    Needs {
        format,
        stream_bits,
        strtab_bytes,
        command_bits,
        cmdq_bytes: 1 << (command_bits + COMMAND_BYTES_BITS),
        event_bits,
        evtq_bytes: 1 << (event_bits + EVENT_BYTES_BITS),
    }
}
