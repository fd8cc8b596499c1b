//! Fault messages: the label of a message to a fault handler, and how its words are laid out.

/// Kind of fault; the number is the label of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum FaultLabel {
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

/// Words of an unknown-syscall message: `x0`..`x7`, FaultIP, SP, next IP, SPSR, number.
pub const UNKNOWN_SYSCALL_WORDS: usize = 13;
/// Words of a user-exception message: FaultIP, SP, SPSR, number (ESR), code.
pub const USER_EXCEPTION_WORDS: usize = 5;
/// Words of a VM fault message: IP, address, 1 for an instruction fetch, ESR_EL2.
pub const VM_FAULT_WORDS: usize = 4;
