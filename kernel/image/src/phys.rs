//! Physical memory through the kernel's window.
//!
//! Every address given to these functions is RAM or a device register range that [`crate::mmu`] has mapped. Frames may
//! be written by users and devices at any time, so nothing here makes a reference to one.

use core::ptr;

use sluice_abi::PhysAddr;

/// Where physical address 0 is mapped.
pub(crate) const WINDOW: u64 = 0x8000_0000_0000;

/// The window's pointer to `at`.
pub(crate) const fn pointer<T>(at: PhysAddr) -> *mut T {
    ptr::with_exposed_provenance_mut((WINDOW + at.0) as usize)
}

/// Reads a word of memory once.
pub(crate) fn load(at: PhysAddr) -> u64 {
    // SAFETY: `at` is aligned and mapped (module documentation); a volatile read makes no claim about other writers.
    unsafe { pointer::<u64>(at).read_volatile() }
}

/// Writes a word of memory.
pub(crate) fn store(at: PhysAddr, value: u64) {
    // SAFETY: `at` is aligned and mapped, and no Rust reference to it exists: objects are only reached by `Store::get`,
    // whose addresses are never given to this function while they live.
    unsafe { pointer::<u64>(at).write_volatile(value) }
}

/// Reads a 32-bit device register.
pub(crate) fn read32(at: PhysAddr) -> u32 {
    // SAFETY: `at` is aligned and mapped as Device memory.
    unsafe { pointer::<u32>(at).read_volatile() }
}

/// Writes a 32-bit device register.
pub(crate) fn write32(at: PhysAddr, value: u32) {
    // SAFETY: `at` is aligned and mapped as Device memory of a device that only the kernel drives.
    unsafe { pointer::<u32>(at).write_volatile(value) }
}

/// Writes an 8-bit device register.
pub(crate) fn write8(at: PhysAddr, value: u8) {
    // SAFETY: `at` is mapped as Device memory.
    unsafe { pointer::<u8>(at).write_volatile(value) }
}

/// Zeroes ordinary memory that no object and no reference lies in.
pub(crate) fn clear(at: PhysAddr, bytes: u64) {
    // SAFETY: the range is mapped RAM; the capability state has no object in it.
    unsafe { pointer::<u8>(at).write_bytes(0, bytes as usize) }
}

/// Bytes of the device tree: firmware's memory, which nobody writes any more.
///
/// # Safety
/// The range is mapped, and stays unwritten as long as the slice lives.
pub(crate) unsafe fn bytes(at: PhysAddr, len: usize) -> &'static [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(pointer::<u8>(at), len) }
}

/// As [`bytes`], to be written.
///
/// # Safety
/// The range is mapped RAM, and nothing else refers to it as long as the slice lives.
pub(crate) unsafe fn bytes_mut(at: PhysAddr, len: usize) -> &'static mut [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts_mut(pointer::<u8>(at), len) }
}
