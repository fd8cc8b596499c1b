//! The last resort: a mistake of the root task itself.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use super::access::{halt, put};

struct Characters;

impl Write for Characters {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(put);
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The characters' writer cannot fail, and there is nobody to tell if a value's formatting did.
    if writeln!(Characters, "root    | STOP: panic: {info}").is_err() {
        put(b'\n');
    }
    halt()
}
