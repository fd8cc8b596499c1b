//! The last capability to an object with slots, kept in another such object that goes.

use sluice_abi::bootinfo::slot;
use sluice_abi::{ObjectType, PhysAddr};
use sluice_abstract::{Cap, Invocation, NewSpace, Object, Slot};

use crate::machine::IDENTITY;
use crate::scope::{free, retype};
use crate::system::System;

/// A CNode whose capability is in a slot, with an endpoint in its first slot.
fn filled_cnode(system: &mut System, at: Slot, endpoint: Slot) -> PhysAddr {
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::CNode, 1, at));
    system.done(&retype(all, ObjectType::Endpoint, 0, endpoint));
    let Some(Cap::CNode { base: node, .. }) = system.state.cap(at) else { panic!("no CNode in {at:?}") };
    system.done(&Invocation::Move { source: endpoint, dest: Slot::Node { node, index: 0 } });
    node
}

/// It dies slowly: what was in its first slot is gone, what is left of the capability is there instead, and the memory can
/// be had back.
fn assert_dies_slowly(system: &mut System, node: PhysAddr) {
    let first = Slot::Node { node, index: 0 };
    assert!(matches!(system.state.cap(first), Some(Cap::Dying { base, .. }) if base == node), "{first:?}");
    assert!(!system.state.objects.values().any(|object| *object == Object::ENDPOINT), "the endpoint is gone");
    let untyped = system.untyped(false);
    system.done(&Invocation::Revoke(untyped));
    assert!(!system.state.objects.contains_key(&node));
}

#[test]
fn a_cnode_in_a_cnode_dies_slowly() {
    let mut system = System::boot(IDENTITY);
    let [outer, inner, endpoint] = [0, 1, 2].map(|index| free(system.node, index));
    let node = filled_cnode(&mut system, inner, endpoint);
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::CNode, 1, outer));
    let Some(Cap::CNode { base, .. }) = system.state.cap(outer) else { panic!("no CNode") };
    system.done(&Invocation::Move { source: inner, dest: Slot::Node { node: base, index: 1 } });
    system.done(&Invocation::Delete(outer));
    assert_dies_slowly(&mut system, node);
}

#[test]
fn a_cnode_that_only_its_thread_has_dies_slowly() {
    let mut system = System::boot(IDENTITY);
    let [thread, cspace, endpoint] = [0, 1, 2].map(|index| free(system.node, index));
    let node = filled_cnode(&mut system, cspace, endpoint);
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Tcb, 0, thread));
    let vspace = Slot::Node { node: system.node, index: slot::INIT_VSPACE };
    let space = Some(NewSpace { handler: 0, cspace, cspace_data: 0, vspace, vspace_data: 0 });
    system.done(&Invocation::Configure { thread, space, buffer: None });
    system.done(&Invocation::Delete(cspace));
    system.done(&Invocation::Delete(thread));
    assert_dies_slowly(&mut system, node);
}
