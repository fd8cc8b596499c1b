//! Messages between threads: send, call, receive, reply.

use sluice_abi::{CPtr, MessageInfo, Syscall};

use crate::message::Message;
use crate::trap::{Registers, trap};
use crate::{buffer, capability};

const MAX_WORDS: usize = MessageInfo::MAX_LENGTH as usize;

/// Passed in `x1` when receiving. A length above the maximum cannot come back in a message, and a signal leaves `x1`
/// alone, so the two are told apart whatever the badges are.
const NO_MESSAGE: u64 = 0x7f;

/// A received message, or its first `WORDS` words, copied out of the IPC buffer: later calls do not change it.
#[derive(Clone, Copy, Debug)]
pub struct Received<const WORDS: usize = MAX_WORDS> {
    badge: u64,
    info: MessageInfo,
    words: [u64; WORDS],
    badges: [u64; MessageInfo::MAX_EXTRA_CAPS as usize],
}

impl<const WORDS: usize> Received<WORDS> {
    /// Badge of the capability it was sent with; 0 in an object's reply.
    #[must_use]
    pub const fn badge(&self) -> u64 {
        self.badge
    }

    /// The label.
    #[must_use]
    pub const fn label(&self) -> u64 {
        self.info.label()
    }

    /// The message information word.
    #[must_use]
    pub const fn info(&self) -> MessageInfo {
        self.info
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words[..WORDS.min(self.info.length() as usize)]
    }

    /// Word `index`, 0 when the message is shorter.
    #[must_use]
    pub fn word(&self, index: usize) -> u64 {
        self.words().get(index).copied().unwrap_or(0)
    }

    /// Number of capabilities that came along.
    #[must_use]
    pub const fn caps(&self) -> usize {
        self.info.extra_caps() as usize
    }

    /// The badge in whose stead capability `index` came: it was one to the endpoint received from.
    #[must_use]
    pub fn unwrapped_badge(&self, index: usize) -> Option<u64> {
        let unwrapped = index < self.caps() && self.info.caps_unwrapped() >> index & 1 == 1;
        unwrapped.then(|| self.badges[index])
    }

    fn from_registers([badge, info, registers @ ..]: Registers) -> Self {
        let info = MessageInfo::from_word(info);
        let mut received = Self { badge, info, words: [0; WORDS], badges: [0; 3] };
        for (word, register) in received.words.iter_mut().zip(registers) {
            *word = register;
        }
        let length = WORDS.min(info.length() as usize);
        for (index, word) in received.words[..length].iter_mut().enumerate().skip(MessageInfo::REGISTERS) {
            *word = buffer::load_message(index);
        }
        for (index, badge) in received.badges.iter_mut().enumerate() {
            if info.caps_unwrapped() >> index & 1 == 1 {
                *badge = buffer::load_badge(index);
            }
        }
        received
    }
}

/// What a receiver was woken by.
// Messages are the common case and are read in place: boxing them would need a heap.
#[derive(Clone, Copy, Debug)]
pub enum Event<const WORDS: usize = MAX_WORDS> {
    /// A message.
    Message(Received<WORDS>),
    /// The badge bits of the signals that its notification had.
    Signal(u64),
}

impl<const WORDS: usize> Event<WORDS> {
    fn from_registers(registers: Registers) -> Self {
        if registers[1] == NO_MESSAGE {
            Self::Signal(registers[0])
        } else {
            Self::Message(Received::from_registers(registers))
        }
    }
}

/// Puts the message where the kernel reads it.
pub(crate) fn stage<const WORDS: usize>(first: u64, message: &Message<WORDS>) -> Registers {
    let mut registers = [first, message.info().word(), 0, 0, 0, 0];
    let words = message.words();
    for (register, word) in registers[2..].iter_mut().zip(words) {
        *register = *word;
    }
    for (index, word) in words.iter().enumerate().skip(MessageInfo::REGISTERS) {
        buffer::store_message(index, *word);
    }
    for (index, cap) in message.caps().iter().enumerate() {
        buffer::store_cap(index, cap.0);
    }
    registers
}

/// Waits for a message, or for a signal of the bound notification.
///
/// `source` is an endpoint or a notification.
#[must_use]
pub fn recv(source: CPtr) -> Event {
    Event::from_registers(trap(Syscall::Recv, [source.0, NO_MESSAGE, 0, 0, 0, 0]))
}

