//! PL011 UART (Arm DDI 0183), revision r1p5: FIFOs of 32 bytes.
//!
//! There is no line and no time: a byte is sent when the VMM takes it, and the receive timeout has passed as soon as
//! something is there. Nothing is lost on the way in: what does not fit stays with the VMM. Whoever is at the other end
//! is always there (CTS, DSR and DCD are asserted).

use crate::mmio::{Place, Width};

const FIFO: usize = 32;

/// Register offsets (DDI 0183, 3.2).
mod offset {
    pub(super) const DR: u64 = 0x00;
    pub(super) const FR: u64 = 0x18;
    pub(super) const ILPR: u64 = 0x20;
    pub(super) const IBRD: u64 = 0x24;
    pub(super) const FBRD: u64 = 0x28;
    pub(super) const LCRH: u64 = 0x2c;
    pub(super) const CR: u64 = 0x30;
    pub(super) const IFLS: u64 = 0x34;
    pub(super) const IMSC: u64 = 0x38;
    pub(super) const RIS: u64 = 0x3c;
    pub(super) const MIS: u64 = 0x40;
    pub(super) const ICR: u64 = 0x44;
    pub(super) const DMACR: u64 = 0x48;
    /// UARTPeriphID0; the others and UARTPCellID0 to 3 follow.
    pub(super) const IDENTITY: u64 = 0xfe0;
}

/// UARTPeriphID (3.3.15 to 3.3.18): part 011, designed by Arm, revision 3 (r1p5); UARTPCellID.
const IDENTITY: [u32; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

bitflags::bitflags! {
    /// UARTFR (3.3.3).
    #[derive(Clone, Copy)]
    struct Flags: u32 {
        const CLEAR_TO_SEND = 1;
        const DATA_SET_READY = 1 << 1;
        const CARRIER = 1 << 2;
        const BUSY = 1 << 3;
        const RECEIVE_EMPTY = 1 << 4;
        const TRANSMIT_FULL = 1 << 5;
        const RECEIVE_FULL = 1 << 6;
        const TRANSMIT_EMPTY = 1 << 7;
    }
}

/// UARTCLK, Hz; for the guest to know.
pub const CLOCK_HZ: u32 = 24_000_000;
/// UARTIBRD and UARTFBRD (3.3.5, 3.3.6): the divisor of the clock to 16 times the baud rate, in 64ths.
const DIVISOR_64: u32 = (CLOCK_HZ * 4 + 115_200 / 2) / 115_200;

/// UARTLCR_H.WLEN (3.3.7).
const EIGHT_BITS: u32 = 3 << 5;
/// UARTLCR_H.FEN (3.3.7): FIFOs are more than one byte deep.
const FIFOS_ENABLED: u32 = 1 << 4;
/// UARTCR (3.3.8).
const ENABLE: u32 = 1;
const LOOPBACK: u32 = 1 << 7;
const TRANSMIT_ENABLE: u32 = 1 << 8;
const RECEIVE_ENABLE: u32 = 1 << 9;

bitflags::bitflags! {
    /// UARTIMSC, UARTRIS, UARTMIS and UARTICR (3.3.10 to 3.3.13): what comes about here of eleven.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Interrupts: u32 {
        const RECEIVE = 1 << 4;
        const TRANSMIT = 1 << 5;
        const RECEIVE_TIMEOUT = 1 << 6;
    }
}

/// Bits of UARTIMSC, all of which can be written.
const INTERRUPT_MASK: u32 = 0x7ff;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Fifo {
    bytes: [u8; FIFO],
    first: usize,
    count: usize,
}

impl Fifo {
    const EMPTY: Self = Self { bytes: [0; FIFO], first: 0, count: 0 };

    /// Adds a byte, for which there has to be room.
    const fn push(&mut self, byte: u8) {
        if self.count < FIFO {
            self.bytes[(self.first + self.count) % FIFO] = byte;
            self.count += 1;
        }
    }

    const fn pop(&mut self) -> Option<u8> {
        if self.count == 0 {
            return None;
        }
        let byte = self.bytes[self.first];
        self.first = (self.first + 1) % FIFO;
        self.count -= 1;
        Some(byte)
    }
}

/// The UART.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pl011 {
    received: Fifo,
    to_send: Fifo,
    low_power: u32,
    baud: [u32; 2],
    line_control: u32,
    control: u32,
    levels: u32,
    mask: u32,
    raised: Interrupts,
    dma: u32,
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::new()
    }
}

