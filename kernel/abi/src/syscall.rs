//! System-call numbers, passed in `x7`.

/// A system call the kernel knows. Any other number in `x7` is an unknown-syscall fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i64)]
pub enum Syscall {
    /// Send a message and wait for the reply; on a kernel object, invoke it.
    Call = -1,
    /// Reply to the last caller, then receive.
    ReplyRecv = -2,
    /// Send and wait until it is received.
    Send = -3,
    /// Send if somebody is waiting, else drop the message.
    NbSend = -4,
    /// Receive from an endpoint or notification.
    Recv = -5,
    /// Reply to the last caller.
    Reply = -6,
    /// Give up the rest of the time slice.
    Yield = -7,
    /// Receive if something is there.
    NbRecv = -8,
    /// Print one character on the kernel's console (debug builds).
    DebugPutChar = -9,
    /// Print the state of every thread (debug builds).
    DebugDumpScheduler = -10,
    /// Stop the machine (debug builds).
    DebugHalt = -11,
    /// Report the type tag of a capability (debug builds).
    DebugCapIdentify = -12,
    /// Print a snapshot of the system (debug builds).
    DebugSnapshot = -13,
    /// Give a thread a name for debug output (debug builds).
    DebugNameThread = -14,
    /// Do nothing, to measure entry and exit (bench builds).
    BenchmarkNull = -22,
}

impl Syscall {
    /// Every call, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Call,
        Self::ReplyRecv,
        Self::Send,
        Self::NbSend,
        Self::Recv,
        Self::Reply,
        Self::Yield,
        Self::NbRecv,
        Self::DebugPutChar,
        Self::DebugDumpScheduler,
        Self::DebugHalt,
        Self::DebugCapIdentify,
        Self::DebugSnapshot,
        Self::DebugNameThread,
        Self::BenchmarkNull,
    ];

    /// The call whose number is in `x7`.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        match word.wrapping_neg() {
            number @ 1..=14 => Some(Self::ALL[number as usize - 1]),
            22 => Some(Self::BenchmarkNull),
            _ => None,
        }
    }

    /// The word for `x7`.
    #[must_use]
    pub const fn word(self) -> u64 {
        self as i64 as u64
    }

    /// Whether only debug builds have the call.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        matches!(
            self,
            Self::DebugPutChar
                | Self::DebugDumpScheduler
                | Self::DebugHalt
                | Self::DebugCapIdentify
                | Self::DebugSnapshot
                | Self::DebugNameThread
        )
    }

    /// Whether only bench builds have the call.
    #[must_use]
    pub const fn is_benchmark(self) -> bool {
        matches!(self, Self::BenchmarkNull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_number_and_no_other_number_is_one() {
        for call in Syscall::ALL {
            assert_eq!(Syscall::from_word(call.word()), Some(call));
        }
        let known = (-64..64i64).filter_map(|number| Syscall::from_word(number as u64)).count();
        assert_eq!(known, Syscall::ALL.len());
    }
}
