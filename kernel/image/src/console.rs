//! The debug console: a PL011 (Arm DDI 0183), at the speed firmware left it.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::PhysAddr;

use crate::phys;

const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const LINE_CONTROL: u64 = 0x2c;
const CONTROL: u64 = 0x30;
/// 8 bits, FIFOs on.
const LINE: u32 = 0x70;
/// UART, transmitter and receiver on.
const ENABLE: u32 = 0x301;
const TRANSMIT_FULL: u32 = 1 << 5;
/// Looks at the flags before giving a byte up: a UART that never drains must not stop the kernel.
const PATIENCE: u32 = 1 << 20;
const NONE: u64 = u64::MAX;

static BASE: AtomicU64 = AtomicU64::new(NONE);

/// Prints on the UART at `base` from now on.
pub(crate) fn set(base: PhysAddr) {
    phys::write32(base.offset(LINE_CONTROL), LINE);
    phys::write32(base.offset(CONTROL), ENABLE);
    BASE.store(base.0, Ordering::Relaxed);
}

/// Prints a byte, if there is a console.
pub(crate) fn put(byte: u8) {
    let base = BASE.load(Ordering::Relaxed);
    if base == NONE {
        return;
    }
    let base = PhysAddr(base);
    for _ in 0..PATIENCE {
        if phys::read32(base.offset(FLAGS)) & TRANSMIT_FULL == 0 {
            phys::write8(base.offset(DATA), byte);
            return;
        }
    }
}

/// The console as a formatter's target; each line of the kernel's own starts with its name.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(put);
        Ok(())
    }
}

/// Prints one line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    use fmt::Write;
    // `Console` never fails.
    let _: fmt::Result = Console.write_fmt(format_args!("kernel  | {text}\n"));
}
