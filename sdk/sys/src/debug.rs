//! Calls that debug kernels have.

use sluice_abi::{CPtr, Syscall, ipc_buffer};

use crate::buffer;
use crate::tcb::Tcb;
use crate::trap::trap;
use crate::untyped::Untyped;

/// Prints one byte on the kernel's console.
pub fn debug_put_char(byte: u8) {
    trap(Syscall::DebugPutChar, [u64::from(byte), 0, 0, 0, 0, 0]);
}

/// Stops the machine. Where the kernel cannot, the thread yields for ever.
pub fn debug_halt() -> ! {
    trap(Syscall::DebugHalt, [0; 6]);
    loop {
        trap(Syscall::Yield, [0; 6]);
    }
}

/// The type tag of a capability, 0 for an empty slot.
#[must_use]
pub fn debug_cap_identify(cap: CPtr) -> u64 {
    let [tag, ..] = trap(Syscall::DebugCapIdentify, [cap.0, 0, 0, 0, 0, 0]);
    tag
}

/// Has the kernel look at itself and print what it finds: among other things what each stream reaches.
pub fn debug_snapshot() {
    trap(Syscall::DebugSnapshot, [0; 6]);
}

/// Has the kernel print what is mapped where a thread runs.
pub fn debug_space(thread: Tcb) {
    trap(Syscall::DebugSnapshot, [thread.cptr().0, 0, 0, 0, 0, 0]);
}

/// Has the kernel print what an Untyped covers, and what is mapped in each address space that was made of it.
pub fn debug_made(untyped: Untyped) {
    trap(Syscall::DebugSnapshot, [untyped.cptr().0, 0, 0, 0, 0, 0]);
}

/// How much is in use in the whole system, as a debug kernel counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Census {
    /// ASID pools.
    pub pools: u64,
    /// ASIDs of VSpaces.
    pub asids: u64,
    /// Contexts with a capability, each with a tag of its SMMU.
    pub contexts: u64,
    /// Interrupts with a handler.
    pub interrupts: u64,
    /// Capabilities, but for those to reply.
    pub capabilities: u64,
    /// Unused bytes of the Untypeds of ordinary memory that objects are made of. One that nobody ever used counts as used up,
    /// as its memory is yet to be cleared; what two of them cover counts twice.
    pub unused: u64,
}

/// Has the kernel look at its invariants, and count.
#[must_use]
pub fn debug_census() -> Census {
    let [pools, asids, contexts, interrupts, capabilities, unused] = trap(Syscall::DebugCensus, [0; 6]);
    Census { pools, asids, contexts, interrupts, capabilities, unused }
}

/// Gives a thread a name for the kernel's output; what does not fit the IPC buffer is cut off.
pub fn debug_name_thread(thread: Tcb, name: &str) {
    let longest = 8 * ipc_buffer::MESSAGE_WORDS - 1;
    let bytes = &name.as_bytes()[..name.len().min(longest)];
    for (index, word) in bytes.chunks(8).map(little_endian).chain([0]).take(ipc_buffer::MESSAGE_WORDS).enumerate() {
        buffer::store_message(index, word);
    }
    trap(Syscall::DebugNameThread, [thread.cptr().0, 0, 0, 0, 0, 0]);
}

/// At most eight bytes as a word, the first lowest, missing ones 0.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #[test]
    fn short_chunks_end_in_zero_bytes() {
        assert_eq!(super::little_endian(b"ab"), 0x6261);
        assert_eq!(super::little_endian(b"abcdefgh"), u64::from_le_bytes(*b"abcdefgh"));
    }
}
