//! Guests: threads with a virtual processor, that run the pieces of code below at EL1.
//!
//! A guest uses the root thread's address space as its machine. With its own translation on, the first 512 GiB are
//! mapped one to one in gigabytes, except that the gigabyte at [`ALIAS`] is the one of the window.

use core::arch::global_asm;

use sluice_abi::fault::FaultLabel;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{CapRights, Label, MessageInfo, ObjectType, PAGE_SIZE, Register, Syscall};

use super::call::{Call, Reply, trap};
use super::memory::store;
use super::puppet::{Puppet, Start};
use super::world::{Outcome, WINDOW, World, stop};

global_asm!(
    r#"
.section .text.guest, "ax"
.balign 2048
guest_vectors:
    .org guest_vectors + 0x200          // synchronous, from EL1 with its own stack pointer
    mrs     x0, esr_el1
    mrs     x1, far_el1
    mrs     x2, elr_el1
    hvc     #0
    .org guest_vectors + 0x280          // interrupt
    mrs     x0, icc_iar1_el1
    hvc     #0
    msr     icc_eoir1_el1, x0
    isb
    mov     x1, #0x77
    hvc     #0
    eret
    .org guest_vectors + 0x800

// Each ends with a call that no kernel knows, which tells x0..x7 to the monitor, and goes on behind it.
guest_hvc:
    hvc     #0
    b       guest_hvc
guest_smc:
    smc     #0
    b       guest_hvc
guest_wfi:
    wfi
    b       guest_hvc
guest_load:
    ldr     x0, [x1]
    b       guest_hvc
guest_store:
    str     x0, [x1]
    b       guest_hvc
guest_jump:
    br      x1
guest_debug:
    mrs     x0, mdscr_el1
    b       guest_hvc
guest_physical_timer:
    mrs     x0, cntp_ctl_el0
    b       guest_hvc
guest_signal:
    msr     icc_sgi1r_el1, x0
    b       guest_hvc
guest_count:
    isb
    mrs     x0, cntvct_el0
    b       guest_hvc
guest_level:
    mrs     x0, CurrentEL
    b       guest_hvc

// Writes x0, x0 + x1, x0 + 2 * x1 and so on to registers that take any address.
guest_set:
.irp register, ttbr1_el1, contextidr_el1, esr_el1, far_el1, par_el1, vbar_el1, tpidr_el1, elr_el1, spsr_el1, cntv_cval_el0, tpidr_el0, tpidrro_el0
    msr     \register, x0
    add     x0, x0, x1
.endr
    msr     csselr_el1, x2
    msr     icc_pmr_el1, x3
    msr     cntkctl_el1, x4
    msr     cpacr_el1, x5
    isb
    b       guest_hvc
guest_get:
    mrs     x8, ttbr1_el1
    mrs     x9, contextidr_el1
    mrs     x10, esr_el1
    mrs     x11, far_el1
    mrs     x12, par_el1
    mrs     x13, vbar_el1
    mrs     x14, tpidr_el1
    mrs     x15, elr_el1
    mrs     x16, spsr_el1
    mrs     x17, cntv_cval_el0
    mrs     x18, tpidr_el0
    mrs     x19, tpidrro_el0
    mrs     x20, csselr_el1
    mrs     x21, icc_pmr_el1
    mrs     x22, cntkctl_el1
    mrs     x23, cpacr_el1
    mov     x24, sp
    mrs     x25, mpidr_el1
    b       guest_hvc

// Waits for interrupts, virtual ones of group 1 unmasked.
guest_wait:
    adr     x0, guest_vectors
    msr     vbar_el1, x0
    mov     x0, #0xff
    msr     icc_pmr_el1, x0
    mov     x0, #1
    msr     icc_igrpen1_el1, x0
    isb
    msr     daifclr, #2
1:  b       1b

// Has the virtual timer fire in x0 counts, and waits with interrupts masked.
guest_timer:
    msr     cntv_tval_el0, x0
    mov     x1, #1
    msr     cntv_ctl_el0, x1
    isb
1:  b       1b
"#
);

/// A piece of code that guests run.
#[derive(Clone, Copy)]
pub(crate) struct Code(unsafe extern "C" fn());

macro_rules! code {
    ($($name:ident = $symbol:ident,)+) => {
        unsafe extern "C" {
            $(fn $symbol();)+
        }
        impl Code {
            $(pub(crate) const $name: Self = Self($symbol);)+
        }
    };
}

code! {
    HVC = guest_hvc,
    SMC = guest_smc,
    WFI = guest_wfi,
    LOAD = guest_load,
    STORE = guest_store,
    JUMP = guest_jump,
    DEBUG = guest_debug,
    PHYSICAL_TIMER = guest_physical_timer,
    SIGNAL = guest_signal,
    COUNT = guest_count,
    LEVEL = guest_level,
    SET = guest_set,
    GET = guest_get,
    WAIT = guest_wait,
    TIMER = guest_timer,
}

impl Code {
    /// Where it starts.
    pub(crate) fn at(self) -> u64 {
        self.0 as *const () as u64
    }
}

/// Where a guest that translates has the window a second time.
pub(crate) const ALIAS: u64 = 100 << 30;
/// PSTATE of a guest: EL1h, everything masked.
pub(crate) const EL1H: u64 = 0x3c5;

