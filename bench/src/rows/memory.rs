//! Mappings, objects and slots, with the stubs of `sluice-sys`.

use sluice_abi::{CapRights, ObjectType, PAGE_BITS, VirtAddr, VmAttributes};
use sluice_sys::{Frame, Untyped};

use super::{ALL, around};
use crate::machine::{Machine, VSPACE, at, done, into};

pub(super) fn mappings(machine: &mut Machine, window: VirtAddr) {
    let frame = Frame::from(machine.make(ObjectType::SmallPage, 0));
    let map = || done(frame.map(VSPACE, window, CapRights::READ | CapRights::WRITE, VmAttributes::DEFAULT));
    let unmap = || done(frame.unmap());
    around("page-map", |_| map(), |_| unmap());
    map();
    around("page-unmap", |_| unmap(), |_| map());
}

pub(super) fn retypes(machine: &mut Machine) {
    // One frame after another: nothing is ever given back.
    let large = Untyped::from(machine.make(ObjectType::Untyped, PAGE_BITS + 11));
    let first = machine.slots(ALL as u64);
    let make = |from: Untyped, slot: u64| done(from.retype(ObjectType::SmallPage, 0, into(slot), 1));
    around("retype", |index| make(large, first + index as u64), |_| {});
    // The same frame again and again: what the last one left is cleared each time.
    let small = Untyped::from(machine.make(ObjectType::Untyped, PAGE_BITS));
    let slot = machine.slot();
    around("retype-reset", |_| make(small, slot), |_| done(at(slot).delete()));
}

pub(super) fn slots(machine: &mut Machine) {
    let (source, slot) = (machine.make(ObjectType::Endpoint, 0), machine.slot());
    let copy = || done(at(slot).copy_from(at(source), CapRights::all()));
    let delete = || done(at(slot).delete());
    around("cnode-copy", |_| copy(), |_| delete());
    copy();
    around("cnode-delete", |_| delete(), |_| copy());
}
