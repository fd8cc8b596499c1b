//! Threads that do one thing with registers chosen in advance, and leave behind what they had after it.

use core::arch::global_asm;

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, ObjectType, Register, USER_CONTEXT_WORDS};

use super::call::{Buffer, Call, number, trap};
use super::memory::load;
use super::world::{Outcome, World};

global_asm!(
    ".section .text.puppet, \"ax\"",
    ".global puppet_syscall",
    "puppet_syscall:",
    "svc #0",
    ".global puppet_report",
    "puppet_report:",
    "stp x0, x1, [sp, #0]",
    "stp x2, x3, [sp, #16]",
    "stp x4, x5, [sp, #32]",
    "stp x6, x7, [sp, #48]",
    "stp x8, x9, [sp, #64]",
    "stp x10, x11, [sp, #80]",
    "stp x12, x13, [sp, #96]",
    "stp x14, x15, [sp, #112]",
    "stp x16, x17, [sp, #128]",
    "stp x18, x19, [sp, #144]",
    "stp x20, x21, [sp, #160]",
    "stp x22, x23, [sp, #176]",
    "stp x24, x25, [sp, #192]",
    "stp x26, x27, [sp, #208]",
    "stp x28, x29, [sp, #224]",
    "mrs x0, nzcv",
    "stp x30, x0, [sp, #240]",
    "ldr x0, [sp, #256]",
    "add x0, x0, #1",
    "str x0, [sp, #256]",
    "puppet_park:",
    "mov x7, #-7",
    "svc #0",
    "b puppet_park",
    ".global puppet_load",
    "puppet_load:",
    "ldr x2, [x1]",
    "b puppet_report",
    ".global puppet_store",
    "puppet_store:",
    "str x2, [x1]",
    "b puppet_report",
    ".global puppet_undefined",
    "puppet_undefined:",
    "udf #0",
    "b puppet_report",
    ".global puppet_breakpoint",
    "puppet_breakpoint:",
    "brk #7",
    "b puppet_report",
    ".global puppet_privileged",
    "puppet_privileged:",
    "mrs x2, sctlr_el1",
    "b puppet_report",
    ".global puppet_hypervisor_call",
    "puppet_hypervisor_call:",
    "hvc #0",
    "b puppet_report",
    ".global puppet_count",
    "puppet_count:",
    "ldr x2, [x1]",
    "add x2, x2, #1",
    "str x2, [x1]",
    "b puppet_count",
    // Fills q0..q31 with numbers from x1 on, gives way x2 times, and ORs into x5 what is different after.
    ".global puppet_float",
    "puppet_float:",
    ".arch_extension simd",
    "mov x3, x1",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "dup v\\n\\().2d, x3",
    "add x3, x3, #1",
    ".endr",
    "1: mov x7, #-7",
    "svc #0",
    "subs x2, x2, #1",
    "b.ne 1b",
    "mov x3, x1",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "umov x4, v\\n\\().d[0]",
    "eor x4, x4, x3",
    "orr x5, x5, x4",
    "umov x4, v\\n\\().d[1]",
    "eor x4, x4, x3",
    "orr x5, x5, x4",
    "add x3, x3, #1",
    ".endr",
    ".arch_extension nosimd",
    "b puppet_report",
    // Waits for x19, stores the time at x21, quiets the clock at x22, acknowledges x20; x23 times.
    ".global puppet_watch",
    "puppet_watch:",
    "mov x0, x19",
    "mov x7, #-5",
    "svc #0",
    "isb",
    "mrs x9, cntvct_el0",
    "str x9, [x21], #8",
    "mov w10, #1",
    "str w10, [x22, #0x1c]",
    "mov x0, x20",
    // IRQHandler_Ack, no words.
    "mov x1, #(27 << 12) & 0xffff",
    "movk x1, #(27 << 12) >> 16, lsl #16",
    "mov x7, #-1",
    "svc #0",
    "subs x23, x23, #1",
    "b.ne puppet_watch",
    "b puppet_report",
);

unsafe extern "C" {
    /// A system call, then `puppet_report`: stores `x0`..`x30` and the flags at `sp`, counts, and gives way for ever.
    fn puppet_syscall();
    /// Stores the registers as [`puppet_syscall`] does after its call.
    fn puppet_report();
    /// Loads `x2` from `x1`, then [`puppet_report`].
    fn puppet_load();
    /// Stores `x2` to `x1`, then [`puppet_report`].
    fn puppet_store();
    /// An undefined instruction, then [`puppet_report`].
    fn puppet_undefined();
    /// A breakpoint, then [`puppet_report`].
    fn puppet_breakpoint();
    /// Reads a register that EL0 must not, then [`puppet_report`].
    fn puppet_privileged();
    /// A hypervisor call, then [`puppet_report`].
    fn puppet_hypervisor_call();
    /// Counts at `x1` for ever.
    fn puppet_count();
    /// Keeps numbers in all floating-point registers over `x2` switches of threads, then [`puppet_report`].
    fn puppet_float();
    /// Takes `x23` interrupts of a PL031 and the time of each, then [`puppet_report`].
    fn puppet_watch();
}

/// Something a puppet does, other than a system call, before it reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Report,
    Load,
    Store,
    Undefined,
    Breakpoint,
    Privileged,
    HypervisorCall,
    Count,
    Float,
    Watch,
}

