//! One system call with everything the kernel reads for it.

use core::fmt;

use sluice_abi::{Label, MessageInfo, Syscall};

/// Message words a call can fill: those of the longest invocation.
pub const WORDS: usize = 40;

/// A system call: registers, and what is in the IPC buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// `x7`.
    pub number: u64,
    /// `x0`.
    pub pointer: u64,
    /// `x1`. It may announce more words than are here, or fewer.
    pub info: MessageInfo,
    /// Message words: the first four in `x2`..`x5`.
    pub words: [u64; WORDS],
    /// Capability pointers to send.
    pub caps: [u64; MessageInfo::MAX_EXTRA_CAPS as usize],
    /// Where a received capability should go: pointer of the CNode, index and depth.
    pub receive: [u64; 3],
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Syscall::from_word(self.number) {
            Some(call) => write!(f, "{call:?}")?,
            None => write!(f, "system call {:#x}", self.number)?,
        }
        write!(f, " {:#x}", self.pointer)?;
        match Label::from_word(self.info.label()) {
            Some(label) => write!(f, " {label:?}")?,
            None => write!(f, " label {:#x}", self.info.label())?,
        }
        let caps = &self.caps[..self.info.extra_caps() as usize];
        let words = &self.words[..(self.info.length() as usize).min(WORDS)];
        write!(f, " caps {caps:x?} words {words:x?}")
    }
}
