//! The PL011 that a guest is given, enabled as firmware leaves it.

use core::fmt::{self, Write};

use crate::machine::store;
use crate::place::UART;

struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text);
        Ok(())
    }
}

/// Prints text.
pub fn print(text: &str) {
    text.bytes().for_each(|byte| store(UART, 1, byte.into()));
}

/// Prints a line.
pub fn line(text: fmt::Arguments<'_>) {
    // The UART never fails, so neither does formatting to it.
    let _: fmt::Result = Uart.write_fmt(format_args!("{text}\n"));
}
