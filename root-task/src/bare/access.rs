//! The kernel, and the memory it maps for the root task.

use core::ptr::with_exposed_provenance_mut;

use sluice_abi::VirtAddr;
use sluice_root_task::kernel::{Invocation, Kernel, WINDOW};
use sluice_sys::{Failure, debug_put_char};

/// The running kernel.
pub(super) struct System;

/// A pointer into the window, where no Rust object lies; anything else is a mistake of the library.
fn pointer<T>(at: VirtAddr, len: usize) -> *mut T {
    let end = at.0.saturating_add((len * size_of::<T>()) as u64);
    assert!(WINDOW.start <= at.0 && end <= WINDOW.end && at.0.is_multiple_of(align_of::<T>() as u64));
    with_exposed_provenance_mut(at.0 as usize)
}

/// The counter that every thread may read (DDI 0487, D12.1).
fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: reads a counter.
    unsafe { core::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags)) };
    ticks
}

fn counter_frequency() -> u64 {
    let frequency: u64;
    // SAFETY: reads a register that never changes.
    unsafe { core::arch::asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack, preserves_flags)) };
    frequency
}

impl Kernel for System {
    fn invoke(&mut self, invocation: &Invocation) -> Result<(), Failure> {
        invocation.send()
    }

    fn load(&self, at: VirtAddr) -> u32 {
        let register = pointer::<u32>(at, 1);
        // SAFETY: `pointer` checked alignment and that the address is in the window, which only frames mapped by the
        // library occupy; an address without one faults and stops this thread.
        unsafe { register.read_volatile() }
    }

    fn store(&mut self, at: VirtAddr, value: u32) {
        let register = pointer::<u32>(at, 1);
        // SAFETY: as for `load`; no Rust object is in the window.
        unsafe { register.write_volatile(value) }
    }

    fn write(&mut self, at: VirtAddr, bytes: &[u8]) {
        let to = pointer::<u8>(at, bytes.len());
        // SAFETY: `pointer` checked that all bytes are in the window, so they cannot overlap `bytes`, which is a Rust
        // object; the frame there is the root task's alone while it is filled.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    fn wait(milliseconds: u32) {
        let ticks = u64::from(milliseconds) * counter_frequency() / 1000;
        let start = counter();
        while counter().wrapping_sub(start) < ticks {
            sluice_sys::yield_now();
        }
    }

    fn line(&mut self, text: &str) {
        for part in ["root    | ", text, "\n"] {
            part.bytes().for_each(debug_put_char);
        }
    }
}
