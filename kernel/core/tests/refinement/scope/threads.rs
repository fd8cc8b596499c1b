//! What threads are given, and what is done with their registers, by every invocation of them; and exchanges of slots.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, Syscall};
use sluice_abstract::{Invocation, NewBuffer, NewSpace, Rights, Slot};

use super::{Scope, free, retype};
use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const THREADS: Scope = Scope { name: "threads", identity: IDENTITY, prepare, alphabet };

const THREAD: u64 = 0;
const CNODE: u64 = 1;
const FRAME: u64 = 2;
const DEVICE: u64 = 3;
const ENDPOINT: u64 = 4;
const UNNAMED: u64 = 5;
const OTHER: u64 = 6;
const SPARE: u64 = 7;

fn prepare(system: &mut System) {
    let at = |index| free(system.node, index);
    let (all, devices) = (system.untyped(false), system.untyped(true));
    let mut made = vec![
        retype(all, ObjectType::Tcb, 0, at(THREAD)),
        retype(all, ObjectType::CNode, 2, at(CNODE)),
        retype(all, ObjectType::SmallPage, 0, at(FRAME)),
        retype(devices, ObjectType::SmallPage, 0, at(DEVICE)),
        retype(all, ObjectType::Endpoint, 0, at(ENDPOINT)),
        retype(all, ObjectType::VSpace, 0, at(UNNAMED)),
        retype(all, ObjectType::Tcb, 0, at(OTHER)),
    ];
    made.drain(..).for_each(|made| system.done(&made));
}

/// What a thread can be configured with, some of it wrong.
fn configurations(node: sluice_abi::PhysAddr) -> Vec<Invocation> {
    let at = |index| free(node, index);
    let vspace = Slot::Node { node, index: slot::INIT_VSPACE };
    let space = |cspace, cspace_data, vspace| {
        Some(NewSpace { handler: 0x44, cspace: at(cspace), cspace_data, vspace, vspace_data: 0 })
    };
    let buffer = |address, frame| Some(NewBuffer { address, frame: at(frame) });
    let good = space(CNODE, 62, vspace);
    [
        (good, buffer(0x7f_0000, FRAME)),
        (good, None),
        (None, buffer(0x7f_0400, FRAME)),
        (None, buffer(0, FRAME)),
        (None, buffer(0x7f_0010, FRAME)),
        (None, buffer(0x7f_0000, DEVICE)),
        (None, buffer(0x7f_0000, ENDPOINT)),
        (space(CNODE, 0, vspace), None),
        (space(CNODE, 63, vspace), None),
        (space(ENDPOINT, 0, vspace), buffer(0, FRAME)),
        (space(CNODE, 0, at(UNNAMED)), None),
        (space(CNODE, 0, at(SPARE)), None),
    ]
    .map(|(space, buffer)| Invocation::Configure { thread: at(THREAD), space, buffer })
    .to_vec()
}

fn priorities(node: sluice_abi::PhysAddr) -> Vec<Invocation> {
    let (thread, root) = (free(node, THREAD), Slot::Node { node, index: slot::INIT_TCB });
    [
        (root, None, Some(255)),
        (root, None, Some(256)),
        (root, Some(7), Some(3)),
        (root, Some(1 << 40), None),
        (thread, None, Some(8)),
        (thread, Some(9), Some(0)),
        (free(node, FRAME), Some(0), None),
    ]
    .map(|(authority, max_priority, priority)| Invocation::SetPriorities { thread, authority, max_priority, priority })
    .to_vec()
}

fn registers(node: sluice_abi::PhysAddr) -> Vec<Invocation> {
    let (thread, root) = (free(node, THREAD), Slot::Node { node, index: slot::INIT_TCB });
    let mut all = Vec::new();
    for (thread, suspend, count) in
        [(thread, false, 0), (thread, true, 4), (thread, false, 36), (thread, false, 37), (root, false, 1)]
    {
        all.push(Invocation::ReadRegisters { thread, suspend, count });
    }
    let values: Vec<u64> = (1..=36).map(|value| value << 32 | 0xf0f0_f0f0).collect();
    all.push(Invocation::WriteRegisters { thread, resume: false, values: values.clone() });
    all.push(Invocation::WriteRegisters { thread, resume: true, values: values[..2].to_vec() });
    all.push(Invocation::WriteRegisters { thread: root, resume: false, values: vec![] });
    let other = free(node, OTHER);
    for (thread, source, which) in [
        (thread, root, [false, false, true, false]),
        (other, thread, [true, true, true, true]),
        (root, thread, [false, true, false, true]),
        (thread, free(node, FRAME), [true; 4]),
    ] {
        all.push(Invocation::CopyRegisters { thread, source, which });
    }
    all
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let thread = at(THREAD);
    let mut all = [configurations(node), priorities(node), registers(node)].concat();
    all.push(Invocation::SetTlsBase { thread, base: 0x1234 });
    all.extend([(0, 1), (1, 0), (0, 6)].map(|(clear, set)| Invocation::SetFlags { thread, clear, set }));
    for thread in [thread, fixed(slot::INIT_TCB)] {
        all.extend([Invocation::Suspend(thread), Invocation::Resume(thread)]);
    }
    let control = fixed(slot::DOMAIN);
    for (thread, domain) in [(thread, 0), (thread, 1), (at(FRAME), 0)] {
        all.push(Invocation::SetDomain { control, thread, domain });
    }
    for (index, domain, ticks) in [(0, 0, 5), (1, 0, 5), (0, 1, 5), (0, 0, 0), (0, 0, 1 << 60)] {
        all.push(Invocation::ConfigureDomains { control, index, domain, ticks });
    }
    all.extend([0, 1, 2].map(|index| Invocation::StartDomains { control, index }));
    for (source, source_data, pivot, pivot_data, dest) in [
        (THREAD, 0, CNODE, 61, SPARE),
        (THREAD, 0, FRAME, 0, THREAD),
        (CNODE, 63, FRAME, 0, SPARE),
        (FRAME, 0, FRAME, 0, SPARE),
        (FRAME, 0, THREAD, 0, DEVICE),
        (SPARE, 0, THREAD, 0, SPARE),
        (FRAME, 0, SPARE, 0, FRAME),
        (ENDPOINT, 0, FRAME, 0, SPARE),
    ] {
        let (source, pivot, dest) = (at(source), at(pivot), at(dest));
        all.push(Invocation::Rotate { source, source_data, pivot, pivot_data, dest });
    }
    all.push(Invocation::Copy { source: thread, dest: at(SPARE), rights: Rights::ALL });
    all.extend([THREAD, CNODE, FRAME, SPARE].map(|gone| Invocation::Delete(at(gone))));
    all.push(Invocation::Revoke(system.untyped(true)));
    let mut acts = super::acts(all);
    acts.push(Act::Say(Say::new(Syscall::Yield, 0, 0)));
    acts
}
