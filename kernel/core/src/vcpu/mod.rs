//! Virtual processors: whose registers are in the hardware, and when they are exchanged.
//!
//! A thread with a virtual processor runs at EL1 and EL0 in *guest mode*: its own translation under that of its VSpace,
//! its own vectors, timer and interrupts. EL1 registers follow lazily. A thread without one runs in the EL1 state
//! of whoever ran in guest mode last, so leaving guest mode exchanges only what EL0 would notice; the rest is
//! exchanged when another virtual processor runs.
//!
//! Guest mode is left before the VSpace changes and entered after, so that the core never walks one guest's tables under
//! another's.

mod fault;
mod forward;
mod machine;
mod registers;
mod stage1;
mod vgic;

pub use machine::{GuestMachine, VgicRegister};
pub(crate) use vgic::VirtualInterrupt;

use sluice_abi::vcpu::VcpuRegister;

use self::stage1::Stage1Tags;

use crate::Kernel;
use crate::hal::Hal;
use crate::interrupt::InterruptUse;
use crate::object::{MAX_ACTIVE_PRIORITIES, MAX_LIST_REGISTERS, Tcb, Vcpu};
use crate::store::Handle;

/// Registers that EL0 would notice, with the value they have for threads without a virtual processor, in the order in which
/// guest mode is left: the timer is off before its offset goes.
///
/// SCTLR_EL1: EL0 may clean caches, read CTR and wait; RES1 elsewhere. CPACR_EL1: EL1's own floating-point trap must not
/// come before EL2's. CNTKCTL_EL1: EL0 may read both counters and use the
/// physical timer (EL0PCTEN, EL0VCTEN, EL0PTEN), not the virtual one. CNTV_CTL_EL0: no interrupt.
const NATIVE: [(VcpuRegister, u64); 5] = [
    (VcpuRegister::Sctlr, 0x34d5_c800),
    (VcpuRegister::Cpacr, 3 << 20),
    (VcpuRegister::CntkctlEl1, 1 | 1 << 1 | 1 << 9),
    (VcpuRegister::CntvCtl, 0),
    (VcpuRegister::CntvOff, 0),
];

/// Registers that only guests use.
const GUESTS_ONLY: [VcpuRegister; 19] = [
    VcpuRegister::Ttbr0,
    VcpuRegister::Ttbr1,
    VcpuRegister::Tcr,
    VcpuRegister::Mair,
    VcpuRegister::Amair,
    VcpuRegister::Cidr,
    VcpuRegister::Actlr,
    VcpuRegister::Afsr0,
    VcpuRegister::Afsr1,
    VcpuRegister::Esr,
    VcpuRegister::Far,
    VcpuRegister::Par,
    VcpuRegister::Vbar,
    VcpuRegister::TpidrEl1,
    VcpuRegister::VmpidrEl2,
    VcpuRegister::SpEl1,
    VcpuRegister::ElrEl1,
    VcpuRegister::SpsrEl1,
    VcpuRegister::CntvCval,
];

/// Whose registers are where, and what the machine has.
pub(crate) struct Vcpus {
    /// Whose registers are in the hardware.
    loaded: Option<Handle<Vcpu>>,
    /// Whether guest mode is on: the loaded one's thread runs.
    running: Option<Handle<Vcpu>>,
    /// Whether the virtual timer's interrupt is enabled.
    timer_enabled: bool,
    timer: Option<u32>,
    stage1: Stage1Tags,
    list_registers: u8,
    active_priorities: u8,
}

impl Vcpus {
    pub(crate) const fn new() -> Self {
        Self {
            loaded: None,
            running: None,
            timer_enabled: false,
            timer: None,
            stage1: Stage1Tags::new(),
            list_registers: 1,
            active_priorities: 1,
        }
    }
}

impl<H: Hal> Kernel<H> {
    /// Prepares the machine for virtual processors, with the INTIDs of virtual timer and maintenance; boot only.
    pub fn start_virtualization(&mut self, timer: u32, maintenance: Option<u32>) {
        let features = self.hal.vgic_register(VgicRegister::Type);
        // ICH_VTR_EL2 (IHI 0069, 12.4.10): ListRegs is one less than their number, PREbits one less than the bits.
        self.vcpus.list_registers = ((features & 0x1f) as u8 + 1).min(MAX_LIST_REGISTERS as u8);
        let priority_bits = features >> 26 & 7;
        self.vcpus.active_priorities = (1u8 << priority_bits.saturating_sub(4)).min(MAX_ACTIVE_PRIORITIES as u8);
        self.vcpus.timer = Some(timer);
        self.trace_guests(self.vcpus.list_registers, timer);
        self.reserve_interrupt(timer, InterruptUse::VirtualTimer, false);
        self.hal.set_interrupt_enabled(timer, false);
        if let Some(maintenance) = maintenance {
            self.reserve_interrupt(maintenance, InterruptUse::VgicMaintenance, false);
        }
        self.hal.set_vgic_register(VgicRegister::Control, 0);
        for (register, native) in NATIVE {
            self.hal.set_vcpu_register(register, native);
        }
        self.hal.set_guest_mode(false);
    }

