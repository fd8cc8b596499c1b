//! The end: one line, and the machine stops.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::{console, psci};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Prints why, and stops. What goes wrong on the way (a console or firmware call that traps) ends in silence, not here
/// again.
pub(crate) fn stop(cause: core::fmt::Arguments<'_>) -> ! {
    // One core, interrupts masked: nobody comes between load and store.
    if !STOPPING.load(Ordering::Relaxed) {
        STOPPING.store(true, Ordering::Relaxed);
        console::line(format_args!("STOP: {cause}"));
        psci::power_off();
    }
    crate::cpu::sleep_forever()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => stop(format_args!("PANIC at {}:{}: {}", at.file(), at.line(), info.message())),
        None => stop(format_args!("PANIC: {}", info.message())),
    }
}
