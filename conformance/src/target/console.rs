//! The console: the UART itself, through its device Untyped, so that both kernel builds can be heard.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};

use sluice_conformance_task::Verdict;

use super::memory::{load32, store32};
use super::world::{Outcome, World};

/// Registers of a PL011 (DDI 0183, 3.3): data, flags, interrupt mask.
const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const INTERRUPT_MASK: u64 = 0x38;
/// Interrupt: there is room to transmit.
const TRANSMIT: u32 = 1 << 5;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Where the UART is mapped; 0 until it is.
static UART: AtomicU64 = AtomicU64::new(0);

struct Uart(u64);

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while load32(self.0 + FLAGS) & TRANSMIT_FULL != 0 {}
            store32(self.0 + DATA, u32::from(byte));
        }
        Ok(())
    }
}

/// Maps the UART that the device tree names.
pub(crate) fn open(world: &mut World) -> Outcome {
    let registers = world.console_registers()?;
    let address = world.map_registers(registers)?;
    UART.store(address, Ordering::Relaxed);
    Ok(())
}

/// Lets the UART's interrupt line follow its transmitter, which has always room after a line, or holds it low.
pub(crate) fn raise_interrupt(raised: bool) {
    store32(UART.load(Ordering::Relaxed) + INTERRUPT_MASK, if raised { TRANSMIT } else { 0 });
}

/// Prints a line, if there is a console.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let address = UART.load(Ordering::Relaxed);
    if address != 0 {
        // The UART's writer cannot fail; a value whose formatting does leaves a line that is no result.
        let _: fmt::Result = writeln!(Uart(address), "{text}");
    }
}

/// Prints a check's result in the form the scripts judge.
pub(crate) fn line_of_check(topic: &str, name: &str, verdict: &Verdict) {
    let outcome = if verdict.passed { "pass" } else { "FAIL" };
    line(format_args!("{topic:<8}| CHECK {outcome} {name}: {}", verdict.detail.as_str()));
}
