//! Order of registers in `TCB_ReadRegisters` and its kin.

/// Words of a full user context.
pub const USER_CONTEXT_WORDS: usize = 36;
/// Words of its first part, the "frame" registers.
pub const USER_FRAME_WORDS: usize = 17;

/// PSTATE of a thread beside its condition flags: EL0t, FIQ masked (debug builds) and SError too (release builds), as
/// seL4 has it.
pub const PSTATE_USER: u64 = if cfg!(debug_assertions) { 0x40 } else { 0x140 };
/// Bits of SPSR that are a thread's own: N, Z, C, V.
pub const PSTATE_FLAGS: u64 = 0xf000_0000;
/// Flag of `TCB_SetFlags`: floating point is a fault for the thread.
pub const FPU_DISABLED: u64 = 1;

/// A register of the user context.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Register {
    /// Program counter.
    Pc,
    /// Stack pointer.
    Sp,
    /// Saved program status.
    Spsr,
    /// General register 0..=30.
    X(u8),
    /// Thread pointer, writable at EL0.
    TpidrEl0,
    /// Thread pointer, read-only at EL0.
    TpidrroEl0,
}

impl Register {
    /// The context's registers in message order.
    pub const ORDER: [Self; USER_CONTEXT_WORDS] = {
        use Register::{Pc, Sp, Spsr, TpidrEl0, TpidrroEl0, X};
        [
            Pc,
            Sp,
            Spsr,
            X(0),
            X(1),
            X(2),
            X(3),
            X(4),
            X(5),
            X(6),
            X(7),
            X(8),
            X(16),
            X(17),
            X(18),
            X(29),
            X(30),
            X(9),
            X(10),
            X(11),
            X(12),
            X(13),
            X(14),
            X(15),
            X(19),
            X(20),
            X(21),
            X(22),
            X(23),
            X(24),
            X(25),
            X(26),
            X(27),
            X(28),
            TpidrEl0,
            TpidrroEl0,
        ]
    };
}
