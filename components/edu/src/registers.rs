//! Registers of the edu device (QEMU documentation, "EDU device", MMIO area spec).

/// Identification, 32 bits.
pub const ID: usize = 0x00;
/// What identification reads as, but for the version in bits 31:16.
pub const ID_VALUE: u32 = 0xed;
/// Bits of identification that are not the version.
pub const ID_MASK: u32 = 0xffff;
/// Causes of the interrupt, 32 bits.
pub const INTERRUPT_STATUS: usize = 0x24;
/// Causes stored here are no longer pending, 32 bits.
pub const INTERRUPT_ACKNOWLEDGE: usize = 0x64;
/// DMA source address, 64 bits.
pub const DMA_SOURCE: usize = 0x80;
/// DMA destination address, 64 bits.
pub const DMA_DESTINATION: usize = 0x88;
/// DMA byte count, 64 bits.
pub const DMA_COUNT: usize = 0x90;
/// DMA command, 64 bits.
pub const DMA_COMMAND: usize = 0x98;

/// Command: run; reads as set until the transfer is over, 100 ms later.
pub const COMMAND_RUN: u64 = 1 << 0;
/// Command: from the device's buffer to memory; the other way round without it.
pub const COMMAND_TO_MEMORY: u64 = 1 << 1;

/// Command: raise the interrupt at the end.
pub const COMMAND_INTERRUPT: u64 = 1 << 2;

/// Where the device's own buffer lies in its address space.
pub const BUFFER: u64 = 0x4_0000;
/// Bytes of that buffer.
pub const BUFFER_BYTES: usize = 4096;
