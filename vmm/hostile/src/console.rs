//! Lines through the PL011 that the guest is given.

use core::fmt::{self, Write};

use sluice_hostile::place::UART;

use crate::machine::store;

struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| store(UART, 1, byte.into()));
        Ok(())
    }
}

/// Prints a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    // The UART never fails, so neither does formatting to it.
    let _: fmt::Result = Uart.write_fmt(format_args!("{text}\n"));
}

/// Enables it as firmware does (DDI 0183, 3.3.8 and 3.3.10), and ends whatever line there is.
pub(crate) fn restore() {
    store(UART + 0x38, 4, 0);
    store(UART + 0x30, 4, 0x301);
    line(format_args!(""));
}
