//! `Untyped_Retype`.

use sluice_abi::bootinfo::slot::{FIRST_FREE, INIT_CNODE, INIT_TCB};
use sluice_abi::{CapRights, FrameSize, Label, ObjectType, PhysAddr};
use sluice_core::cap::{CNode, Cap, Frame, Untyped, VSpace};

use crate::machine::Effect;
use crate::user::*;

const RETYPE: Label = Label::UntypedRetype;

fn untyped(system: &System, cptr: u64) -> Untyped {
    let Cap::Untyped(untyped) = system.cap(cptr) else { panic!("{:?}", system.cap(cptr)) };
    untyped
}

fn device_of(system: &System, bits: u8) -> u64 {
    let is_device = |at: &u64| matches!(system.cap(*at), Cap::Untyped(u) if u.device && u.bits == bits);
    (FIRST_FREE..system.next_slot).find(is_device).expect("a device Untyped")
}

#[test]
fn every_kind_of_object_is_made_where_it_should_be() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 22 - 1);
    let base = system.base(parent);
    let mut used = 0u64;
    let kinds = [
        (ObjectType::Untyped, 4, 4),
        (ObjectType::Endpoint, 0, 4),
        (ObjectType::Notification, 0, 5),
        (ObjectType::CNode, 1, 6),
        (ObjectType::Tcb, 0, 11),
        (ObjectType::SmallPage, 0, 12),
        (ObjectType::PageTable, 0, 12),
        (ObjectType::VSpace, 0, 12),
        (ObjectType::CNode, 9, 14),
        (ObjectType::StreamTable, 0, 16),
        (ObjectType::Endpoint, 63, 4),
    ];
    for (object, bits, size_bits) in kinds {
        let at = used.next_multiple_of(1 << size_bits);
        let cptr = system.make_from(parent, object, bits);
        used = at + (1 << size_bits);
        assert_eq!(untyped(&system, parent).used, used, "{object:?}");
        let at = PhysAddr(base + at);
        let cap = system.cap(cptr);
        let right = match object {
            ObjectType::Untyped => cap == Cap::Untyped(Untyped { base: at, bits: 4, device: false, used: 0 }),
            ObjectType::Endpoint => {
                matches!(cap, Cap::Endpoint(e) if e.object.at() == at && e.badge == 0 && e.rights == CapRights::all())
            }
            ObjectType::Notification => matches!(cap, Cap::Notification(n) if n.object.at() == at && n.badge == 0),
            ObjectType::CNode => cap == Cap::CNode(CNode { base: at, radix: bits as u8, guard: 0, guard_bits: 0 }),
            ObjectType::Tcb => matches!(cap, Cap::Thread(thread) if thread.at() == at),
            ObjectType::SmallPage => {
                let rights = CapRights::READ | CapRights::WRITE;
                cap == Cap::Frame(Frame { base: at, size: FrameSize::Small, rights, device: false, mapped: None })
            }
            ObjectType::PageTable => matches!(cap, Cap::PageTable(t) if t.base == at && t.mapped.is_none()),
            ObjectType::VSpace => cap == Cap::VSpace(VSpace { root: at, asid: None, bound: None }),
            ObjectType::StreamTable => cap == Cap::StreamTable { base: at, mapped: None },
            ObjectType::Vcpu => matches!(cap, Cap::Vcpu(vcpu) if vcpu.at() == at),
            ObjectType::LargePage | ObjectType::HugePage => false,
        };
        assert!(right, "{cap:?}");
    }
}

#[test]
fn several_objects_fill_consecutive_slots() {
    let mut system = System::boot();
    let node = system.make(ObjectType::CNode, 8);
    let parent = system.make(ObjectType::Untyped, 16);
    let words = [ObjectType::Endpoint as u64, 0, node, DEPTH, 3, 200];
    system.done(parent, RETYPE, &[INIT_CNODE], &words);
    let Cap::CNode(CNode { base, .. }) = system.cap(node) else { panic!("{:?}", system.cap(node)) };
    for index in 0..256 {
        let cap = system.cap_at(sluice_core::SlotRef::new(base).nth(index));
        let expected = (3..203).contains(&index).then(|| PhysAddr(system.base(parent) + (index - 3) * 16));
        assert_eq!(expected, if let Cap::Endpoint(e) = cap { Some(e.object.at()) } else { None });
    }
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 14);
    let dest = system.free_slot();
    let good = [ObjectType::Endpoint as u64, 0, 0, 0, dest, 1];
    let with = |position: usize, value: u64| {
        let mut words = good;
        words[position] = value;
        words
    };
    let call = |system: &mut System, words: &[u64]| system.call(parent, RETYPE, &[INIT_CNODE], words);
    assert_eq!(system.call(parent, Label::CNodeCopy, &[INIT_CNODE], &good), illegal());
    assert_eq!(call(&mut system, &good[..5]), truncated());
    assert_eq!(system.call(parent, RETYPE, &[], &good), truncated());
    assert_eq!(call(&mut system, &with(0, 12)), invalid_argument(0));
    assert_eq!(call(&mut system, &with(1, 64)), range(0, 47));
    let sized = |object: ObjectType, bits: u64| [object as u64, bits, 0, 0, dest, 1];
    assert_eq!(call(&mut system, &sized(ObjectType::Untyped, 48)), range(0, 47));
    assert_eq!(call(&mut system, &sized(ObjectType::CNode, 43)), range(0, 47));
    assert_eq!(call(&mut system, &sized(ObjectType::CNode, 0)), invalid_argument(1));
    assert_eq!(call(&mut system, &sized(ObjectType::Untyped, 3)), invalid_argument(1));
    assert_eq!(call(&mut system, &sized(ObjectType::Untyped, 15)), not_enough_memory(1 << 14));
    // The destination.
    assert_eq!(call(&mut system, &with(3, 65)), range(1, 64));
    assert_eq!(call(&mut system, &[1, 0, INIT_TCB, 64, 0, 1]), missing(false, 64));
    assert_eq!(system.call(parent, RETYPE, &[INIT_TCB], &good), missing(false, 0));
    assert_eq!(system.call(parent, RETYPE, &[INIT_TCB], &with(3, 64)), invalid_root(false));
    assert_eq!(call(&mut system, &with(4, 1024)), range(0, 1023));
    assert_eq!(call(&mut system, &with(5, 0)), range(1, 256));
    assert_eq!(call(&mut system, &with(5, 257)), range(1, 256));
    assert_eq!(call(&mut system, &[2, 0, 0, 0, 1020, 5]), range(1, 4));
    assert_eq!(call(&mut system, &with(4, INIT_TCB)), delete_first());
    assert_eq!(call(&mut system, &[2, 0, 0, 0, dest - 1, 2]), delete_first());
}

