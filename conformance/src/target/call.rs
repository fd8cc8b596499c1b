//! System calls, as raw as the interface has them: every word that goes in and comes out can be seen.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, MessageInfo, Syscall};

/// Registers `x0`..`x5` at a system call.
pub(crate) type Registers = [u64; 6];

/// Message words that an invocation of a kernel object can have: those of `TCB_WriteRegisters`.
const MOST_WORDS: usize = 40;

/// Numbers for `x7`.
pub(crate) mod number {
    use super::Syscall;

    pub(crate) const CALL: u64 = Syscall::Call.word();
    pub(crate) const SEND: u64 = Syscall::Send.word();
    pub(crate) const NB_SEND: u64 = Syscall::NbSend.word();
    pub(crate) const YIELD: u64 = Syscall::Yield.word();
    pub(crate) const DEBUG_HALT: u64 = Syscall::DebugHalt.word();
    pub(crate) const DEBUG_CAP_IDENTIFY: u64 = Syscall::DebugCapIdentify.word();
}

/// Enters the kernel with `number` in `x7`.
pub(crate) fn trap(number: u64, registers: Registers) -> Registers {
    let [mut x0, mut x1, mut x2, mut x3, mut x4, mut x5] = registers;
    // SAFETY: the interface clobbers x0..x5 only, which are declared; the stack is not touched; memory may change (the
    // IPC buffer, mappings), which is the default assumption of `asm!`. No check unmaps this program's own pages.
    unsafe {
        core::arch::asm!(
            "svc #0",
            inout("x0") x0, inout("x1") x1, inout("x2") x2, inout("x3") x3, inout("x4") x4, inout("x5") x5,
            in("x7") number,
            options(nostack),
        );
    }
    [x0, x1, x2, x3, x4, x5]
}

/// Stops the root thread for good.
pub(crate) fn suspend_self() -> ! {
    let info = MessageInfo::new(Label::TcbSuspend as u64, 0, 0, 0);
    loop {
        trap(number::CALL, [slot::INIT_TCB, info.word(), 0, 0, 0, 0]);
    }
}

/// A message to a kernel object.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) service: u64,
    label: u64,
    words: [u64; MOST_WORDS],
    length: usize,
    caps: [u64; 3],
    cap_count: usize,
}

impl Call {
    /// An invocation of the capability at `service`.
    pub(crate) const fn of(service: u64, label: Label) -> Self {
        Self::raw(service, label as u64)
    }

    /// A message with any label.
    pub(crate) const fn raw(service: u64, label: u64) -> Self {
        Self { service, label, words: [0; MOST_WORDS], length: 0, caps: [0; 3], cap_count: 0 }
    }

    /// The message with these words and no others.
    pub(crate) fn words(mut self, words: &[u64]) -> Self {
        self.words[..words.len()].copy_from_slice(words);
        self.length = words.len();
        self
    }

    /// The message with word `index` changed.
    pub(crate) fn word(mut self, index: usize, value: u64) -> Self {
        self.words[index] = value;
        self
    }

    /// The message, said to have so many words.
    pub(crate) fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// The message with these capabilities and no others.
    pub(crate) fn caps(mut self, caps: &[u64]) -> Self {
        self.caps[..caps.len()].copy_from_slice(caps);
        self.cap_count = caps.len();
        self
    }

    /// The message with capability `index` changed.
    pub(crate) fn cap(mut self, index: usize, cap: u64) -> Self {
        self.caps[index] = cap;
        self
    }

    /// Its label.
    pub(crate) fn label(&self) -> u64 {
        self.label
    }

    /// Writes what does not travel in registers into `buffer`, and gives the registers.
    pub(crate) fn stage(&self, buffer: Buffer) -> Registers {
        for (index, word) in self.words.iter().enumerate().take(self.length).skip(MessageInfo::REGISTERS) {
            buffer.set_word(index, *word);
        }
        for (index, cap) in self.caps.iter().enumerate().take(self.cap_count) {
            buffer.set_cap(index, *cap);
        }
        let info = MessageInfo::new(self.label, 0, self.cap_count as u64, self.length as u64);
        let [a, b, c, d, ..] = self.words;
        [self.service, info.word(), a, b, c, d]
    }
}

/// What came back.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) badge: u64,
    pub(crate) info: MessageInfo,
    words: [u64; MOST_WORDS],
}

impl Reply {
    pub(crate) fn from_registers(registers: Registers, buffer: Buffer) -> Self {
        let [badge, info, first @ ..] = registers;
        let info = MessageInfo::from_word(info);
        let mut words = [0; MOST_WORDS];
        for (index, word) in words.iter_mut().enumerate().take(info.length() as usize) {
            *word = first.get(index).copied().unwrap_or_else(|| buffer.word(index));
        }
        Self { badge, info, words }
    }

    pub(crate) fn label(&self) -> u64 {
        self.info.label()
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words[..(self.info.length() as usize).min(MOST_WORDS)]
    }

    /// Word `index`, 0 when the message is shorter.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.words().get(index).copied().unwrap_or(0)
    }
}

pub(crate) use super::memory::Buffer;