impl Pl011 {
    /// A UART as firmware leaves it, because early consoles write without enabling it, and others take over its line: 115200
    /// baud of a [`CLOCK_HZ`] clock, eight bits, no parity, FIFOs on.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            received: Fifo::EMPTY,
            to_send: Fifo::EMPTY,
            low_power: 0,
            baud: [DIVISOR_64 / 64, DIVISOR_64 % 64],
            line_control: EIGHT_BITS | FIFOS_ENABLED,
            control: ENABLE | TRANSMIT_ENABLE | RECEIVE_ENABLE,
            levels: 0x12,
            mask: 0,
            raised: Interrupts::empty(),
            dma: 0,
        }
    }

    /// Back to what [`Pl011::new`] made.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Takes bytes that the guest has sent, the oldest first; how many there were. The interrupt may change.
    pub fn take_output(&mut self, into: &mut [u8]) -> usize {
        let mut taken = 0;
        while taken < into.len() && self.is_sending() {
            let Some(byte) = self.to_send.pop() else { break };
            into[taken] = byte;
            taken += 1;
        }
        if taken > 0 && self.to_send.count <= self.transmit_level() {
            self.raised |= Interrupts::TRANSMIT;
        }
        taken
    }

    /// A byte for the guest. Whether there was room for it, and the receiver enabled: otherwise it is to come again later.
    #[must_use]
    pub fn receive(&mut self, byte: u8) -> bool {
        let is_listening = self.control & (ENABLE | RECEIVE_ENABLE | LOOPBACK) == ENABLE | RECEIVE_ENABLE;
        is_listening && self.accept(byte)
    }

    /// Whether the interrupt is asserted (UARTINTR, level).
    #[must_use]
    pub const fn interrupt(&self) -> bool {
        self.raised.bits() & self.mask != 0
    }

    fn accept(&mut self, byte: u8) -> bool {
        if self.received.count >= self.depth() {
            return false;
        }
        self.received.push(byte);
        self.raised |= Interrupts::RECEIVE_TIMEOUT;
        if self.received.count >= self.receive_level() {
            self.raised |= Interrupts::RECEIVE;
        }
        true
    }

    const fn is_sending(&self) -> bool {
        self.control & (ENABLE | TRANSMIT_ENABLE) == ENABLE | TRANSMIT_ENABLE
    }

    const fn depth(&self) -> usize {
        if self.line_control & FIFOS_ENABLED != 0 { FIFO } else { 1 }
    }

    /// UARTIFLS (3.3.9): the eighth, quarter, half, three quarters or seven eighths of a FIFO.
    const fn level(&self, selection: u32) -> usize {
        match selection & 7 {
            0 => FIFO / 8,
            1 => FIFO / 4,
            2 => FIFO / 2,
            3 => FIFO * 3 / 4,
            _ => FIFO * 7 / 8,
        }
    }

    /// At so many bytes or fewer the transmit interrupt is raised when one leaves.
    const fn transmit_level(&self) -> usize {
        if self.depth() == 1 { 0 } else { self.level(self.levels) }
    }

    /// At so many bytes or more the receive interrupt is raised when one arrives.
    const fn receive_level(&self) -> usize {
        if self.depth() == 1 { 1 } else { self.level(self.levels >> 3) }
    }

    fn flags(&self) -> Flags {
        let mut flags = Flags::CLEAR_TO_SEND | Flags::DATA_SET_READY | Flags::CARRIER;
        flags.set(Flags::BUSY, self.to_send.count > 0 && self.is_sending());
        flags.set(Flags::RECEIVE_EMPTY, self.received.count == 0);
        flags.set(Flags::RECEIVE_FULL, self.received.count >= self.depth());
        flags.set(Flags::TRANSMIT_EMPTY, self.to_send.count == 0);
        flags.set(Flags::TRANSMIT_FULL, self.to_send.count >= self.depth());
        flags
    }

    /// Reads a register; the interrupt may change.
    pub fn read(&mut self, place: Place) -> u64 {
        let Some(offset) = register(place) else { return 0 };
        let value = match offset {
            offset::DR => self.read_data(),
            offset::FR => self.flags().bits(),
            offset::ILPR => self.low_power,
            offset::IBRD => self.baud[0],
            offset::FBRD => self.baud[1],
            offset::LCRH => self.line_control,
            offset::CR => self.control,
            offset::IFLS => self.levels,
            offset::IMSC => self.mask,
            offset::RIS => self.raised.bits(),
            offset::MIS => self.raised.bits() & self.mask,
            offset::DMACR => self.dma,
            // UARTRSR: nothing went wrong.
            _ => offset
                .checked_sub(offset::IDENTITY)
                .and_then(|from| IDENTITY.get(from as usize / 4))
                .copied()
                .unwrap_or(0),
        };
        u64::from(value) & place.width.mask()
    }

    /// Writes a register; there may be output then, and the interrupt may change.
    pub fn write(&mut self, place: Place, value: u64) {
        let Some(offset) = register(place) else { return };
        let value = (value & place.width.mask()) as u32;
        match offset {
            offset::DR => self.write_data(value as u8),
            offset::ILPR => self.low_power = value & 0xff,
            offset::IBRD => self.baud[0] = value & 0xffff,
            offset::FBRD => self.baud[1] = value & 0x3f,
            offset::LCRH => self.line_control = value & 0xff,
            offset::CR => self.control = value & 0xff87,
            offset::IFLS => self.levels = value & 0x3f,
            offset::IMSC => self.mask = value & INTERRUPT_MASK,
            offset::ICR => self.raised &= !Interrupts::from_bits_retain(value),
            offset::DMACR => self.dma = value & 7,
            // UARTECR clears errors, of which there are none; others are read-only.
            _ => {}
        }
    }

    fn read_data(&mut self) -> u32 {
        let Some(byte) = self.received.pop() else { return 0 };
        if self.received.count < self.receive_level() {
            self.raised &= !Interrupts::RECEIVE;
        }
        if self.received.count == 0 {
            self.raised &= !Interrupts::RECEIVE_TIMEOUT;
        }
        byte.into()
    }

    fn write_data(&mut self, byte: u8) {
        if self.control & LOOPBACK != 0 && self.is_sending() {
            // Overrun, if it is not accepted: the guest's own.
            self.accept(byte);
            self.raised |= Interrupts::TRANSMIT;
            return;
        }
        if self.to_send.count >= self.depth() {
            return;
        }
        self.to_send.push(byte);
        if self.to_send.count > self.transmit_level() {
            self.raised &= !Interrupts::TRANSMIT;
        }
    }
}

/// The register that an access is to. Registers are at most 16 bits wide and may be accessed in part, from their first byte.
fn register(place: Place) -> Option<u64> {
    let is_at_start = place.offset.is_multiple_of(4);
    (is_at_start && matches!(place.width, Width::Byte | Width::Half | Width::Word)).then_some(place.offset)
}