impl Act {
    /// Address of its instruction.
    pub(crate) fn at(self) -> u64 {
        let code = match self {
            Self::Report => puppet_report as *const (),
            Self::Load => puppet_load as *const (),
            Self::Store => puppet_store as *const (),
            Self::Undefined => puppet_undefined as *const (),
            Self::Breakpoint => puppet_breakpoint as *const (),
            Self::Privileged => puppet_privileged as *const (),
            Self::HypervisorCall => puppet_hypervisor_call as *const (),
            Self::Count => puppet_count as *const (),
            Self::Float => puppet_float as *const (),
            Self::Watch => puppet_watch as *const (),
        };
        code as u64
    }
}

/// Where a puppet makes its system call.
pub(crate) fn syscall_at() -> u64 {
    puppet_syscall as *const () as u64
}

/// Offset of the report in a puppet's page, behind the IPC buffer.
const REPORT: u64 = 1024;
const FLAGS: u64 = REPORT + 248;
const COUNT: u64 = REPORT + 256;
/// How often the root thread gives way before it takes a puppet for blocked.
const PATIENCE: u32 = 8;

/// A thread.
#[derive(Clone, Copy)]
pub(crate) struct Puppet {
    pub(crate) tcb: u64,
    pub(crate) buffer: Buffer,
    /// Frame of its page.
    pub(crate) frame: u64,
}

/// Registers to start with, in message order.
#[derive(Clone, Copy)]
pub(crate) struct Start(pub(crate) [u64; USER_CONTEXT_WORDS]);

fn position(register: Register) -> usize {
    Register::ORDER.iter().position(|each| *each == register).unwrap_or(0)
}

impl Start {
    /// Registers that differ from each other, and the address to go to.
    pub(crate) fn at(pc: u64) -> Self {
        let mut start = Self([0; USER_CONTEXT_WORDS]);
        for number in 0..31 {
            start = start.with(Register::X(number), pattern(number));
        }
        start.with(Register::Pc, pc).with(Register::TpidrEl0, 0x7d1)
    }

    /// A system call with these `x0`..`x5`.
    pub(crate) fn syscall(number: u64, registers: [u64; 6]) -> Self {
        let mut start = Self::at(syscall_at()).with(Register::X(7), number);
        for (index, value) in registers.into_iter().enumerate() {
            start = start.with(Register::X(index as u8), value);
        }
        start
    }

    pub(crate) fn with(mut self, register: Register, value: u64) -> Self {
        self.0[position(register)] = value;
        self
    }

    pub(crate) fn get(&self, register: Register) -> u64 {
        self.0[position(register)]
    }
}

/// What a puppet's register holds unless something else is chosen.
pub(crate) fn pattern(number: u8) -> u64 {
    0xabcd_0000_0000_0000 | u64::from(number) << 32 | 0x5a5a_0000 | u64::from(number)
}

impl Puppet {
    /// How often it has reported.
    pub(crate) fn reports(self) -> u64 {
        load(self.buffer.0 + COUNT)
    }

    /// `x0`..`x30` of its latest report.
    pub(crate) fn reported(self) -> [u64; 31] {
        core::array::from_fn(|index| load(self.buffer.0 + REPORT + 8 * index as u64))
    }

    /// NZCV of its latest report.
    pub(crate) fn reported_flags(self) -> u64 {
        load(self.buffer.0 + FLAGS)
    }
}

impl World {
    /// A thread in the root thread's own spaces, of the same priority, without a fault handler.
    pub(crate) fn puppet(&mut self) -> Outcome<Puppet> {
        self.puppet_with_handler(0)
    }

    /// The same with a fault handler.
    pub(crate) fn puppet_with_handler(&mut self, handler: u64) -> Outcome<Puppet> {
        let tcb = self.make(ObjectType::Tcb, 0)?;
        let (frame, page) = self.page()?;
        let configure = Call::of(tcb, Label::TcbConfigure).words(&[handler, 0, 0, page]).caps(&[
            slot::INIT_CNODE,
            slot::INIT_VSPACE,
            frame,
        ]);
        self.ok(&configure)?;
        self.set_priority(tcb, 255)?;
        Ok(Puppet { tcb, buffer: Buffer(page), frame })
    }

    pub(crate) fn set_priority(&self, tcb: u64, priority: u64) -> Outcome {
        let call = Call::of(tcb, Label::TcbSetPriority).words(&[priority]).caps(&[slot::INIT_TCB]);
        self.ok(&call).map(drop)
    }

    /// Writes all registers and lets the puppet run; its report goes to its page.
    pub(crate) fn start(&self, puppet: Puppet, start: Start) -> Outcome {
        let start = start.with(Register::Sp, puppet.buffer.0 + REPORT);
        let mut words = [0; USER_CONTEXT_WORDS + 2];
        words[0] = 1;
        words[1] = USER_CONTEXT_WORDS as u64;
        words[2..].copy_from_slice(&start.0);
        self.ok(&Call::of(puppet.tcb, Label::TcbWriteRegisters).words(&words)).map(drop)
    }

    /// Starts the puppet and gives it time; whether it has reported.
    pub(crate) fn run(&self, puppet: Puppet, start: Start) -> Outcome<bool> {
        let before = puppet.reports();
        self.start(puppet, start)?;
        Ok(self.waits_for(puppet, before))
    }

    /// Gives the others time; whether the puppet has reported more than `before` times.
    pub(crate) fn waits_for(&self, puppet: Puppet, before: u64) -> bool {
        for _ in 0..PATIENCE {
            if puppet.reports() != before {
                return true;
            }
            self.give_way();
        }
        puppet.reports() != before
    }

    /// Lets every other thread of the same priority run until it blocks or gives way.
    pub(crate) fn give_way(&self) {
        trap(number::YIELD, [0; 6]);
    }
}
