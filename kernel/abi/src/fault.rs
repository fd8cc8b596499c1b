//! Fault messages: the label of a message to a fault handler, and how its words are laid out.

use crate::numbered::numbered;

numbered! {
    /// Kind of fault; the number is the label of the message.
    pub enum FaultLabel: u64 {
        /// No fault.
        Null = 0,
        /// A capability pointer did not resolve.
        Cap = 1,
        /// `x7` held no known system call.
        UnknownSyscall = 2,
        /// An exception the kernel does not handle.
        UserException = 3,
        /// A translation fault.
        Vm = 5,
        /// A list register needs service.
        VgicMaintenance = 6,
        /// A vCPU exit.
        Vcpu = 7,
        /// A private interrupt of the vCPU fired.
        VppiEvent = 8,
    }
}

impl FaultLabel {
    /// The words of its message.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Null => &[],
            Self::Cap => &[
                "address of the system call",
                "the capability pointer",
                "1 when it was to be received through, else 0",
                "kind of lookup failure",
                "first word of the lookup failure, if it has one",
                "its second word",
                "its third word",
            ],
            Self::UnknownSyscall => &[
                "x0",
                "x1",
                "x2",
                "x3",
                "x4",
                "x5",
                "x6",
                "x7",
                "address of the system call",
                "stack pointer",
                "address of the next instruction",
                "SPSR",
                "the number in x7",
            ],
            Self::UserException => &["address of the instruction", "stack pointer", "SPSR", "ESR_EL2", "0"],
            Self::Vm => &[
                "address of the instruction",
                "the address that faulted",
                "1 for an instruction fetch, else 0",
                "ESR_EL2",
            ],
            Self::VgicMaintenance => &["index of the list register, or all ones when it is not known"],
            Self::Vcpu => &["ESR_EL2"],
            Self::VppiEvent => &["INTID of the private interrupt"],
        }
    }

    /// How many of a reply's words are written back, in the order of [`FaultLabel::words`], to the thread that faulted. A
    /// reply to such a fault resumes the thread only if its label is 0.
    #[must_use]
    pub const fn reply_words(self) -> usize {
        match self {
            Self::UnknownSyscall => 12,
            Self::UserException => 3,
            Self::Null | Self::Cap | Self::Vm | Self::VgicMaintenance | Self::Vcpu | Self::VppiEvent => 0,
        }
    }
}

/// Words of an unknown-syscall message.
pub const UNKNOWN_SYSCALL_WORDS: usize = FaultLabel::UnknownSyscall.words().len();
/// Words of a user-exception message.
pub const USER_EXCEPTION_WORDS: usize = FaultLabel::UserException.words().len();
/// Words of a VM fault message.
pub const VM_FAULT_WORDS: usize = FaultLabel::Vm.words().len();
