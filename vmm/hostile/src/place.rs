//! Where things are, in guest-physical addresses, and where there is nothing.

pub use sluice_bare::place::*;

/// Bytes of memory that the program counts on; there may be no more in tests of what is behind it.
pub const RAM_BYTES: u64 = 0x100_0000;

/// Where other machines of this kind have what a guest has not: message frames of a GICv2m and a GICv3's ITS.
pub const MESSAGES: [u64; 2] = [0x0802_0040, 0x0809_0040];
/// Addresses at which the guest has nothing: the first, others' registers and memory on the real machine, behind its own
/// memory, and far out.
pub const NOWHERE: [u64; 8] =
    [0, 0x0400_0000, 0x0808_0000, 0x0a00_0000, RAM + RAM_BYTES, 0x6000_0000, 0x40_1000_0000, 0x7f_ffff_f000];