    /// Whether the machine is set up for a virtual processor.
    pub(crate) const fn is_in_guest(&self) -> bool {
        self.vcpus.running.is_some()
    }

    /// Leaves guest mode unless it is `next` that runs on.
    pub(crate) fn leave_guest_unless(&mut self, next: Option<Handle<Vcpu>>) {
        match self.vcpus.running {
            Some(running) if Some(running) != next => {
                self.save_noticeable(running);
                self.leave_guest();
            }
            Some(_) | None => {}
        }
    }

    /// Enters guest mode with `vcpu`, unless it runs already.
    pub(crate) fn enter_guest(&mut self, vcpu: Handle<Vcpu>) {
        if self.vcpus.running == Some(vcpu) {
            return;
        }
        if self.vcpus.loaded != Some(vcpu) {
            if let Some(other) = self.vcpus.loaded {
                self.save_guests_only(other);
            }
            self.load_guests_only(vcpu);
            self.vcpus.loaded = Some(vcpu);
        }
        let body = self.get(vcpu);
        // The other way round than in leaving: the timer starts when its offset is there.
        for (register, _) in NATIVE.into_iter().rev() {
            self.hal.set_vcpu_register(register, body.register(register).get());
        }
        self.hal.set_vgic_register(VgicRegister::Control, body.vgic.control.get());
        self.hal.set_guest_mode(true);
        self.vcpus.running = Some(vcpu);
        self.open_timer();
    }

    fn save_noticeable(&self, vcpu: Handle<Vcpu>) {
        let body = self.get(vcpu);
        let save = |(register, _): (VcpuRegister, u64)| body.register(register).set(self.hal.vcpu_register(register));
        // Not a loop: each of these is two instructions.
        let [sctlr, cpacr, cntkctl, cntv_ctl, cntv_off] = NATIVE;
        save(sctlr);
        save(cpacr);
        save(cntkctl);
        save(cntv_ctl);
        save(cntv_off);
        body.vgic.control.set(self.hal.vgic_register(VgicRegister::Control));
    }

    fn leave_guest(&mut self) {
        self.hal.set_vgic_register(VgicRegister::Control, 0);
        for (register, native) in NATIVE {
            self.hal.set_vcpu_register(register, native);
        }
        self.hal.set_guest_mode(false);
        self.vcpus.running = None;
    }

    fn save_guests_only(&self, vcpu: Handle<Vcpu>) {
        let body = self.get(vcpu);
        for register in GUESTS_ONLY {
            body.register(register).set(self.hal.vcpu_register(register));
        }
        body.cache_selection.set(self.hal.cache_selection());
        self.save_vgic(&body.vgic);
    }

    fn load_guests_only(&self, vcpu: Handle<Vcpu>) {
        let body = self.get(vcpu);
        for register in GUESTS_ONLY {
            self.hal.set_vcpu_register(register, body.register(register).get());
        }
        self.hal.set_cache_selection(body.cache_selection.get());
        self.load_vgic(&body.vgic);
    }

    /// Gives `vcpu` to `thread`, and each of them takes leave of whom it had before.
    pub(crate) fn associate(&mut self, vcpu: Handle<Vcpu>, thread: Handle<Tcb>) {
        if self.tcb(thread).vcpu.get() == Some(vcpu) {
            return;
        }
        if let Some(other) = self.tcb(thread).vcpu.get() {
            self.dissociate(other);
        }
        self.dissociate(vcpu);
        self.tcb(thread).vcpu.set(Some(vcpu));
        self.get(vcpu).thread.set(Some(thread));
        if self.current == Some(thread) {
            self.claim_tag(vcpu);
            self.enter_guest(vcpu);
        }
    }

    /// Ends a virtual processor.
    pub(crate) fn finalise_vcpu(&mut self, vcpu: Handle<Vcpu>) {
        self.dissociate(vcpu);
        self.take_back_all(vcpu);
        self.release_tags(vcpu);
        self.hal.destroy(vcpu);
    }

    /// Takes a virtual processor from the thread that has it; its registers stay with it.
    pub(crate) fn dissociate(&mut self, vcpu: Handle<Vcpu>) {
        let Some(thread) = self.get(vcpu).thread.take() else { return };
        if self.vcpus.loaded == Some(vcpu) {
            if self.vcpus.running == Some(vcpu) {
                self.save_noticeable(vcpu);
                self.leave_guest();
            }
            self.save_guests_only(vcpu);
            self.vcpus.loaded = None;
        }
        let tcb = self.tcb(thread);
        tcb.vcpu.set(None);
        // Without one, a thread has no EL1 to be in.
        tcb.set_pstate(tcb.context.spsr.get());
    }
}