/// A message or signals, if there are any. Signals with the badge 0 cannot be told from nothing.
#[must_use]
pub fn nb_recv(source: CPtr) -> Option<Event> {
    match Event::from_registers(trap(Syscall::NbRecv, [source.0, NO_MESSAGE, 0, 0, 0, 0])) {
        Event::Signal(0) => None,
        event @ (Event::Signal(_) | Event::Message(_)) => Some(event),
    }
}

/// Answers the last caller.
pub fn reply<const WORDS: usize>(message: &Message<WORDS>) {
    trap(Syscall::Reply, stage(0, message));
}

/// Gives up the rest of the time slice.
pub fn yield_now() {
    trap(Syscall::Yield, [0; 6]);
}

capability! {
    /// The capability to an endpoint.
    Endpoint
}

impl Endpoint {
    /// Sends, and waits until the message is received.
    pub fn send<const WORDS: usize>(self, message: &Message<WORDS>) {
        trap(Syscall::Send, stage(self.0.0, message));
    }

    /// Sends if a receiver is waiting; the message is lost otherwise.
    pub fn nb_send<const WORDS: usize>(self, message: &Message<WORDS>) {
        trap(Syscall::NbSend, stage(self.0.0, message));
    }

    /// Sends, and waits for the answer.
    #[must_use]
    pub fn call<const WORDS: usize>(self, message: &Message<WORDS>) -> Received {
        Received::from_registers(trap(Syscall::Call, stage(self.0.0, message)))
    }

    /// Waits for a message, or for a signal of the bound notification.
    #[must_use]
    pub fn recv(self) -> Event {
        recv(self.0)
    }

    /// As [`Endpoint::recv`], and the first `WORDS` words of a message: long ones are for few, and take their time.
    #[must_use]
    pub fn recv_first<const WORDS: usize>(self) -> Event<WORDS> {
        Event::from_registers(trap(Syscall::Recv, [self.0.0, NO_MESSAGE, 0, 0, 0, 0]))
    }

    /// A message or signals, if there are any.
    #[must_use]
    pub fn nb_recv(self) -> Option<Event> {
        nb_recv(self.0)
    }

    /// Answers the last caller, then receives.
    ///
    /// Two system calls: in `ReplyRecv` the answer's information word would occupy the register that tells a signal
    /// from a message.
    #[must_use]
    pub fn reply_recv<const WORDS: usize>(self, answer: &Message<WORDS>) -> Event {
        reply(answer);
        self.recv()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_and_messages_are_told_apart_by_the_information_word() {
        let signal = Event::<4>::from_registers([0b101, NO_MESSAGE, 7, 7, 7, 7]);
        assert!(matches!(signal, Event::Signal(0b101)));
        let info = MessageInfo::new(0x200, 0, 0, 2).word();
        let Event::Message(message) = Event::<MAX_WORDS>::from_registers([0b101, info, 11, 12, 13, 14]) else {
            panic!("a message was taken for a signal")
        };
        assert_eq!((message.badge(), message.label(), message.words()), (0b101, 0x200, [11, 12].as_slice()));
        assert_eq!(message.word(2), 0, "words beyond the length are not part of the message");
    }

    #[test]
    fn the_first_words_are_what_was_asked_for() {
        let info = MessageInfo::new(0x200, 0, 0, 4);
        let Event::Message(message) = Event::<3>::from_registers([1, info.word(), 11, 12, 13, 14]) else {
            panic!("a message was taken for a signal")
        };
        assert_eq!((message.words(), message.info()), ([11, 12, 13].as_slice(), info));
    }

    #[test]
    fn no_message_has_the_word_that_stands_for_none() {
        for length in 0..=u64::from(u8::MAX) {
            let clamped = MessageInfo::from_word(length).length();
            assert!(clamped <= MessageInfo::MAX_LENGTH);
        }
        const { assert!(NO_MESSAGE > MessageInfo::MAX_LENGTH) };
    }

    #[test]
    fn short_messages_travel_in_registers() {
        let message = Message::new(0x300, [5, 6]);
        assert_eq!(stage(9, &message), [9, message.info().word(), 5, 6, 0, 0]);
    }
}
