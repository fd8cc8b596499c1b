//! System-call numbers, passed in `x7`.

use crate::numbered::numbered;

numbered! {
    /// A system call the kernel knows. Any other number in `x7` is an unknown-syscall fault.
    pub enum Syscall: i64 {
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
        /// Print a snapshot of the system, or what is mapped where a thread runs, or in what was made of an Untyped (debug builds).
        DebugSnapshot = -13,
        /// Give a thread a name for debug output (debug builds).
        DebugNameThread = -14,
        /// Do nothing, to measure entry and exit (bench builds).
        BenchmarkNull = -22,
        /// Report how many commands the kernel has given to an SMMU since boot (bench builds).
        BenchmarkSmmuCommands = -40,
        /// Look at every invariant and report how much is in use (debug builds).
        DebugCensus = -41,
    }
}

impl Syscall {
    /// The call whose number is in `x7`.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        match word.wrapping_neg() {
            number @ 1..=14 => Some(Self::ALL[number as usize - 1]),
            22 => Some(Self::BenchmarkNull),
            40 => Some(Self::BenchmarkSmmuCommands),
            41 => Some(Self::DebugCensus),
            _ => None,
        }
    }

    /// The word for `x7`.
    #[must_use]
    pub const fn word(self) -> u64 {
        self as i64 as u64
    }

    /// What the registers `x0`, `x1` and `x2`..`x5` hold when it is made; empty where they do not matter.
    #[must_use]
    pub const fn takes(self) -> [&'static str; 3] {
        match self {
            Self::Call | Self::Send | Self::NbSend => ["capability pointer", "message word", "message words 0..3"],
            Self::ReplyRecv => ["capability pointer to receive from", "message word of the reply", "its words 0..3"],
            Self::Recv | Self::NbRecv => ["capability pointer", "", ""],
            Self::Reply => ["", "message word", "message words 0..3"],
            Self::DebugPutChar => ["the character", "", ""],
            Self::DebugCapIdentify => ["capability pointer", "", ""],
            Self::DebugNameThread => ["capability pointer of the thread; its name is in the IPC buffer", "", ""],
            Self::DebugSnapshot => {
                ["capability pointer of a thread or an Untyped; anything else, as 0, for the system", "", ""]
            }
            Self::BenchmarkSmmuCommands => ["number of the SMMU", "", ""],
            Self::Yield | Self::DebugDumpScheduler | Self::DebugHalt | Self::DebugCensus | Self::BenchmarkNull => {
                [""; 3]
            }
        }
    }

    /// What they hold when it is done; empty where they are as before. All other registers always are.
    #[must_use]
    pub const fn gives(self) -> [&'static str; 3] {
        match self {
            Self::Call => ["badge, 0 from a kernel object", "message word", "message words 0..3"],
            Self::ReplyRecv | Self::Recv => ["badge", "message word", "message words 0..3"],
            Self::NbRecv => ["badge, 0 when there was nothing", "message word", "message words 0..3"],
            Self::DebugCapIdentify => ["type tag, 0 for none", "", ""],
            Self::BenchmarkSmmuCommands => ["commands, CMD_SYNC included", "CMD_SYNCs among them", ""],
            Self::DebugCensus => [
                "ASID pools",
                "ASIDs of VSpaces",
                "contexts with a capability, interrupts with a handler, capabilities but those to reply, unused bytes of \
                 the Untypeds of memory that objects are made of",
            ],
            Self::Send
            | Self::NbSend
            | Self::Reply
            | Self::Yield
            | Self::DebugPutChar
            | Self::DebugDumpScheduler
            | Self::DebugHalt
            | Self::DebugSnapshot
            | Self::DebugNameThread
            | Self::BenchmarkNull => [""; 3],
        }
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
                | Self::DebugCensus
        )
    }

    /// Whether only bench builds have the call.
    #[must_use]
    pub const fn is_benchmark(self) -> bool {
        matches!(self, Self::BenchmarkNull | Self::BenchmarkSmmuCommands)
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
