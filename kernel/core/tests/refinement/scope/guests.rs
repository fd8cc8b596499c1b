//! Two virtual processors and two threads: who has whom, and what stays in the registers.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, vcpu::VcpuRegister};
use sluice_abstract::{Invocation, Rights, Slot};

use super::{Scope, acts, free, retype};
use crate::input::Act;
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const GUESTS: Scope = Scope { name: "guests", identity: IDENTITY, prepare, alphabet };

const UNTYPED: u64 = 0;
const VCPUS: [u64; 2] = [1, 2];
const THREAD: u64 = 3;
const SPARE: u64 = 4;

fn prepare(system: &mut System) {
    let at = |index| free(system.node, index);
    let (untyped, vcpus, thread) = (at(UNTYPED), VCPUS.map(at), at(THREAD));
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Untyped, 14, untyped));
    for vcpu in vcpus {
        system.done(&retype(untyped, ObjectType::Vcpu, 0, vcpu));
    }
    system.done(&retype(all, ObjectType::Tcb, 0, thread));
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let own = |index| Slot::Node { node, index };
    let mut all = Vec::new();
    for vcpu in VCPUS.map(at) {
        // The thread that invokes becomes a guest itself.
        for thread in [at(THREAD), own(slot::INIT_TCB), own(slot::INIT_CNODE)] {
            all.push(Invocation::SetVcpuThread { vcpu, thread });
        }
        all.push(Invocation::ReadVcpu { vcpu, register: VcpuRegister::Sctlr as u64 });
        for (register, value) in [(VcpuRegister::Sctlr, 5), (VcpuRegister::Vbar, 6)] {
            all.push(Invocation::WriteVcpu { vcpu, register: register as u64, value });
        }
        all.push(Invocation::Delete(vcpu));
    }
    all.push(Invocation::ReadVcpu { vcpu: at(VCPUS[0]), register: 24 });
    all.push(Invocation::WriteVcpu { vcpu: at(VCPUS[0]), register: 1 << 32, value: 1 });
    all.push(Invocation::SetVcpuThread { vcpu: at(THREAD), thread: at(THREAD) });
    all.push(Invocation::SetVcpuThread { vcpu: at(VCPUS[0]), thread: at(SPARE) });
    all.push(Invocation::Copy { source: at(VCPUS[0]), dest: at(SPARE), rights: Rights::READ });
    all.push(Invocation::Delete(at(SPARE)));
    all.push(Invocation::Delete(at(THREAD)));
    all.push(Invocation::Revoke(at(UNTYPED)));
    all.push(retype(at(UNTYPED), ObjectType::Vcpu, 0, at(VCPUS[1])));
    acts(all)
}
