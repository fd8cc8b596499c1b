//! The console, which the guest also attacks.

pub(crate) use sluice_bare::console::line;
use sluice_bare::machine::store;
use sluice_hostile::place::UART;

/// Enables it as firmware does (DDI 0183, 3.3.8 and 3.3.10), and ends whatever line there is.
pub(crate) fn restore() {
    store(UART + 0x38, 4, 0);
    store(UART + 0x30, 4, 0x301);
    line(format_args!(""));
}
