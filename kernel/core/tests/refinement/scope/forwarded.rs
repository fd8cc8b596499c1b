//! A guest that runs, an interrupt of a device that may go to it or to a second virtual processor, and everybody who may end
//! that: its handler, the processors, and whoever emulates the rest of the machine.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, Syscall};
use sluice_abstract::{Deed, Fault, Invocation, NewSpace, Rights, Slot};

use super::{Scope, free, retype};
use crate::boot::{FREE_SLOT, MAINTENANCE};
use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const FORWARDED: Scope = Scope { name: "forwarded", identity: IDENTITY, prepare, alphabet };

const ENDPOINT: u64 = 0;
const VCPUS: [u64; 2] = [1, 2];
const GUEST: u64 = 3;
const NOTIFICATION: u64 = 4;
const BADGED: u64 = 5;
const HANDLERS: [u64; 2] = [6, 7];
const DEVICES: [u32; 2] = [33, 34];
/// Guard that makes a capability pointer of 64 bits the index of a slot.
const GUARD: u64 = 64 - 7;

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    for (kind, index) in [
        (ObjectType::Endpoint, ENDPOINT),
        (ObjectType::Vcpu, VCPUS[0]),
        (ObjectType::Vcpu, VCPUS[1]),
        (ObjectType::Notification, NOTIFICATION),
        (ObjectType::Tcb, GUEST),
    ] {
        system.done(&retype(all, kind, 0, at(index)));
    }
    let (thread, vcpu) = (at(GUEST), at(VCPUS[0]));
    let (cspace, vspace) = (fixed(slot::INIT_CNODE), fixed(slot::INIT_VSPACE));
    let handler = FREE_SLOT + ENDPOINT;
    let space = Some(NewSpace { handler, cspace, cspace_data: GUARD, vspace, vspace_data: 0 });
    system.done(&Invocation::Configure { thread, space, buffer: None });
    system.done(&Invocation::SetVcpuThread { vcpu, thread });
    let badged = Invocation::Mint { source: at(NOTIFICATION), dest: at(BADGED), rights: Rights::READ_WRITE, data: 5 };
    system.done(&badged);
    for (handler, device) in HANDLERS.into_iter().zip(DEVICES) {
        let (control, intid) = (fixed(slot::IRQ_CONTROL), device.into());
        system.done(&Invocation::GetIrq { control, intid, edge: None, dest: at(handler) });
        system.done(&Invocation::SetIrqNotification { handler: at(handler), notification: at(BADGED) });
    }
    let own = fixed(slot::INIT_TCB);
    system.done(&Invocation::BindNotification { thread: own, notification: at(NOTIFICATION) });
    system.done(&Invocation::ForwardIrq { vcpu, handler: at(HANDLERS[0]), word: becomes(48, 0) });
    system.done(&Invocation::Resume(thread));
    system.happens(&Act::Say(Say::new(Syscall::Recv, FREE_SLOT + ENDPOINT, 0)));
}

/// Number and place of an interrupt of group 1.
const fn becomes(intid: u64, place: u64) -> u64 {
    intid | 7 << 16 | 1 << 24 | place << 32
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let mut all: Vec<Act> = [Deed::Takes(0), Deed::Ends(0), Deed::Takes(1), Deed::Ends(1)].map(Act::Guest).to_vec();
    all.push(Act::Fault(Fault::Guest(0x5e00_0000)));
    all.extend([DEVICES[0], DEVICES[1], MAINTENANCE].map(Act::Interrupt));
    for call in [Syscall::ReplyRecv, Syscall::Recv] {
        all.push(Act::Say(Say::new(call, FREE_SLOT + ENDPOINT, 0)));
    }
    let (guest, vcpus, handlers) = (at(GUEST), VCPUS.map(at), HANDLERS.map(at));
    let mut asked = Vec::new();
    for (vcpu, handler, word) in [
        (vcpus[0], handlers[0], becomes(49, 0)),
        (vcpus[0], handlers[1], becomes(50, 1)),
        (vcpus[1], handlers[0], becomes(51, 1)),
        (vcpus[0], handlers[0], becomes(1024, 0)),
        (vcpus[0], handlers[0], becomes(52, 2)),
        (vcpus[0], guest, becomes(53, 1)),
        (guest, handlers[0], becomes(53, 1)),
    ] {
        asked.push(Invocation::ForwardIrq { vcpu, handler, word });
    }
    for (vcpu, place) in [(vcpus[0], 0), (vcpus[0], 1), (vcpus[1], 1), (vcpus[0], 2), (vcpus[0], 1 << 32)] {
        asked.push(Invocation::TakeBackIrq { vcpu, place });
    }
    asked.extend([becomes(60, 0), becomes(61, 1)].map(|word| Invocation::InjectIrq { vcpu: vcpus[0], word }));
    asked.extend(handlers.map(Invocation::AcknowledgeIrq));
    asked.push(Invocation::ClearIrq(handlers[0]));
    asked.extend([vcpus[0], guest, handlers[0], at(NOTIFICATION)].map(Invocation::Delete));
    asked.push(Invocation::SetVcpuThread { vcpu: vcpus[1], thread: guest });
    asked.extend([Invocation::Suspend(guest), Invocation::Resume(guest)]);
    all.extend(super::acts(asked));
    all
}

/// An interrupt that its handler acknowledges while the guest is at it, and that comes again before the guest has ended it.
pub(crate) fn acknowledged_early(system: &System) -> [Act; 8] {
    let handler = free(system.node, HANDLERS[0]);
    [
        Act::Interrupt(DEVICES[0]),
        Act::Guest(Deed::Takes(0)),
        Act::Fault(Fault::Guest(0x5e00_0000)),
        Act::Invoke(Invocation::AcknowledgeIrq(handler)),
        Act::Interrupt(DEVICES[0]),
        Act::Say(Say::new(Syscall::ReplyRecv, FREE_SLOT + ENDPOINT, 0)),
        // The signal is taken; who waits for nothing more lets the guest run.
        Act::Say(Say::new(Syscall::Recv, FREE_SLOT + ENDPOINT, 0)),
        Act::Guest(Deed::Ends(0)),
    ]
}
