//! Order between memory that devices see and their registers.
//!
//! Registers are Device memory and memory is Normal: without a barrier the architecture may let a doorbell overtake
//! the descriptor it announces (DDI 0487, B2.3).

/// Stores before are visible to devices before accesses after.
pub(crate) fn before_register_write() {
    #[cfg(target_os = "none")]
    // SAFETY: a barrier has no effect but on order.
    unsafe {
        core::arch::asm!("dmb oshst", options(nostack, preserves_flags));
    }
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

/// Loads after see what devices had stored before the register load that precedes this.
pub(crate) fn after_register_read() {
    #[cfg(target_os = "none")]
    // SAFETY: a barrier has no effect but on order.
    unsafe {
        core::arch::asm!("dmb oshld", options(nostack, preserves_flags));
    }
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}
