//! Thread control block.

use core::cell::Cell;

use sluice_abi::fault::FaultLabel;
use sluice_abi::{CPtr, LookupFailure, ObjectType, PSTATE_FLAGS, PSTATE_USER, TIME_SLICE_TICKS};

use super::{Endpoint, Notification, Vcpu};
use crate::store::{Handle, Object};

/// The capability slots of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum TcbSlot {
    /// Root of its CSpace.
    CSpace = 0,
    /// Root of its VSpace.
    VSpace = 1,
    /// Its master reply capability.
    Reply = 2,
    /// The reply capability to whoever called it last.
    Caller = 3,
    /// Frame of its IPC buffer.
    Buffer = 4,
}

/// Why a thread waits for its fault handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A capability pointer did not resolve.
    Cap {
        /// The pointer.
        cptr: CPtr,
        /// Whether the thread was about to receive.
        receiving: bool,
        /// Where it failed.
        failure: LookupFailure,
    },
    /// Unknown number in `x7`.
    UnknownSyscall {
        /// The number.
        number: u64,
    },
    /// An exception the kernel does not handle.
    User {
        /// ESR_EL2.
        number: u64,
        /// 0.
        code: u64,
    },
    /// A translation fault.
    Vm {
        /// The address.
        address: u64,
        /// ESR_EL2.
        syndrome: u64,
        /// Whether it was an instruction fetch.
        instruction: bool,
    },
    /// A list register of its virtual processor needs service.
    VgicMaintenance {
        /// Which; none when the interrupt that ended was in none.
        index: Option<u8>,
    },
    /// Something that whoever emulates its machine is to handle.
    Vcpu {
        /// ESR_EL2.
        syndrome: u64,
    },
    /// A private interrupt of its virtual processor fired.
    Vppi {
        /// Its INTID.
        intid: u32,
    },
}

impl Fault {
    /// Label of its message.
    #[must_use]
    pub const fn label(&self) -> FaultLabel {
        match self {
            Self::Cap { .. } => FaultLabel::Cap,
            Self::UnknownSyscall { .. } => FaultLabel::UnknownSyscall,
            Self::User { .. } => FaultLabel::UserException,
            Self::Vm { .. } => FaultLabel::Vm,
            Self::VgicMaintenance { .. } => FaultLabel::VgicMaintenance,
            Self::Vcpu { .. } => FaultLabel::Vcpu,
            Self::Vppi { .. } => FaultLabel::VppiEvent,
        }
    }
}

/// What a blocked sender brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockedSender {
    /// The endpoint.
    pub endpoint: Handle<Endpoint>,
    /// Badge of the capability it used.
    pub badge: u64,
    /// Whether capabilities go along.
    pub grant: bool,
    /// Whether a reply capability may be given.
    pub grant_reply: bool,
    /// Whether it waits for a reply after.
    pub call: bool,
}

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadState {
    /// Nothing, until resumed.
    Inactive,
    /// Runs, or would.
    Running,
    /// Will start over at its restart address.
    Restart,
    /// Waits to receive.
    BlockedOnReceive {
        /// At this endpoint.
        endpoint: Handle<Endpoint>,
        /// Whether its replies may carry capabilities.
        grant: bool,
    },
    /// Waits to send.
    BlockedOnSend(BlockedSender),
    /// Waits for a reply.
    BlockedOnReply,
    /// Waits for a signal.
    BlockedOnNotification(Handle<Notification>),
}

impl ThreadState {
    /// Whether the scheduler may pick the thread.
    #[must_use]
    pub const fn is_runnable(&self) -> bool {
        matches!(self, Self::Running | Self::Restart)
    }
}

/// Registers of a thread; the image's exception entry saves to and loads from exactly this layout.
#[repr(C)]
pub struct UserContext {
    /// `x0`..`x30`.
    pub x: [Cell<u64>; 31],
    /// SP_EL0.
    pub sp: Cell<u64>,
    /// Where it goes on (ELR_EL2).
    pub pc: Cell<u64>,
    /// SPSR_EL2.
    pub spsr: Cell<u64>,
    /// Where it starts over: the instruction that trapped.
    pub restart_pc: Cell<u64>,
    /// TPIDR_EL0.
    pub tpidr: Cell<u64>,
    /// TPIDRRO_EL0.
    pub tpidrro: Cell<u64>,
}

impl UserContext {
    /// After a system call: it starts over at the instruction that made it.
    pub(crate) fn set_restart(&self) {
        self.restart_pc.set(self.pc.get().wrapping_sub(4));
    }
}

