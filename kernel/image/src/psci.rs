//! Power off through firmware (Arm DEN 0022, PSCI).

use core::arch::asm;
use core::sync::atomic::{AtomicU8, Ordering};

use sluice_platform::Conduit;

const SYSTEM_OFF: u64 = 0x8400_0008;
const NONE: u8 = 0;
const SMC: u8 = 1;
const HVC: u8 = 2;

static CONDUIT: AtomicU8 = AtomicU8::new(NONE);

/// How firmware is called.
pub(crate) fn set(conduit: Option<Conduit>) {
    let code = match conduit {
        None => NONE,
        Some(Conduit::Smc) => SMC,
        Some(Conduit::Hvc) => HVC,
    };
    CONDUIT.store(code, Ordering::Relaxed);
}

/// Asks firmware to switch the machine off; returns where there is none.
pub(crate) fn power_off() {
    match CONDUIT.load(Ordering::Relaxed) {
        // SAFETY: SYSTEM_OFF takes no arguments and does not return; should it, it clobbers what SMCCC allows.
        SMC => unsafe { asm!("smc #0", inout("x0") SYSTEM_OFF => _, clobber_abi("C")) },
        // SAFETY: as above; firmware above EL2 that takes `hvc` is an outer hypervisor.
        HVC => unsafe { asm!("hvc #0", inout("x0") SYSTEM_OFF => _, clobber_abi("C")) },
        _ => {}
    }
}
