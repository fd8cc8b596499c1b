//! Registers of the PL011 UART (ARM DDI 0183, 3.2 Summary of registers) that a terminal needs.

/// Data register (3.3.1): what is read has the byte in bits 7:0.
pub const DR: usize = 0x000;
/// Data: framing, parity or break error of the byte.
pub const DR_BAD: u32 = 0b111 << 8;
/// Data: bytes were lost before this one.
pub const DR_OVERRUN: u32 = 1 << 11;
/// Flag register (3.3.3).
pub const FR: usize = 0x018;
/// Flag: the receive FIFO is empty.
pub const FR_RXFE: u32 = 1 << 4;
/// Flag: the transmit FIFO is full.
pub const FR_TXFF: u32 = 1 << 5;
/// Control register (3.3.8).
pub const CR: usize = 0x030;
/// Control: UART enabled, transmitter enabled, receiver enabled. Baud rate and format stay as the firmware left them.
pub const CR_ON: u32 = 1 << 0 | 1 << 8 | 1 << 9;
/// Interrupt mask set and clear register (3.3.10).
pub const IMSC: usize = 0x038;
/// Interrupt clear register (3.3.13).
pub const ICR: usize = 0x044;
/// The receive interrupts: the FIFO is filled to its mark (RX), or has had something for a while (RT).
pub const RECEIVE: u32 = 1 << 4 | 1 << 6;