/// Floating-point registers of a thread; the image saves to and loads from exactly this layout.
#[repr(C, align(16))]
pub struct FpuContext {
    /// `q0`..`q31`.
    pub v: [Cell<u128>; 32],
    /// FPSR.
    pub fpsr: Cell<u64>,
    /// FPCR.
    pub fpcr: Cell<u64>,
}

/// What becomes of a PSTATE that a user chose. Without a virtual processor only N, Z, C and V are free; with one everything
/// is, as long as the mode is EL0t, EL1t or EL1h.
const fn sanitise_spsr(value: u64, has_vcpu: bool) -> u64 {
    const MODE: u64 = 0x1f;
    const EL0T: u64 = 0;
    const EL1T: u64 = 4;
    const EL1H: u64 = 5;
    if has_vcpu && matches!(value & MODE, EL0T | EL1T | EL1H) { value } else { value & PSTATE_FLAGS | PSTATE_USER }
}

/// A thread, behind its slots.
#[repr(C)]
pub struct Tcb {
    /// Its registers.
    pub context: UserContext,
    /// What it does.
    pub state: Cell<ThreadState>,
    /// Why it waits for its fault handler.
    pub fault: Cell<Option<Fault>>,
    /// Priority.
    pub priority: Cell<u8>,
    /// Highest priority it may give to others.
    pub max_priority: Cell<u8>,
    /// Scheduling domain.
    pub domain: Cell<u8>,
    /// Ticks left before the next thread of its priority.
    pub time_slice: Cell<u64>,
    /// Capability pointer of its fault handler.
    pub fault_handler: Cell<u64>,
    /// Address of its IPC buffer.
    pub ipc_buffer: Cell<u64>,
    /// Flags of `TCB_SetFlags`.
    pub flags: Cell<u64>,
    /// The notification bound to it.
    pub bound_notification: Cell<Option<Handle<Notification>>>,
    /// Its virtual processor.
    pub vcpu: Cell<Option<Handle<Vcpu>>>,
    /// Whether it is in the scheduler's queue.
    pub queued: Cell<bool>,
    /// Neighbours in the scheduler's queue.
    pub sched_prev: Cell<Option<Handle<Tcb>>>,
    /// Neighbours in the scheduler's queue.
    pub sched_next: Cell<Option<Handle<Tcb>>>,
    /// Neighbours in an endpoint's or notification's queue.
    pub queue_prev: Cell<Option<Handle<Tcb>>>,
    /// Neighbours in an endpoint's or notification's queue.
    pub queue_next: Cell<Option<Handle<Tcb>>>,
    /// Name for debug output.
    pub name: Cell<[u8; 16]>,
    /// Its floating-point registers while another thread's are loaded.
    pub fpu: FpuContext,
}

impl Object for Tcb {
    const SLOTS: u64 = 5;
    const BODY: u64 = 256;

    fn new() -> Self {
        Self {
            context: UserContext {
                x: [const { Cell::new(0) }; 31],
                sp: Cell::new(0),
                pc: Cell::new(0),
                spsr: Cell::new(PSTATE_USER),
                restart_pc: Cell::new(0),
                tpidr: Cell::new(0),
                tpidrro: Cell::new(0),
            },
            state: Cell::new(ThreadState::Inactive),
            fault: Cell::new(None),
            priority: Cell::new(0),
            max_priority: Cell::new(0),
            domain: Cell::new(0),
            time_slice: Cell::new(TIME_SLICE_TICKS),
            fault_handler: Cell::new(0),
            ipc_buffer: Cell::new(0),
            flags: Cell::new(0),
            bound_notification: Cell::new(None),
            vcpu: Cell::new(None),
            queued: Cell::new(false),
            sched_prev: Cell::new(None),
            sched_next: Cell::new(None),
            queue_prev: Cell::new(None),
            queue_next: Cell::new(None),
            name: Cell::new([0; 16]),
            fpu: FpuContext { v: [const { Cell::new(0) }; 32], fpsr: Cell::new(0), fpcr: Cell::new(0) },
        }
    }
}

impl Tcb {
    /// Sets PSTATE, as far as a user may choose it.
    pub(crate) fn set_pstate(&self, value: u64) {
        self.context.spsr.set(sanitise_spsr(value, self.vcpu.get().is_some()));
    }
}

const _: () = assert!(size_of::<Tcb>() as u64 + Tcb::BODY <= 1 << ObjectType::Tcb.size_bits(0));
