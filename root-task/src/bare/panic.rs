//! The last resort: a mistake of the root task itself.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use sluice_sys::{debug_halt, debug_put_char};

struct Characters;

impl Write for Characters {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(debug_put_char);
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The characters' writer cannot fail, and there is nobody to tell if a value's formatting did.
    if writeln!(Characters, "root    | STOP: panic: {info}").is_err() {
        debug_put_char(b'\n');
    }
    debug_halt()
}
