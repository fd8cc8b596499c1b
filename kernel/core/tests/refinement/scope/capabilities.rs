//! Capabilities of every plain kind in three slots and in a CNode of two.

use sluice_abi::ObjectType;
use sluice_abstract::{Invocation, Rights, Slot};

use super::{Scope, acts, free, inner_nodes, retype};
use crate::input::Act;
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const CAPABILITIES: Scope = Scope { name: "capabilities", identity: IDENTITY, prepare, alphabet };

fn prepare(system: &mut System) {
    let untyped = free(system.node, 0);
    system.done(&retype(system.untyped(false), ObjectType::Untyped, 13, untyped));
}

fn alphabet(system: &System) -> Vec<Act> {
    let (node, state) = (system.node, &system.state);
    let untyped = free(node, 0);
    let slots = [free(node, 1), free(node, 2), free(node, 3)];
    let mut all = Vec::new();
    for dest in slots {
        for (kind, bits) in [
            (ObjectType::Endpoint, 0),
            (ObjectType::Notification, 0),
            (ObjectType::Tcb, 0),
            (ObjectType::CNode, 1),
            (ObjectType::SmallPage, 0),
            (ObjectType::Untyped, 12),
        ] {
            all.push(retype(untyped, kind, bits, dest));
        }
    }
    all.push(retype(slots[0], ObjectType::Endpoint, 0, slots[1]));
    all.push(retype(slots[0], ObjectType::SmallPage, 0, slots[2]));
    all.push(Invocation::Retype { untyped, kind: ObjectType::Tcb, bits: 0, node, offset: 41, count: 3 });
    all.push(Invocation::Retype { untyped, kind: ObjectType::Vcpu, bits: 0, node, offset: 41, count: 1 });
    all.push(Invocation::Retype { untyped, kind: ObjectType::LargePage, bits: 0, node, offset: 41, count: 1 });
    all.push(Invocation::Retype { untyped, kind: ObjectType::CNode, bits: 0, node, offset: 41, count: 1 });
    all.push(Invocation::Retype { untyped, kind: ObjectType::Endpoint, bits: 0, node, offset: 127, count: 2 });
    let inner = inner_nodes(node, state).first().map(|node| Slot::Node { node: *node, index: 0 });
    let places: Vec<Slot> = slots.into_iter().chain(inner).collect();
    for source in places.iter().copied() {
        for dest in places.iter().copied().filter(|dest| *dest != source) {
            all.push(Invocation::Copy { source, dest, rights: Rights::ALL });
            all.push(Invocation::Mint { source, dest, rights: Rights::WRITE, data: 5 });
            all.push(Invocation::Move { source, dest });
        }
        all.push(Invocation::Delete(source));
        all.push(Invocation::Revoke(source));
    }
    all.push(Invocation::Copy { source: untyped, dest: slots[0], rights: Rights::ALL });
    all.push(Invocation::Mutate { source: slots[0], dest: slots[1], data: 0x43 });
    all.push(Invocation::Revoke(untyped));
    all.push(Invocation::Delete(untyped));
    all.push(Invocation::BindNotification { thread: slots[0], notification: slots[1] });
    all.push(Invocation::UnbindNotification(slots[0]));
    all.push(Invocation::Resume(slots[0]));
    all.push(Invocation::Suspend(slots[0]));
    acts(all)
}
