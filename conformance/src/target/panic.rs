//! The last resort: a mistake of this program, or a kernel that does not even do what every check builds on.

use core::panic::PanicInfo;

use super::call::suspend_self;
use super::console::line;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    line(format_args!("root    | STOP: panic: {info}"));
    suspend_self()
}
