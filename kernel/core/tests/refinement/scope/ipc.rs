//! Three threads, two of them of the same priority, an endpoint under several capabilities, a notification, and every
//! way to wait, to be answered and to be woken.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, Syscall};
use sluice_abstract::{Fault, Invocation, NewBuffer, NewSpace, ReceivePath, Rights, Slot};

use super::{Scope, free, retype};
use crate::boot::FREE_SLOT;
use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const IPC: Scope = Scope { name: "ipc", identity: IDENTITY, prepare, alphabet };

const ENDPOINT: u64 = 0;
/// May send capabilities along.
const GRANTS: u64 = 1;
/// May be answered, no more.
const CALLS: u64 = 2;
/// May send, no more.
const SENDS: u64 = 3;
const NOTIFICATION: u64 = 4;
const SIGNALS: u64 = 5;
/// Of the first thread's priority, and told of its faults at the endpoint.
const EQUAL: u64 = 6;
/// Of a lower one, and without a handler.
const LOWER: u64 = 7;
const FRAME: u64 = 8;
/// Where capabilities are received, and where a reply is kept.
const RECEIVED: u64 = 11;
const KEPT: u64 = 12;
/// Guard that makes a capability pointer of 64 bits the index of a slot.
const GUARD: u64 = 64 - 7;

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Endpoint, 0, at(ENDPOINT)));
    let grant = Rights { grant: true, ..Rights::WRITE };
    let grant_reply = Rights { grant_reply: true, ..Rights::WRITE };
    for (dest, rights, data) in [(GRANTS, grant, 7), (CALLS, grant_reply, 8), (SENDS, Rights::WRITE, 8)] {
        system.done(&Invocation::Mint { source: at(ENDPOINT), dest: at(dest), rights, data });
    }
    system.done(&retype(all, ObjectType::Notification, 0, at(NOTIFICATION)));
    let (source, dest) = (at(NOTIFICATION), at(SIGNALS));
    system.done(&Invocation::Mint { source, dest, rights: Rights::READ_WRITE, data: 2 });
    system.done(&retype(all, ObjectType::SmallPage, 0, at(FRAME)));
    let (cspace, vspace, authority) = (fixed(slot::INIT_CNODE), fixed(slot::INIT_VSPACE), fixed(slot::INIT_TCB));
    for (thread, frame, handler, priority) in [(EQUAL, 9, FREE_SLOT + GRANTS, 255), (LOWER, 10, FREE_SLOT + SENDS, 254)]
    {
        let thread = at(thread);
        system.done(&retype(all, ObjectType::Tcb, 0, thread));
        system.done(&retype(all, ObjectType::SmallPage, 0, at(frame)));
        let space = Some(NewSpace { handler, cspace, cspace_data: GUARD, vspace, vspace_data: 0 });
        let buffer = Some(NewBuffer { address: 0x7f_0400, frame: at(frame) });
        system.done(&Invocation::Configure { thread, space, buffer });
        let (max_priority, priority) = (Some(255), Some(priority));
        system.done(&Invocation::SetPriorities { thread, authority, max_priority, priority });
    }
    system.done(&Invocation::Resume(at(EQUAL)));
}

fn say(call: Syscall, cptr: u64) -> Say {
    let receive = ReceivePath { root: slot::INIT_CNODE, index: FREE_SLOT + RECEIVED, depth: 64 };
    Say { receive, ..Say::new(call, FREE_SLOT + cptr, 0x123) }
}

