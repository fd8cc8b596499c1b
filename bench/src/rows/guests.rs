//! A guest's exit, told to its monitor, and the monitor's answer that lets it go on.

use core::arch::global_asm;

use sluice_abi::{ObjectType, Register};
use sluice_sys::{Resume, UserContext, Vcpu};

use super::{ALL, read_overhead};
use crate::counter;
use crate::helper::{self, PRIORITY, Plan};
use crate::machine::{Machine, done};
use crate::samples::Samples;
use crate::stub::Buffer;

global_asm!(
    ".section .text.guest, \"ax\"",
    // x7 holds no system call's number.
    "bench_guest_hvc:",
    "hvc #0",
    "b bench_guest_hvc",
    "bench_guest_smc:",
    "smc #0",
    "b bench_guest_smc",
);

unsafe extern "C" {
    // Not instructions of EL0: a thread that is no guest yet faults there, and waits.
    safe fn bench_guest_hvc(argument: u64) -> !;
    safe fn bench_guest_smc(argument: u64) -> !;
}

/// PSTATE of the guest: EL1h, everything masked.
const EL1H: u64 = 0x3c5;

/// From the answer to one exit until the next exit's message is there; the guest does nothing else.
pub(super) fn exits(machine: &mut Machine) {
    for (name, code) in [("vcpu-hvc", bench_guest_hvc as helper::Entry), ("vcpu-smc", bench_guest_smc)] {
        let endpoint = machine.make(ObjectType::Endpoint, 0);
        // Above everybody who waits for a turn.
        let plan = Plan { entry: code, argument: 0, priority: PRIORITY + 1, faults: endpoint };
        let thread = helper::start(machine, &plan);
        let vcpu = Vcpu::from(machine.make(ObjectType::Vcpu, 0));
        done(vcpu.set_tcb(thread));
        let context = UserContext::default().with(Register::Pc, code as usize as u64).with(Register::Spsr, EL1H);
        done(thread.write_registers(&context, Resume::Now));
        let buffer = Buffer::at(machine.info.ipc_buffer);
        buffer.recv(endpoint);
        let mut samples = Samples::new(name, read_overhead());
        for _ in 0..ALL {
            let before = counter::now();
            buffer.reply_recv(endpoint, 0);
            samples.add(counter::now() - before);
        }
        samples.print();
        done(thread.suspend());
    }
}
