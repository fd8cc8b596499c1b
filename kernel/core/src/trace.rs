//! A log of what happens to capabilities, for comparison with the abstract machine (debug builds, on request).
//!
//! One line an event, fields separated by blanks, numbers in hexadecimal:
//!
//! | line | meaning |
//! |---|---|
//! | `smmu NUMBER STREAMS CONTEXTS FEATURES` | an SMMU at boot, and what it can do, see below |
//! | `table NUMBER FIRST` | a stream table made at boot, for 256 streams |
//! | `cap SLOT WORD0 WORD1` | an initial capability, packed as [`crate::cap::raw`] says |
//! | `start THREAD` | boot is over; the root thread runs |
//! | `irq NUMBER` | an interrupt the kernel keeps |
//! | `irqs LAST` | the highest interrupt |
//! | `guests LISTS TIMER` | how many list registers the machine has, and the virtual timer's interrupt |
//! | `call THREAD SLOT LABEL RESULT w=WORDS c=SLOTS r=WORDS` | an invocation of a kernel object |
//! | `owe CALLER THREAD GRANT` | a thread was called and has the reply capability, which may carry others or not |
//! | `answer CALLER` | the reply capability to a caller was used |
//! | `drop THREAD` | a thread receives again and loses the reply capability it has |
//! | `pass SOURCE DEST` | a capability copied along with a message |
//! | `fault THREAD KIND` | a thread stopped, by the label of its fault message |
//! | `event STREAM TYPE IOVA IPA FLAGS` | an SMMU event record |
//!
//! RESULT is 0, the error's number, or `p` for a system call that an interrupt made start over. WORDS are the message
//! words the caller sent (at most [`WORDS`]) or was answered, SLOTS the slots its extra capabilities are in. Registers of
//! threads are not logged.
//!
//! FEATURES of an SMMU, by bit: 0 stage 1, 1 stage 2, 2 whatever faults stalls, 3 invalidation of ranges, 4 to 6 granules of 4,
//! 16 and 64 KiB; \[15:8\] bits of an ASID, \[23:16\] of a SubstreamID.

use core::fmt;

use sluice_abi::smmu::Record;
use sluice_abi::smmu::StreamId;
use sluice_abi::{MessageInfo, USER_CONTEXT_WORDS};
use sluice_smmu::{Features, Smmu, StallModel};

use crate::Kernel;
use crate::cap::Cap;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::ipc::ExtraCaps;
use crate::object::{Tcb, TcbSlot};
use crate::store::{Handle, SlotRef};

/// Message words of a traced call: as many as `TCB_WriteRegisters` has.
pub const WORDS: usize = USER_CONTEXT_WORDS + 2;

/// The message of a call, taken before it is carried out.
pub(crate) struct Request {
    words: [u64; WORDS],
    count: usize,
    caps: ExtraCaps,
}

/// How a call ended, and with which words in its answer.
pub(crate) enum Ending {
    Done([u64; 6], usize),
    Refused(SyscallError),
    Preempted,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(..) => f.write_str("0"),
            Self::Refused(error) => write!(f, "{:x}", error.reply().0 as u64),
            Self::Preempted => f.write_str("p"),
        }
    }
}

struct List<'a>(&'a [u64]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, word)| {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{word:x}")
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w={} c=", List(&self.words[..self.count]))?;
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
        let (words, count) = match ending {
            Ending::Done(words, count) => (words, count),
            Ending::Refused(error) => {
                let (_, [a, b, c, d, e], count) = error.reply();
                ([a, b, c, d, e, 0], count)
            }
            Ending::Preempted => ([0; 6], 0),
        };
        let answer = List(&words[..count]);
        self.hal.trace(format_args!("call {thread:x} {slot:x} {label:x} {ending} {request} r={answer}"));
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

    pub(crate) fn trace_event(&self, record: &Record) {
        if self.hal.is_tracing() {
            let Record { stream, event, iova, ipa, flags, .. } = *record;
            self.hal.trace(format_args!("event {:x} {event:x} {:x} {ipa:x} {flags:x}", stream.word(), iova.0));
        }
    }

    pub(crate) fn trace_owed(&self, caller: Handle<Tcb>, thread: Handle<Tcb>, grant: bool) {
        if self.hal.is_tracing() {
            let (caller, thread) = (caller.at().0, thread.at().0);
            self.hal.trace(format_args!("owe {caller:x} {thread:x} {:x}", u8::from(grant)));
        }
    }

    pub(crate) fn trace_answered(&self, caller: Handle<Tcb>) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("answer {:x}", caller.at().0));
        }
    }

    /// A thread receives; it may have a reply capability that goes.
    pub(crate) fn trace_dropped(&self, thread: Handle<Tcb>) {
        if self.hal.is_tracing() && self.cap(thread.slot(TcbSlot::Caller as u64)) != Cap::Null {
            self.hal.trace(format_args!("drop {:x}", thread.at().0));
        }
    }

    pub(crate) fn trace_kept_interrupt(&self, intid: u32) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("irq {intid:x}"));
        }
    }

    pub(crate) fn trace_guests(&self, lists: u8, timer: u32) {
        if self.hal.is_tracing() {
            self.hal.trace(format_args!("guests {lists:x} {timer:x}"));
        }
    }

    pub(crate) fn trace_smmu(&self, number: u8, driver: &Smmu, contexts: u32) {
        if self.hal.is_tracing() {
            let (streams, features) = (driver.streams(), feature_bits(driver.features()));
            self.hal.trace(format_args!("smmu {number:x} {streams:x} {contexts:x} {features:x}"));
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
        self.hal.trace(format_args!("irqs {:x}", self.interrupts.last()));
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

fn feature_bits(features: &Features) -> u32 {
    let always = features.stall_model == StallModel::Always;
    let flags = [features.stage1, features.stage2, always, features.range_invalidation];
    // The granule of 4 KiB is a condition for using an SMMU at all.
    let flags = flags.into_iter().chain([true, features.granule_16k, features.granule_64k]);
    let flags = flags.zip(0..).fold(0, |bits, (flag, bit)| bits | u32::from(flag) << bit);
    flags | features.asid_bits << 8 | features.ssid_bits << 16
}
