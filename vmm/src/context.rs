//! The registers of a processor that came back.
//!
//! They are read and written through the thread, as few as will do: the order is that of the interface, PC, SP and PSTATE
//! first.

use sluice_abi::{Register, USER_CONTEXT_WORDS};
use sluice_rt::RtError;
use sluice_sys::{Resume, Tcb, UserContext};

/// PSTATE of a processor that starts: EL1 with SP_EL1, everything masked.
const START_PSTATE: u64 = 0x3c5;

/// Registers of a thread, as many as were asked for so far.
pub(crate) struct Context {
    thread: Tcb,
    words: [u64; USER_CONTEXT_WORDS],
    known: usize,
}

/// Position of x`number`.
fn position(number: usize) -> usize {
    let register = Register::X(number as u8);
    Register::ORDER.iter().position(|each| *each == register).unwrap_or(USER_CONTEXT_WORDS - 1)
}

impl Context {
    pub(crate) const fn of(thread: Tcb) -> Self {
        Self { thread, words: [0; USER_CONTEXT_WORDS], known: 0 }
    }

    /// Makes the first `count` registers known.
    fn fetch(&mut self, count: usize) {
        if count > self.known && self.thread.read_first_registers(&mut self.words[..count]).is_ok() {
            self.known = count;
        }
    }

    /// x`number`.
    pub(crate) fn get(&mut self, number: usize) -> u64 {
        let at = position(number);
        self.fetch(at + 1);
        self.words[at]
    }

    /// PC, SP and PSTATE.
    pub(crate) fn state(&self) -> [u64; 3] {
        let mut words = [0; 3];
        // A thread of the VMM's own is always there; were it not, resuming it would say so.
        if self.thread.read_first_registers(&mut words).is_err() {
            words = [0; 3];
        }
        words
    }

    /// Moves PC on and loads a register.
    pub(crate) fn step(mut self, bytes: u64, load: Option<(usize, u64)>, resume: Resume) -> Result<(), RtError> {
        let loaded = load.map(|(number, value)| (position(number), value));
        let count = loaded.map_or(1, |(at, _)| at + 1);
        self.fetch(count);
        self.words[0] = self.words[0].wrapping_add(bytes);
        if let Some((at, value)) = loaded {
            self.words[at] = value;
        }
        self.thread
            .write_first_registers(&self.words[..count], resume)
            .map_err(RtError::refused("let a processor go on"))
    }

    /// Goes on elsewhere.
    pub(crate) fn enter(mut self, pc: u64, pstate: u64) -> Result<(), RtError> {
        self.fetch(3);
        self.words[0] = pc;
        self.words[2] = pstate;
        self.thread
            .write_first_registers(&self.words[..3], Resume::Now)
            .map_err(RtError::refused("let a processor take an exception"))
    }
}

/// Starts a processor at `entry`, with `x0`.
pub(crate) fn start(thread: Tcb, entry: u64, x0: u64) -> Result<(), RtError> {
    let context = UserContext::default().with(Register::Pc, entry).with(Register::X(0), x0);
    let context = context.with(Register::Spsr, START_PSTATE);
    thread.write_registers(&context, Resume::Now).map_err(RtError::refused("start a processor"))
}
