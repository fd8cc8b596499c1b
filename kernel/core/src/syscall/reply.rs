//! Answers of the kernel itself.

use sluice_abi::{Error, MessageInfo, Register};

use crate::Kernel;
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::object::Tcb;
use crate::store::Handle;

/// What came of an invocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Done; nothing to say.
    Done,
    /// Done; these words, the first so many.
    Words([u64; 6], usize),
    /// Done; the first so many registers of a thread.
    Registers(Handle<Tcb>, usize),
    /// Not done: hardware refused, and is as it was.
    Failed(SyscallError),
}

impl Outcome {
    /// One word.
    pub(super) const fn word(value: u64) -> Self {
        Self::Words([value, 0, 0, 0, 0, 0], 1)
    }
}

impl<H: Hal> Kernel<H> {
    pub(super) fn reply_error(&mut self, thread: Handle<Tcb>, error: SyscallError) {
        let (label, words, count) = error.reply();
        self.reply_words(thread, label as u64, &words[..count]);
    }

    pub(super) fn reply_outcome(&mut self, thread: Handle<Tcb>, outcome: Outcome) {
        const SUCCESS: u64 = 0;
        match outcome {
            Outcome::Failed(error) => self.reply_error(thread, error),
            Outcome::Done => self.reply_words(thread, SUCCESS, &[]),
            Outcome::Words(words, count) => self.reply_words(thread, SUCCESS, &words[..count]),
            Outcome::Registers(source, count) => {
                let mut words = [0; sluice_abi::USER_CONTEXT_WORDS];
                for (word, register) in words.iter_mut().zip(Register::ORDER) {
                    *word = self.read_register(source, register);
                }
                self.reply_words(thread, SUCCESS, &words[..count]);
            }
        }
    }

    fn reply_words(&mut self, thread: Handle<Tcb>, label: u64, words: &[u64]) {
        debug_assert!(label <= Error::NotEnoughMemory as u64);
        let buffer = self.ipc_buffer(thread, true);
        let mut written = 0;
        for (index, word) in words.iter().enumerate() {
            if !self.set_message_word(thread, buffer, index, *word) {
                break;
            }
            written += 1;
        }
        let context = &self.tcb(thread).context;
        context.x[0].set(0);
        context.x[1].set(MessageInfo::new(label, 0, 0, written).word());
    }
}
