//! A guest that runs, whoever emulates the rest of its machine waiting for it, and a second virtual processor: exits of every kind,
//! interrupts injected, taken and ended, the timer's events, and what PSTATE the guest may be given.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, Syscall, vcpu::VcpuRegister};
use sluice_abstract::{Deed, Fault, Invocation, NewSpace, Slot};

use super::{Scope, free, retype};
use crate::boot::{FREE_SLOT, MAINTENANCE, VIRTUAL_TIMER};
use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const EXITS: Scope = Scope { name: "exits", identity: IDENTITY, prepare, alphabet };

const ENDPOINT: u64 = 0;
const VCPUS: [u64; 2] = [1, 2];
const GUEST: u64 = 3;
/// Guard that makes a capability pointer of 64 bits the index of a slot.
const GUARD: u64 = 64 - 7;
/// EL1h with everything masked.
const EL1H: u64 = 0x3c5;

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Endpoint, 0, at(ENDPOINT)));
    for vcpu in VCPUS {
        system.done(&retype(all, ObjectType::Vcpu, 0, at(vcpu)));
    }
    let (thread, vcpu) = (at(GUEST), at(VCPUS[0]));
    system.done(&retype(all, ObjectType::Tcb, 0, thread));
    let (cspace, vspace) = (fixed(slot::INIT_CNODE), fixed(slot::INIT_VSPACE));
    let handler = FREE_SLOT + ENDPOINT;
    let space = Some(NewSpace { handler, cspace, cspace_data: GUARD, vspace, vspace_data: 0 });
    system.done(&Invocation::Configure { thread, space, buffer: None });
    system.done(&Invocation::SetVcpuThread { vcpu, thread });
    system.done(&Invocation::InjectIrq { vcpu, word: injected(48, 7, 1, 0) });
    system.done(&Invocation::Resume(thread));
    system.happens(&Act::Say(Say::new(Syscall::Recv, FREE_SLOT + ENDPOINT, 0)));
}

/// Number, priority, group and place of an interrupt.
const fn injected(intid: u64, priority: u64, group: u64, place: u64) -> u64 {
    intid | priority << 16 | group << 24 | place << 32
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let mut all: Vec<Act> = [
        Deed::Takes(0),
        Deed::Ends(0),
        Deed::Takes(1),
        Deed::Ends(1),
        Deed::Sets(VcpuRegister::Vbar, 7),
        Deed::Sets(VcpuRegister::Sctlr, 1),
        Deed::Enters(EL1H),
    ]
    .map(Act::Guest)
    .to_vec();
    all.extend([Fault::Guest(0x5e00_0000), Fault::Exception(0x200_0000)].map(Act::Fault));
    all.extend([VIRTUAL_TIMER, MAINTENANCE].map(Act::Interrupt));
    let say = |call, words: &[u64]| Act::Say(Say { words: words.to_vec(), ..Say::new(call, FREE_SLOT + ENDPOINT, 0) });
    all.push(say(Syscall::ReplyRecv, &[]));
    // Program counter, stack pointer, PSTATE: an exception's answer.
    all.push(say(Syscall::ReplyRecv, &[0x8000, 0x9000, EL1H]));
    all.push(say(Syscall::Recv, &[]));
    let (guest, [vcpu, other]) = (at(GUEST), VCPUS.map(at));
    let own = Slot::Node { node, index: slot::INIT_TCB };
    let mut asked = Vec::new();
    for word in [
        injected(49, 6, 1, 0),
        injected(1023, 31, 0, 1),
        injected(1024, 0, 0, 0),
        injected(1, 32, 0, 0),
        injected(1, 0, 2, 0),
        injected(1, 0, 0, 2),
    ] {
        asked.push(Invocation::InjectIrq { vcpu, word });
    }
    asked.push(Invocation::InjectIrq { vcpu: other, word: injected(5, 0, 1, 1) });
    asked.extend([27, 26, 40].map(|intid| Invocation::AcknowledgeVppi { vcpu, intid }));
    asked.push(Invocation::AcknowledgeVppi { vcpu: other, intid: 27 });
    asked.push(Invocation::AcknowledgeVppi { vcpu: guest, intid: 27 });
    for (vcpu, thread) in [(other, guest), (vcpu, guest), (vcpu, own)] {
        asked.push(Invocation::SetVcpuThread { vcpu, thread });
    }
    for pstate in [EL1H, 0x6000_0000, 0x3c9] {
        asked.push(Invocation::WriteRegisters { thread: guest, resume: true, values: vec![0x8000, 0, pstate] });
    }
    asked.push(Invocation::CopyRegisters { thread: own, source: guest, which: [false, false, true, false] });
    asked.push(Invocation::ReadVcpu { vcpu, register: VcpuRegister::Vbar as u64 });
    asked.extend([vcpu, guest, at(ENDPOINT)].map(Invocation::Delete));
    asked.extend([Invocation::Suspend(guest), Invocation::Resume(guest)]);
    all.extend(super::acts(asked));
    all
}
