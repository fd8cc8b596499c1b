//! Registers of the header (PCI Local Bus 3.0, 6.1), as words of 32 bits at byte offsets.

/// Vendor and device number.
pub(super) const ID: usize = 0x00;
/// Command in the low half, status in the high half.
pub(super) const COMMAND: usize = 0x04;
/// Revision and class.
pub(super) const CLASS: usize = 0x08;
/// Cache line size, latency timer, header type, self test.
pub(super) const HEADER: usize = 0x0c;
/// First of six base address registers.
pub(super) const BAR0: usize = 0x10;
/// Vendor and device number of the card.
pub(super) const SUBSYSTEM: usize = 0x2c;
/// Offset of the first capability.
pub(super) const CAPABILITIES: usize = 0x34;
/// Interrupt line and pin.
pub(super) const INTERRUPT: usize = 0x3c;
/// First byte behind the header.
pub(super) const HEADER_END: usize = 0x40;
/// First byte behind what capabilities can be in.
pub(super) const END: usize = 0x100;

/// Command: memory BARs answer.
pub(super) const MEMORY: u32 = 1 << 1;
/// Command: the function may master memory.
pub(super) const MASTER: u32 = 1 << 2;
/// Command: the interrupt pin is off.
pub(super) const INTX_DISABLE: u32 = 1 << 10;
/// Command bits that can be written: also the answers to parity and system errors, which nothing here follows from.
pub(super) const COMMAND_WRITABLE: u32 = MEMORY | MASTER | 1 << 6 | 1 << 8 | INTX_DISABLE;
/// Status: there is a capability list.
pub(super) const STATUS_CAPABILITIES: u32 = 1 << 20;
/// Cache line size, and the interrupt line: memory for the guest's kernel.
pub(super) const LOWEST_BYTE: u32 = 0xff;
