//! A log of what happens to capabilities, for comparison with the abstract machine (debug builds, on request).
//!
//! One line an event, fields separated by blanks, numbers in hexadecimal:
//!
//! | line | meaning |
//! |---|---|
//! | `smmu NUMBER STREAMS CONTEXTS` | an SMMU at boot |
//! | `table NUMBER FIRST` | a stream table made at boot, for 256 streams |
//! | `cap SLOT WORD0 WORD1` | an initial capability, packed as [`crate::cap::raw`] says |
//! | `start THREAD` | boot is over; the root thread runs |
//! | `call THREAD SLOT LABEL RESULT w=WORDS c=SLOTS` | an invocation of a kernel object |
//! | `pass SOURCE DEST` | a capability copied along with a message |
//! | `fault THREAD KIND` | a thread stopped, by the label of its fault message |
//! | `event STREAM TYPE IOVA` | an SMMU event record |
//!
//! RESULT is 0, the error's number, or `p` for a system call that an interrupt made start over. WORDS are the message
//! words the caller sent (at most [`WORDS`]), SLOTS the slots its extra capabilities are in.

use core::fmt;

use sluice_abi::MessageInfo;
use sluice_abi::smmu::StreamId;

use crate::Kernel;
use crate::cap::Cap;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::ipc::ExtraCaps;
use crate::object::Tcb;
use crate::store::{Handle, SlotRef};

/// Message words of a traced call: more than any modelled invocation has.
pub const WORDS: usize = 8;

/// The message of a call, taken before it is carried out.
pub(crate) struct Request {
    words: [u64; WORDS],
    count: usize,
    caps: ExtraCaps,
}

/// How a call ended.
pub(crate) enum Ending {
    Done,
    Refused(u64),
    Preempted,
}

impl Ending {
    pub(crate) fn refused(error: SyscallError) -> Self {
        let (error, ..) = error.reply();
        Self::Refused(error as u64)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("0"),
            Self::Refused(error) => write!(f, "{error:x}"),
            Self::Preempted => f.write_str("p"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("w=")?;
        for (index, word) in self.words[..self.count].iter().enumerate() {
            write!(f, "{}{word:x}", if index == 0 { "" } else { "," })?;
        }
        f.write_str(" c=")?;
        for index in 0..MessageInfo::MAX_EXTRA_CAPS as usize {
            if let Some(slot) = self.caps.get(index) {
                write!(f, "{}{:x}", if index == 0 { "" } else { "," }, slot.at().0)?;
            }
        }
        Ok(())
    }
}

impl<H: Hal> Kernel<H> {
    /// What a caller sent, if anybody wants to know.
    pub(crate) fn trace_request(&self, length: usize, caps: ExtraCaps, word: impl Fn(usize) -> u64) -> Option<Request> {
        self.hal.is_tracing().then(|| {
            let count = length.min(WORDS);
            let mut words = [0; WORDS];
            for (index, entry) in words[..count].iter_mut().enumerate() {
                *entry = word(index);
            }
            Request { words, count, caps }
        })
    }

    pub(crate) fn trace_call(&self, thread: Handle<Tcb>, slot: SlotRef, label: u64, request: Request, ending: Ending) {
        let (thread, slot) = (thread.at().0, slot.at().0);
        self.hal.trace(format_args!("call {thread:x} {slot:x} {label:x} {ending} {request}"));
    }

    pub(crate) fn trace_pass(&self, source: SlotRef, dest: SlotRef) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("pass {:x} {:x}", source.at().0, dest.at().0));
        }
    }

    pub(crate) fn trace_fault(&self, thread: Handle<Tcb>, label: u64) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("fault {:x} {label:x}", thread.at().0));
        }
    }

    pub(crate) fn trace_event(&self, stream: StreamId, event: u64, iova: u64) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("event {:x} {event:x} {iova:x}", stream.word()));
        }
    }

    pub(crate) fn trace_smmu(&self, number: u8, streams: u64, contexts: u32) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("smmu {number:x} {streams:x} {contexts:x}"));
        }
    }

    pub(crate) fn trace_table(&self, first: StreamId) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("table {:x} {:x}", first.smmu, first.sid));
        }
    }

    /// The initial capabilities, and who starts with them.
    pub(crate) fn trace_start(&self, first: SlotRef, slots: u64, thread: Handle<Tcb>) {
        if !self.hal.is_tracing() {
            return;
        }
        let thread_slots = (0..5).map(|index| thread.slot(index));
        for slot in (0..slots).map(|index| first.nth(index)).chain(thread_slots) {
            if self.cap(slot) != Cap::Null {
                let [word0, word1] = self.slot(slot).raw();
                self.hal.trace(format_args!("cap {:x} {word0:x} {word1:x}", slot.at().0));
            }
        }
        self.hal.trace(format_args!("start {:x}", thread.at().0));
    }
}
