//! What the kernel needs of the machine, and nothing it decides.
//!
//! The image implements [`Hal`] on hardware; tests implement it on a recording model, so that they can look after every
//! single store and register write. No method here may take a decision: each is one effect.

use core::fmt;

use sluice_abi::{PhysAddr, VirtAddr};
use sluice_smmu::Bus;

use crate::object::FpuContext;
use crate::store::Store;
use crate::vcpu::GuestMachine;

/// Effects on the machine.
///
/// `TableMemory` (translation-table words) and `Bus` (MMIO, barriers, cleaning) come with `sluice_smmu::Bus`;
/// [`Store`] gives access to kernel objects, [`GuestMachine`] to registers of guests.
pub trait Hal: Bus + Store + GuestMachine {
    /// Whether the build is the one that measures: threads have the benchmark system calls.
    const MEASURES: bool = false;

    /// Loads the word at `at` of a frame a user or a device may write at any time; each call reads memory once.
    fn frame_load(&self, at: PhysAddr) -> u64;
    /// Stores the word at `at` of a frame.
    fn frame_store(&self, at: PhysAddr, value: u64);
    /// Whether the range is ordinary memory of the machine, all of it.
    fn is_memory(&self, at: PhysAddr, bytes: u64) -> bool;
    /// Zeroes ordinary memory that holds no object, and makes the zeroes visible to non-coherent observers.
    fn clear(&self, at: PhysAddr, bytes: u64);
    /// Cache maintenance over ordinary memory.
    fn maintain(&self, operation: CacheOp, at: PhysAddr, bytes: u64);

    /// Makes the CPU translate EL0 accesses through `root`, tagged `vmid` (VTTBR_EL2).
    fn load_vspace(&self, root: PhysAddr, vmid: u8);
    /// Removes every CPU TLB entry tagged `vmid`.
    fn invalidate_vmid(&self, vmid: u8);
    /// Removes CPU TLB entries for the page of `vaddr` tagged `vmid`.
    fn invalidate_page(&self, vmid: u8, vaddr: VirtAddr);

    /// Lets EL0 use the floating-point registers, or makes it trap (CPTR_EL2.TFP).
    fn open_fpu(&self, open: bool);
    /// Copies the floating-point registers, which are open, to memory.
    fn save_fpu(&self, to: &FpuContext);
    /// Loads the floating-point registers, which are open, from memory.
    fn load_fpu(&self, from: &FpuContext);

    /// Whether an interrupt the kernel has not masked is pending.
    fn interrupt_pending(&self) -> bool;
    /// Enables or disables delivery of an interrupt.
    fn set_interrupt_enabled(&self, intid: u32, enabled: bool);
    /// Sets whether an interrupt is edge-triggered (ignored for the private ones that are fixed).
    fn set_interrupt_edge(&self, intid: u32, edge: bool);
    /// Tells the interrupt controller that an interrupt is handled (deactivates it).
    fn acknowledge_interrupt(&self, intid: u32);
    /// Starts the next timer tick.
    fn rearm_timer(&self);

    /// Whether somebody wants [`Hal::trace`] (debug builds, on request).
    fn is_tracing(&self) -> bool {
        false
    }
    /// Logs one event; see [`crate::trace`].
    fn trace(&self, _line: fmt::Arguments<'_>) {}
    /// Prints one byte on the debug console.
    fn put_byte(&self, byte: u8);
    /// Ends the machine's run; comes back only where that is impossible.
    fn power_off(&self);
    /// Ends the kernel: it cannot keep its promises any more. `cause` is printed.
    fn halt(&self, cause: &'static str) -> !;
}

/// Cache maintenance operations (Arm ARM, D7.5 Cache maintenance).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheOp {
    /// Write dirty lines back to the point of coherency.
    Clean,
    /// Write back and discard. Also used where a user asks for "invalidate": discarding without cleaning would show what
    /// memory held before it was zeroed for its present owner.
    CleanInvalidate,
    /// Clean to the point of unification and invalidate the instruction cache.
    Unify,
}
