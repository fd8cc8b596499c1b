//! Virtual processors: who has which, and what is in the hardware.

use sluice_abi::vcpu::VcpuRegister;
use sluice_core::VgicRegister;
use sluice_core::object::{Tcb, Vcpu};

use super::View;

pub(super) fn threads_and_processors_agree(view: &View<'_>) {
    let objects = &view.machine().objects;
    for (at, vcpu) in objects.all::<Vcpu>() {
        if let Some(thread) = vcpu.thread.get() {
            assert_eq!(view.kernel.tcb(thread).vcpu.get(), Some(at), "{at:?} and {thread:?} differ");
        }
    }
    for (thread, tcb) in objects.all::<Tcb>() {
        if let Some(at) = tcb.vcpu.get() {
            assert_eq!(objects.get(at).thread.get(), Some(thread), "{thread:?} and {at:?} differ");
        } else {
            assert_eq!(tcb.context.spsr.get() & 0x1f, 0, "{thread:?} is not at EL0t");
        }
    }
}

/// EL1 is on for exactly the threads that have one, and what EL0 would notice of it is gone for all others.
pub(super) fn native_threads_run_natively(view: &View<'_>) {
    let guest = &view.machine().guest;
    let has_vcpu = view.kernel.current().is_some_and(|current| view.kernel.tcb(current).vcpu.get().is_some());
    assert_eq!(guest.mode(), has_vcpu, "guest mode");
    if has_vcpu {
        return;
    }
    let native = [
        (VcpuRegister::Sctlr, 0x34d5_c800),
        (VcpuRegister::Cpacr, 0x30_0000),
        (VcpuRegister::CntkctlEl1, 0x203),
        (VcpuRegister::CntvCtl, 0),
        (VcpuRegister::CntvOff, 0),
    ];
    for (register, value) in native {
        assert_eq!(guest.register(register), value, "{register:?} of native threads");
    }
    assert_eq!(guest.vgic(VgicRegister::Control), 0, "virtual interrupts for native threads");
}
