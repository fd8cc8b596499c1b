//! The emulator: where results go, and how the run ends (Arm, "Semihosting for AArch32 and AArch64"). Bench kernels have
//! no debug system calls.

use core::arch::asm;
use core::fmt::{self, Write};

const SYS_WRITE0: u64 = 0x04;
const SYS_EXIT: u64 = 0x18;
/// Reason `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u64 = 0x2_0026;
const LINE: usize = 256;

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

fn ask(operation: u64, argument: u64) {
    // SAFETY: the two operations used read memory at the argument, which their callers hold, and write nothing but x0.
    unsafe { asm!("hlt #0xf000", inout("x0") operation => _, in("x1") argument, options(nostack)) }
}

/// Prints one line; the end of a longer one is replaced by `~`.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; LINE], used: 0 };
    let whole = line.write_fmt(text).is_ok();
    line.bytes[line.used] = if whole { b'\n' } else { b'~' };
    ask(SYS_WRITE0, line.bytes.as_ptr() as u64);
}

/// Tells whoever counts instructions from outside that a row begins; without effect on the machine.
pub(crate) fn begin() {
    // SAFETY: an unallocated hint is a NOP (DDI 0487, C6.2.126).
    unsafe { asm!("hint #64", options(nomem, nostack)) }
}

/// As [`begin`], at a row's end.
pub(crate) fn end() {
    // SAFETY: as in `begin`.
    unsafe { asm!("hint #65", options(nomem, nostack)) }
}

/// Ends the machine's run.
pub(crate) fn exit(good: bool) -> ! {
    let block = [APPLICATION_EXIT, u64::from(!good)];
    loop {
        ask(SYS_EXIT, block.as_ptr() as u64);
    }
}
