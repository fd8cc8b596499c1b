//! Text for whoever runs the machine: an emulator or a debugger (Arm, "Semihosting for AArch32 and AArch64").

use core::arch::asm;
use core::fmt::{self, Write};

const SYS_WRITE0: u64 = 0x04;
const LINE: usize = 512;

struct Line {
    bytes: [u8; LINE],
    used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // One byte stays for the line's end, one for the terminator.
        let room = self.bytes[self.used..LINE - 2].get_mut(..text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}

/// Prints one line; what is longer than [`LINE`] is cut.
///
/// Only for machines that were asked for it: without semihosting the instruction is undefined.
pub(crate) fn print_line(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; LINE], used: 0 };
    let end: &[u8] = if line.write_fmt(text).is_ok() { b"\n" } else { b"~\n" };
    let used = line.used.min(LINE - 1 - end.len());
    line.bytes[used..used + end.len()].copy_from_slice(end);
    // SAFETY: the call reads the NUL-terminated text, which outlives it, and writes nothing but x0.
    unsafe { asm!("hlt #0xf000", inout("x0") SYS_WRITE0 => _, in("x1") line.bytes.as_ptr(), options(nostack)) }
}
