//! Invocations, and what kernel objects answer.

use sluice_abi::{CPtr, MessageInfo, Syscall};

use crate::message::Message;
use crate::trap::{Registers, trap};
use crate::{Failure, buffer, ipc};

/// Words of the longest refusal: FailedLookup with a guard that does not match.
const REFUSAL_WORDS: usize = 5;

/// A kernel object's answer. Its words beyond the fourth are read where the kernel left them: before the next call.
pub(crate) struct Answer {
    info: MessageInfo,
    registers: [u64; MessageInfo::REGISTERS],
}

impl Answer {
    fn from_registers([_, info, registers @ ..]: Registers) -> Self {
        Self { info: MessageInfo::from_word(info), registers }
    }

    pub(crate) fn length(&self) -> usize {
        self.info.length() as usize
    }

    /// Word `index`, 0 when the answer is shorter.
    pub(crate) fn word(&self, index: usize) -> u64 {
        if index >= self.length() {
            0
        } else if let Some(word) = self.registers.get(index) {
            *word
        } else {
            buffer::load_message(index)
        }
    }

    /// The first `WORDS` words, 0 where the answer is shorter.
    pub(crate) fn words<const WORDS: usize>(&self) -> [u64; WORDS] {
        core::array::from_fn(|index| self.word(index))
    }

    #[cold]
    fn failure(&self) -> Failure {
        let words: [u64; REFUSAL_WORDS] = self.words();
        Failure::from_reply(self.info.label(), &words).unwrap_or(Failure::Malformed { label: self.info.label() })
    }
}

/// Sends an invocation and waits for its outcome.
pub(crate) fn invoke<const WORDS: usize>(object: CPtr, message: &Message<WORDS>) -> Result<Answer, Failure> {
    let answer = Answer::from_registers(trap(Syscall::Call, ipc::stage(object.0, message)));
    if answer.info.label() == 0 { Ok(answer) } else { Err(answer.failure()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beyond_the_length_are_none() {
        let answer = Answer::from_registers([9, MessageInfo::new(0, 0, 0, 2).word(), 11, 12, 13, 14]);
        assert_eq!((answer.length(), answer.words()), (2, [11, 12, 0, 0, 0]));
    }

    #[test]
    fn a_refusal_says_what_its_registers_say() {
        let answer = Answer::from_registers([0, MessageInfo::new(4, 0, 0, 2).word(), 1, 64, 0, 0]);
        assert_eq!(answer.failure(), Failure::Range { min: 1, max: 64 });
    }
}
