//! Registers of the PL011 UART (ARM DDI 0183, 3.2 Summary of registers) that a transmitter needs.

/// Data register.
pub const DR: usize = 0x000;
/// Flag register.
pub const FR: usize = 0x018;
/// Flag: the transmit FIFO is full.
pub const FR_TXFF: u32 = 1 << 5;
/// Control register.
pub const CR: usize = 0x030;
/// Control: UART enabled, transmitter enabled, receiver enabled. Baud rate and format stay as the firmware left them.
pub const CR_ON: u32 = 1 << 0 | 1 << 8 | 1 << 9;