/// A thread with a virtual processor, and the root thread for its monitor.
#[derive(Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) puppet: Puppet,
    pub(crate) vcpu: u64,
    /// Where its faults come.
    pub(crate) endpoint: u64,
}

impl World {
    pub(crate) fn guest(&mut self) -> Outcome<Guest> {
        let endpoint = self.make(ObjectType::Endpoint, 0)?;
        let handler = self.mint(endpoint, CapRights::all(), 0)?;
        let puppet = self.puppet_with_handler(handler)?;
        let vcpu = self.make(ObjectType::Vcpu, 0)?;
        self.ok(&set_tcb(vcpu, puppet.tcb))?;
        Ok(Guest { puppet, vcpu, endpoint })
    }

    /// Turns the guest's own translation on.
    pub(crate) fn translate(&mut self, guest: Guest) -> Outcome {
        let (_, table) = self.page()?;
        for index in 0..512u64 {
            let to = if index == ALIAS >> 30 { WINDOW } else { index << 30 };
            // A block of Normal memory, inner shareable, accessed (DDI 0487, D8.3).
            store(table + 8 * index, to | 1 << 10 | 3 << 8 | 1);
        }
        self.write(guest, VcpuRegister::Ttbr0, table)?;
        self.write(guest, VcpuRegister::Mair, 0xff)?;
        // T0SZ 25, write-back walks, inner shareable, EPD1, 44 bits out.
        self.write(guest, VcpuRegister::Tcr, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 4 << 32)?;
        let control = self.read(guest, VcpuRegister::Sctlr)?;
        // M, C, I.
        self.write(guest, VcpuRegister::Sctlr, control | 1 | 1 << 2 | 1 << 12)
    }

    pub(crate) fn write(&self, guest: Guest, register: VcpuRegister, value: u64) -> Outcome {
        let call = Call::of(guest.vcpu, Label::VcpuWriteReg).words(&[register as u64, value]);
        self.ok(&call).map(drop)
    }

    pub(crate) fn read(&self, guest: Guest, register: VcpuRegister) -> Outcome<u64> {
        self.ok(&Call::of(guest.vcpu, Label::VcpuReadReg).words(&[register as u64])).map(|reply| reply.word(0))
    }

    /// Has the guest run `code` with these `x0`, `x1` and so on, until it faults: the message of the fault.
    pub(crate) fn enter(&self, guest: Guest, code: Code, registers: &[u64]) -> Outcome<Reply> {
        let mut start = Start::at(code.at()).with(Register::Spsr, EL1H);
        for (index, value) in registers.iter().enumerate() {
            start = start.with(Register::X(index as u8), *value);
        }
        self.start(guest.puppet, start)?;
        Ok(self.fault(guest))
    }

    /// The next fault of the guest.
    pub(crate) fn fault(&self, guest: Guest) -> Reply {
        Reply::from_registers(trap(Syscall::Recv.word(), [guest.endpoint, 0, 0, 0, 0, 0]), self.buffer)
    }

    /// Answers a fault with words for the guest's registers, and waits for the next.
    pub(crate) fn resume(&self, guest: Guest, words: &[u64]) -> Reply {
        for (index, word) in words.iter().enumerate().skip(MessageInfo::REGISTERS) {
            self.buffer.set_word(index, *word);
        }
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        let info = MessageInfo::new(0, 0, 0, words.len() as u64);
        let registers = [guest.endpoint, info.word(), word(0), word(1), word(2), word(3)];
        Reply::from_registers(trap(Syscall::ReplyRecv.word(), registers), self.buffer)
    }

    /// Lets a guest that made a call go on behind it, whoever was answered since, and waits for its next fault.
    pub(crate) fn step_over(&self, guest: Guest, call: &Reply) -> Outcome<Reply> {
        if call.label() != FaultLabel::UnknownSyscall as u64 {
            return Err(stop(format_args!("the guest did not call: {} {:#x?}", call.label(), call.words())));
        }
        let words = [1, 1, call.word(8) + 4];
        self.ok(&Call::of(guest.puppet.tcb, Label::TcbWriteRegisters).words(&words))?;
        Ok(self.fault(guest))
    }
}

/// `VCPU_SetTCB`.
pub(crate) fn set_tcb(vcpu: u64, tcb: u64) -> Call {
    Call::of(vcpu, Label::VcpuSetTcb).caps(&[tcb])
}

/// An address of the window that is mapped to nothing, far from what is.
pub(crate) const NOWHERE: u64 = WINDOW + (1 << 29) + 0x18;

/// The virtual counter, as EL0 reads it.
pub(crate) fn counter() -> u64 {
    let value: u64;
    // SAFETY: reading the counter changes nothing.
    unsafe { core::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack)) };
    value
}

/// What EL0 may do with the cache, when nobody's EL1 state is in the way.
pub(crate) fn maintain_cache(address: u64) -> u64 {
    let features: u64;
    // SAFETY: cleaning a line of mapped memory changes nothing that can be read.
    unsafe {
        core::arch::asm!("dc cvac, {}", "mrs {}, ctr_el0", in(reg) address & !(PAGE_SIZE - 1), out(reg) features)
    };
    features
}
