//! What a debug build prints.

use core::fmt::{self, Write};

use crate::Kernel;
use crate::hal::Hal;
use crate::object::{Fault, Tcb};
use crate::store::Handle;

/// The debug console as a formatter's target.
pub struct Console<'a, H: Hal>(pub &'a H);

impl<H: Hal> Write for Console<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0.put_byte(byte);
        }
        Ok(())
    }
}

/// A fault nobody is told of stops the thread; a debug build says so.
pub(crate) fn unhandled_fault<H: Hal>(kernel: &Kernel<H>, thread: Handle<Tcb>, fault: Fault) {
    if cfg!(debug_assertions) {
        let tcb = kernel.tcb(thread);
        let name = tcb.name.get();
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let name = core::str::from_utf8(&name[..length]).unwrap_or("?");
        // The console never fails, so neither does formatting to it.
        let _: fmt::Result = writeln!(
            Console(&kernel.hal),
            "kernel  | thread \"{name}\" {thread:?} stopped at {:#x}, no fault handler: {fault:x?}",
            tcb.context.restart_pc.get()
        );
    }
}

/// Names what does not hold any more; the end of the kernel follows.
pub(crate) fn broken_invariant<H: Hal>(kernel: &Kernel<H>, name: &str) {
    let _: fmt::Result = writeln!(Console(&kernel.hal), "kernel  | broken invariant: {name}");
}

/// Prints every fact the scheduler has of the current thread.
pub(crate) fn dump_current<H: Hal>(kernel: &Kernel<H>) {
    let Some(current) = kernel.current else { return };
    let tcb = kernel.tcb(current);
    let _: fmt::Result = writeln!(
        Console(&kernel.hal),
        "kernel  | current {current:?} priority {} state {:?}",
        tcb.priority.get(),
        tcb.state.get()
    );
}