#[test]
fn memory_runs_out_exactly() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 12);
    let first = system.free_slot();
    assert_eq!(system.retype(parent, ObjectType::Endpoint, 0, first, 1), ok());
    // 4096 - 16 bytes are left: a TCB still fits, aligned; then nothing of that size does.
    let tcb = system.free_slot();
    assert_eq!(system.retype(parent, ObjectType::Tcb, 0, tcb, 1), ok());
    assert_eq!(untyped(&system, parent).used, 4096);
    let more = system.free_slot();
    assert_eq!(system.retype(parent, ObjectType::Endpoint, 0, more, 1), not_enough_memory(0));
    assert_eq!(system.delete(tcb), ok());
    assert_eq!(system.retype(parent, ObjectType::Endpoint, 0, more, 1), not_enough_memory(0));
    assert_eq!(system.delete(first), ok());
    // With the last object gone the whole is there again.
    assert_eq!(system.retype(parent, ObjectType::Tcb, 0, more, 3), not_enough_memory(4096));
    assert_eq!(system.retype(parent, ObjectType::Tcb, 0, more, 2), ok());
    assert_eq!(untyped(&system, parent).used, 4096);
}

#[test]
fn memory_is_cleared_before_it_is_used_again() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 14);
    let base = system.base(parent);
    let frame = system.make_from(parent, ObjectType::SmallPage, 0);
    assert_eq!(system.base(frame), base);
    system.machine().memory.store(PhysAddr(base + 0x40), 0x5ec2e7);
    assert_eq!(system.delete(frame), ok());
    system.machine().take_log();
    let next = system.make_from(parent, ObjectType::SmallPage, 0);
    assert_eq!(system.base(next), base);
    assert_eq!(system.machine().memory.load(PhysAddr(base + 0x40)), 0);
    let cleared = Effect::Clear { at: PhysAddr(base), bytes: 0x1000 };
    assert!(system.machine().take_log().contains(&cleared));
}

#[test]
fn device_memory_is_not_touched() {
    let mut system = System::boot();
    let page = device_of(&system, 12);
    let dest = system.free_slot();
    for object in [ObjectType::Endpoint, ObjectType::Tcb, ObjectType::CNode, ObjectType::PageTable, ObjectType::VSpace]
    {
        let bits = u64::from(object == ObjectType::CNode);
        assert_eq!(system.retype(page, object, bits, dest, 1), invalid_argument(1), "{object:?}");
    }
    system.machine().take_log();
    assert_eq!(system.retype(page, ObjectType::SmallPage, 0, dest, 1), ok());
    assert!(matches!(system.cap(dest), Cap::Frame(frame) if frame.device));
    let large = device_of(&system, 31);
    let child = system.make_from(large, ObjectType::Untyped, 30);
    assert!(untyped(&system, child).device);
    let huge = system.make_from(large, ObjectType::HugePage, 0);
    assert_eq!(system.base(huge), 0x80_4000_0000);
    assert_eq!(system.machine().take_log(), []);
}

#[test]
fn a_copy_of_an_untyped_takes_over_its_memory() {
    let mut system = System::boot();
    let original = system.make(ObjectType::Untyped, 13);
    let copy = system.copied(original);
    assert_eq!(untyped(&system, original).used, 1 << 13);
    assert_eq!(untyped(&system, copy).used, 0);
    let dest = system.free_slot();
    assert_eq!(system.retype(original, ObjectType::Endpoint, 0, dest, 1), not_enough_memory(0));
    let made = system.make_from(copy, ObjectType::Tcb, 0);
    assert_eq!(system.copy(original, dest, 15), revoke_first());
    assert_eq!(system.delete(copy), ok());
    assert_eq!(system.retype(original, ObjectType::Endpoint, 0, dest, 1), not_enough_memory(0));
    assert_eq!(system.revoke(original), ok());
    assert_eq!(system.cap(made), Cap::Null);
    assert_eq!(system.retype(original, ObjectType::Endpoint, 0, dest, 1), ok());
}

#[test]
fn clearing_stops_for_interrupts_and_goes_on() {
    let mut system = System::boot();
    let parent = system.make(ObjectType::Untyped, 16);
    let whole = system.make_from(parent, ObjectType::Untyped, 16);
    assert_eq!(system.delete(whole), ok());
    system.machine().interrupt_after(3);
    let looks = system.machine().looks();
    let child = system.make_from(parent, ObjectType::Untyped, 16);
    // Sixteen chunks of a page, each followed by a look; the fourth look found an interrupt.
    assert_eq!(system.machine().looks() - looks, 16);
    assert_eq!(untyped(&system, child).used, 0);
    assert_eq!(untyped(&system, parent).used, 1 << 16);
}
