//! The end: one line, and the machine stops.

use core::panic::PanicInfo;

use crate::{console, psci};

/// Prints why, and stops.
pub(crate) fn stop(cause: core::fmt::Arguments<'_>) -> ! {
    console::line(format_args!("STOP: {cause}"));
    psci::power_off();
    crate::cpu::sleep_forever()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => stop(format_args!("PANIC at {}:{}: {}", at.file(), at.line(), info.message())),
        None => stop(format_args!("PANIC: {}", info.message())),
    }
}
