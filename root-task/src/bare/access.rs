//! The kernel, and the memory it maps for the root task.

use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sluice_abi::smmu::Record;
use sluice_abi::{CPtr, PhysAddr, VirtAddr, bootinfo};
use sluice_root_task::kernel::{Invocation, Kernel, WINDOW};
use sluice_sys::{
    Census, Failure, Frame, Sid, Tcb, Untyped, UserContext, debug_cap_identify, debug_census, debug_halt, debug_made,
    debug_put_char, debug_snapshot, debug_space,
};

/// The running kernel.
pub(super) struct System;

/// Whether the kernel prints for threads.
static DEBUG: AtomicBool = AtomicBool::new(false);
/// Where the UART is mapped; 0 when it is not.
static UART: AtomicU64 = AtomicU64::new(0);
/// Registers of a PL011 (DDI 0183, 3.3): data and flags.
const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Says which kernel it is; before anything is printed.
pub(super) fn set_debug(debug: bool) {
    DEBUG.store(debug, Ordering::Relaxed);
}

/// Prints a character, when there is a way.
pub(super) fn put(byte: u8) {
    let uart = UART.load(Ordering::Relaxed);
    if DEBUG.load(Ordering::Relaxed) {
        debug_put_char(byte);
    } else if uart != 0 {
        while System.load(VirtAddr(uart + FLAGS)) & TRANSMIT_FULL != 0 {}
        System.store(VirtAddr(uart + DATA), u32::from(byte));
    }
}

/// Ends the run: powers the machine off where the kernel does that, and else stays here for ever.
pub(super) fn halt() -> ! {
    if DEBUG.load(Ordering::Relaxed) {
        debug_halt();
    }
    loop {
        // The least urgent of all from now on, should suspending be refused.
        let thread = bootinfo::slot::INIT_TCB;
        if System.invoke(&Invocation::Suspend { thread }).is_err() {
            sluice_sys::yield_now();
        }
    }
}

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

/// Has the core rest until the kernel's next tick at the latest.
fn wait_for_interrupt() {
    // SAFETY: a hint; the kernel takes the interrupt.
    unsafe { core::arch::asm!("wfi", options(nostack, preserves_flags)) };
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

    fn address_of(&mut self, frame: u64) -> Result<PhysAddr, Failure> {
        Frame::from(frame).get_address()
    }

    fn registers(&mut self, thread: u64) -> Result<UserContext, Failure> {
        Tcb::from(thread).read_registers()
    }

    fn record(&mut self, stream: u64) -> Result<Option<Record>, Failure> {
        Sid::from(stream).get_fault()
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

    fn store_wide(&mut self, at: VirtAddr, value: u64) {
        let register = pointer::<u64>(at, 1);
        // SAFETY: as for `store`.
        unsafe { register.write_volatile(value) }
    }

    fn write(&mut self, at: VirtAddr, bytes: &[u8]) {
        let to = pointer::<u8>(at, bytes.len());
        // SAFETY: `pointer` checked that all bytes are in the window, so they cannot overlap `bytes`, which is a Rust
        // object; the frame there is the root task's alone while it is filled.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    fn open_console(&mut self, registers: VirtAddr) {
        UART.store(registers.0, Ordering::Relaxed);
    }

    fn snapshot(&mut self) {
        if DEBUG.load(Ordering::Relaxed) {
            debug_snapshot();
        }
    }

    fn show_space(&mut self, thread: u64) {
        if DEBUG.load(Ordering::Relaxed) {
            debug_space(Tcb::from(thread));
        }
    }

    fn show_made(&mut self, untyped: u64) {
        if DEBUG.load(Ordering::Relaxed) {
            debug_made(Untyped::from(untyped));
        }
    }

    fn occupied(&self, slots: core::ops::Range<u64>) -> Option<u64> {
        let held = |slot: &u64| debug_cap_identify(CPtr(*slot)) != 0;
        DEBUG.load(Ordering::Relaxed).then(|| slots.filter(held).count() as u64)
    }

    fn census(&self) -> Option<Census> {
        DEBUG.load(Ordering::Relaxed).then(debug_census)
    }

    fn wait(milliseconds: u32) {
        let ticks = u64::from(milliseconds) * counter_frequency() / 1000;
        let start = counter();
        while counter().wrapping_sub(start) < ticks {
            sluice_sys::yield_now();
            wait_for_interrupt();
        }
    }

    fn now(&self) -> u64 {
        counter()
    }

    fn ticks_per_second(&self) -> u64 {
        counter_frequency()
    }

    fn line(&mut self, text: &str) {
        for part in ["root    | ", text, "\n"] {
            part.bytes().for_each(put);
        }
    }
}