fn said() -> Vec<Say> {
    let mut all = Vec::new();
    let words = |count: u64| (0..count).map(|index| 0x1000 + index).collect::<Vec<_>>();
    let caps = |caps: &[u64]| caps.iter().map(|cap| FREE_SLOT + cap).collect::<Vec<_>>();
    all.push(Say { words: words(6), caps: caps(&[SENDS, FRAME, NOTIFICATION]), ..say(Syscall::Call, GRANTS) });
    all.push(Say { words: words(2), caps: caps(&[FRAME]), ..say(Syscall::Call, CALLS) });
    all.push(Say { words: words(3), ..say(Syscall::Call, SENDS) });
    all.push(Say { words: words(5), caps: caps(&[FRAME]), ..say(Syscall::Send, GRANTS) });
    all.push(Say { words: words(1), ..say(Syscall::Send, SENDS) });
    all.push(Say { words: words(4), ..say(Syscall::NbSend, CALLS) });
    all.push(say(Syscall::NbSend, RECEIVED));
    all.push(say(Syscall::Recv, ENDPOINT));
    all.push(say(Syscall::NbRecv, ENDPOINT));
    all.push(Say { words: words(5), caps: caps(&[NOTIFICATION]), ..say(Syscall::ReplyRecv, ENDPOINT) });
    all.push(Say { words: words(13), label: 0, ..say(Syscall::Reply, 0) });
    all.push(Say { words: words(1), label: 1, ..say(Syscall::Reply, 0) });
    all.push(say(Syscall::Recv, NOTIFICATION));
    all.push(say(Syscall::NbRecv, NOTIFICATION));
    all.push(say(Syscall::Recv, GRANTS));
    all.push(say(Syscall::Recv, 100));
    all.push(say(Syscall::Send, SIGNALS));
    all.push(say(Syscall::Call, SIGNALS));
    all.push(Say { words: words(2), caps: caps(&[FRAME]), ..say(Syscall::Send, KEPT) });
    all.push(Say { words: words(2), ..say(Syscall::Call, KEPT) });
    all.push(Say { caps: caps(&[1 << 40]), ..say(Syscall::Call, FRAME) });
    all.push(say(Syscall::Call, 1 << 40));
    all.push(say(Syscall::Yield, 0));
    all.push(Say { number: 3, ..say(Syscall::Yield, 0) });
    all
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let mut all: Vec<Act> = said().into_iter().map(Act::Say).collect();
    all.push(Act::Tick);
    all.push(Act::Fault(Fault::Exception(0x123)));
    all.push(Act::Fault(Fault::Page { address: 0x5000, syndrome: 0x9200_0007, instruction: false }));
    let (equal, lower) = (at(EQUAL), at(LOWER));
    let mut asked = vec![
        Invocation::SaveCaller(at(KEPT)),
        Invocation::Move { source: at(KEPT), dest: at(RECEIVED) },
        Invocation::Copy { source: at(KEPT), dest: at(RECEIVED), rights: Rights::ALL },
        Invocation::CancelBadgedSends(at(ENDPOINT)),
        Invocation::CancelBadgedSends(at(GRANTS)),
        Invocation::BindNotification { thread: equal, notification: at(NOTIFICATION) },
        Invocation::BindNotification { thread: fixed(slot::INIT_TCB), notification: at(SIGNALS) },
        Invocation::UnbindNotification(equal),
        Invocation::ReadRegisters { thread: equal, suspend: false, count: 9 },
        Invocation::WriteRegisters { thread: equal, resume: true, values: vec![0x8000, 0x9000, 0xf000_0000, 1, 2] },
    ];
    asked.extend([equal, lower, fixed(slot::INIT_TCB)].map(Invocation::Suspend));
    asked.extend([equal, lower].map(Invocation::Resume));
    asked.extend([equal, at(KEPT), at(RECEIVED), at(NOTIFICATION), at(FRAME)].map(Invocation::Delete));
    asked.extend([at(ENDPOINT), at(GRANTS)].map(Invocation::Revoke));
    asked.push(Invocation::Delete(at(ENDPOINT)));
    for (thread, priority) in [(equal, 254), (lower, 255)] {
        let (authority, priority) = (fixed(slot::INIT_TCB), Some(priority));
        asked.push(Invocation::SetPriorities { thread, authority, max_priority: None, priority });
    }
    all.extend(super::acts(asked));
    all
}
