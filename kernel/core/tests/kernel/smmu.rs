//! Streams and contexts: what a device reaches, after every call and after every store on the way.

mod bypass;
mod census;
mod contexts;
mod errors;
mod holders;
mod kinds;
mod look;
mod minimum;
mod nested;
mod several;
mod stage1;
mod storm;
mod variants;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use sluice_abi::bootinfo::slot::{ASID_CONTROL, CB_CONTROL, INIT_CNODE, INIT_TCB, SID_CONTROL};
use sluice_abi::smmu::{Record, event};
use sluice_abi::{Iova, Label, ObjectType, PhysAddr, Syscall};
use sluice_core::cap::Cap;
use sluice_core::object::{Context, NotificationState, Stream, StreamState, stream_shadow};
use sluice_paging::{Format, mappings};
use sluice_smmu::Features;
use sluice_smmu_model::{Abort, Identity, Model, Page, Reach};

use crate::machine::Effect;
use crate::user::*;

const STREAM: u64 = 0x10;
const AT: u64 = 0x12_3456_7000;

/// A VSpace with one page at [`AT`], in its own ASID pool, its own Untyped, assigned to a context, bound to a stream.
struct Device {
    system: System,
    sid: u64,
    cb: u64,
    memory: u64,
    pool: u64,
    vspace: u64,
    tables: [u64; 3],
    frame: u64,
}

fn pages(reach: Reach) -> BTreeSet<Page> {
    match reach {
        Reach::Everything => panic!("the stream bypasses translation"),
        Reach::Pages(pages) => pages,
    }
}

impl System {
    fn with_smmu() -> Self {
        Self::with(kernel_with_smmu(Identity::QEMU))
    }

    /// The format of tables that devices walk.
    fn device_format(&self) -> Format {
        Features::read(self.machine(), SMMU).expect("a usable SMMU").table_format()
    }

    fn model(&self) -> &Model {
        &self.machine().smmus[0].model
    }

    fn get_sid(&mut self, stream: u64) -> Reply {
        let dest = self.free_slot();
        self.call(SID_CONTROL, Label::SidControlGetSid, &[INIT_CNODE], &[stream, dest, DEPTH])
    }

    fn get_cb(&mut self, cb: u64) -> Reply {
        let dest = self.free_slot();
        self.call(CB_CONTROL, Label::CbControlGetCb, &[INIT_CNODE], &[cb, dest, DEPTH])
    }

    /// What the capabilities say the stream reaches.
    fn entitled(&self, stream: u64) -> BTreeSet<Page> {
        let shadow = stream_shadow(STREAM_TABLE, stream);
        let stream = self.machine().objects.get(shadow);
        let Cap::Cb { context, .. } = self.cap_at(shadow.slot(Stream::CONTEXT)) else { return BTreeSet::new() };
        let (context, _) =
            self.machine().objects.all::<Context>().nth(context.cb.into()).expect("a context of that number");
        let Cap::VSpace(vspace) = self.cap_at(context.slot(Context::VSPACE)) else { return BTreeSet::new() };
        if stream.state.get() != StreamState::Bound {
            return BTreeSet::new();
        }
        let leaves = mappings(self.machine(), self.device_format(), vspace.root);
        leaves
            .flat_map(|found| {
                (0..found.leaf.size.bytes() >> 12).map(move |page| Page {
                    iova: found.va + (page << 12),
                    address: PhysAddr(found.leaf.address.0 + (page << 12)),
                    read: found.leaf.access.read,
                    write: found.leaf.access.write,
                })
            })
            .filter(|page| page.read || page.write)
            .collect()
    }

    fn reached(&self, stream: u64) -> BTreeSet<Page> {
        pages(self.model().reach(stream as u32)).into_iter().filter(|page| page.read || page.write).collect()
    }

    /// Does something while a device prefetches all it can: after every store and register write it must reach no more
    /// than before and after together, and at the end exactly what the capabilities say.
    fn watched<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let sid = STREAM as u32;
        let seen = Rc::new(RefCell::new(BTreeSet::new()));
        let sink = Rc::clone(&seen);
        let before = self.reached(STREAM);
        self.model().watch(move |model| {
            model.speculate(sid);
            sink.borrow_mut().extend(pages(model.reach(sid)));
        });
        let result = act(self);
        self.model().unwatch();
        let after = self.reached(STREAM);
        assert_eq!(after, self.entitled(STREAM), "reach and capabilities differ");
        let allowed: BTreeSet<Page> = before.union(&after).copied().collect();
        let seen: BTreeSet<Page> = seen.borrow().iter().filter(|page| page.read || page.write).copied().collect();
        assert!(seen.is_subset(&allowed), "reached in between: {:?}", seen.difference(&allowed));
        result
    }
}

impl Device {
    fn unbound() -> Self {
        let mut device = Self::unmapped(Identity::QEMU);
        device.map();
        device
    }

    /// With an address space in which nothing is mapped.
    fn unmapped(identity: Identity) -> Self {
        Self::in_system(System::with(kernel_with_smmu(identity)))
    }

    /// As [`Self::unmapped`], behind the first SMMU of a system.
    fn in_system(mut system: System) -> Self {
        let memory = system.make(ObjectType::Untyped, 16);
        let page = system.make(ObjectType::Untyped, 12);
        let pool = system.free_slot();
        system.done(ASID_CONTROL, Label::AsidControlMakePool, &[page, INIT_CNODE], &[pool, DEPTH]);
        let vspace = system.make_from(memory, ObjectType::VSpace, 0);
        system.done(pool, Label::AsidPoolAssign, &[vspace], &[]);
        let tables = std::array::from_fn(|_| system.make(ObjectType::PageTable, 0));
        let frame = system.make(ObjectType::SmallPage, 0);
        let sid = system.next_slot;
        assert_eq!(system.get_sid(STREAM), ok());
        let cb = system.next_slot;
        assert_eq!(system.get_cb(3), ok());
        Self { system, sid, cb, memory, pool, vspace, tables, frame }
    }

    fn map(&mut self) {
        for table in self.tables {
            self.system.done(table, Label::PageTableMap, &[self.vspace], &[AT, 0]);
        }
        assert_eq!(self.system.map(self.frame, self.vspace, AT, 3, 7), ok());
    }

    fn bound() -> Self {
        Self::bound_to(Identity::QEMU)
    }

    fn bound_to(identity: Identity) -> Self {
        let mut device = Self::unmapped(identity);
        let (sid, cb, vspace) = (device.sid, device.cb, device.vspace);
        device.system.watched(|system| {
            system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
            system.done(sid, Label::SidBindCb, &[cb], &[]);
        });
        device.map();
        let page = Page { iova: AT, address: PhysAddr(device.system.base(device.frame)), read: true, write: true };
        assert_eq!(device.system.reached(STREAM), BTreeSet::from([page]));
        device
    }

    fn access(&self, iova: u64, write: bool) -> Result<PhysAddr, Abort> {
        self.system.model().access(STREAM as u32, Iova(iova), write)
    }
}

#[test]
fn an_unbound_stream_reaches_nothing() {
    let device = Device::unbound();
    for stream in [0, STREAM, 255, 256, 0xffff] {
        assert_eq!(device.system.reached(stream), BTreeSet::new());
    }
    assert_eq!(device.access(AT, false), Err(Abort::Configured));
}

#[test]
fn every_way_to_lose_a_binding_leaves_no_reach() {
    type Loss = fn(&mut System, &Device2) -> Reply;
    /// Slots of a [`Device`].
    struct Device2 {
        sid: u64,
        cb: u64,
        memory: u64,
        pool: u64,
        vspace: u64,
        tables: [u64; 3],
        frame: u64,
    }
    let losses: [(&str, Loss); 15] = [
        ("unbind", |s, d| s.call(d.sid, Label::SidUnbindCb, &[], &[])),
        ("unassign", |s, d| s.call(d.cb, Label::CbUnassignVspace, &[], &[])),
        ("delete SID", |s, d| s.delete(d.sid)),
        ("revoke SIDControl", |s, _| s.revoke(SID_CONTROL)),
        ("revoke CB", |s, d| s.revoke(d.cb)),
        ("revoke CBControl", |s, _| s.revoke(CB_CONTROL)),
        ("revoke VSpace", |s, d| s.revoke(d.vspace)),
        ("revoke its memory", |s, d| s.revoke(d.memory)),
        ("delete ASID pool", |s, d| s.delete(d.pool)),
        ("unmap table", |s, d| s.call(d.tables[2], Label::PageTableUnmap, &[], &[])),
        ("delete upper table", |s, d| s.delete(d.tables[0])),
        ("delete table", |s, d| s.delete(d.tables[2])),
        ("unmap frame", |s, d| s.call(d.frame, Label::PageUnmap, &[], &[])),
        ("delete frame", |s, d| s.delete(d.frame)),
        ("map without rights", |s, d| s.map(d.frame, d.vspace, AT, 0, 7)),
    ];
    let each = variants::ALL.into_iter().flat_map(|identity| losses.map(|(name, lose)| (identity, name, lose)));
    for (identity, name, lose) in each {
        let Device { mut system, sid, cb, memory, pool, vspace, tables, frame } = Device::bound_to(identity);
        let device = Device2 { sid, cb, memory, pool, vspace, tables, frame };
        assert!(system.model().access(STREAM as u32, Iova(AT), true).is_ok());
        assert_eq!(system.watched(|system| lose(system, &device)), ok(), "{name}");
        assert_eq!(system.reached(STREAM), BTreeSet::new(), "{name}");
        assert!(system.model().access(STREAM as u32, Iova(AT), true).is_err(), "{name}");
    }
}

#[test]
fn a_binding_keeps_what_it_needs() {
    let mut device = Device::bound();
    let before = device.system.reached(STREAM);
    let (cb, vspace) = (device.cb, device.vspace);
    device.system.watched(|system| assert_eq!(system.delete(cb), ok()));
    device.system.watched(|system| assert_eq!(system.delete(vspace), ok()));
    assert_eq!(device.system.reached(STREAM), before, "the hidden copies live on");
    let sid = device.sid;
    device.system.watched(|system| assert_eq!(system.delete(sid), ok()));
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    assert_eq!(device.system.get_cb(3), ok(), "with the stream its context went, which nobody else held");
    assert_eq!(device.system.get_sid(STREAM), ok());
}

#[test]
fn changes_of_the_vspace_reach_the_device() {
    let mut device = Device::bound();
    let (frame, vspace) = (device.frame, device.vspace);
    let other = device.system.make(ObjectType::SmallPage, 0);
    device.system.watched(|system| assert_eq!(system.map(other, vspace, AT + 0x1000, 2, 7), ok()));
    assert_eq!(device.access(AT + 0x1008, false), Ok(PhysAddr(device.system.base(other) + 8)));
    assert_eq!(device.access(AT + 0x1008, true), Err(Abort::Event(event::F_PERMISSION)));
    device.system.watched(|system| assert_eq!(system.map(frame, vspace, AT, 2, 7), ok()));
    assert_eq!(device.access(AT, true), Err(Abort::Event(event::F_PERMISSION)));
    device.system.watched(|system| assert_eq!(system.map(frame, vspace, AT, 3, 7), ok()));
    let stranger = device.system.make(ObjectType::SmallPage, 0);
    device.system.watched(|system| assert_eq!(system.map(stranger, vspace, AT, 3, 7), ok()));
    assert_eq!(device.access(AT, true), Ok(PhysAddr(device.system.base(stranger))));
}

#[test]
fn reassigning_a_context_moves_its_streams() {
    let mut device = Device::bound();
    let cb = device.cb;
    let (second, _) = device.system.space_around(AT);
    device.system.watched(|system| system.done(cb, Label::CbUnassignVspace, &[], &[]));
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    device.system.watched(|system| system.done(cb, Label::CbAssignVspace, &[second], &[]));
    let frame = device.system.make(ObjectType::SmallPage, 0);
    device.system.watched(|system| assert_eq!(system.map(frame, second, AT, 3, 7), ok()));
    assert_eq!(device.access(AT, true), Ok(PhysAddr(device.system.base(frame))));
    device.system.watched(|system| system.done(cb, Label::CbTlbInvalidate, &[], &[]));
    device.system.watched(|system| system.done(CB_CONTROL, Label::CbControlTlbInvalidateAll, &[], &[]));
}

#[test]
fn streams_are_given_out_once() {
    let mut system = System::with_smmu();
    let dest = system.free_slot();
    let get = |system: &mut System, caps: &[u64], words: &[u64]| {
        system.call(SID_CONTROL, Label::SidControlGetSid, caps, words)
    };
    assert_eq!(get(&mut system, &[INIT_CNODE], &[1, dest]), truncated());
    assert_eq!(get(&mut system, &[], &[1, dest, DEPTH]), truncated());
    assert_eq!(get(&mut system, &[INIT_CNODE], &[1 << 32, dest, DEPTH]), invalid_argument(0));
    assert_eq!(get(&mut system, &[INIT_CNODE], &[1 << 36, dest, DEPTH]), invalid_argument(0));
    assert_eq!(get(&mut system, &[INIT_CNODE], &[0x1_0000, dest, DEPTH]), range(0, 0xffff));
    assert_eq!(get(&mut system, &[INIT_CNODE], &[0x100, dest, DEPTH]), missing(false, 8));
    assert_eq!(get(&mut system, &[INIT_CNODE], &[1, INIT_TCB, DEPTH]), delete_first());
    assert_eq!(get(&mut system, &[INIT_CNODE], &[1, dest, DEPTH]), ok());
    assert_eq!(system.get_sid(1), revoke_first());
    let copy = system.copied(dest);
    assert_eq!(system.delete(dest), ok());
    assert_eq!(system.get_sid(1), revoke_first());
    assert_eq!(system.delete(copy), ok());
    assert_eq!(system.get_sid(1), ok());
    let other = system.free_slot();
    assert_eq!(system.copy(SID_CONTROL, other, 15), illegal());
    assert_eq!(system.copy(CB_CONTROL, other, 15), illegal());
}

#[test]
fn contexts_are_given_out_once() {
    let mut system = System::with_smmu();
    assert_eq!(system.get_cb(u64::from(CONTEXTS)), range(0, u64::from(CONTEXTS) - 1));
    assert_eq!(system.get_cb(5 << 32), invalid_argument(0));
    let first = system.next_slot;
    assert_eq!(system.get_cb(0), ok());
    assert_eq!(system.get_cb(0), revoke_first());
    assert_eq!(system.delete(first), ok());
    assert_eq!(system.get_cb(0), ok());
    assert_eq!(system.call(CB_CONTROL, Label::CbControlGetCb, &[], &[1, 2, 3]), truncated());
    assert_eq!(system.call(CB_CONTROL, Label::CbControlTlbInvalidateAll, &[], &[1]), invalid_argument(0));
}

#[test]
fn bindings_that_cannot_be_are_refused() {
    let mut device = Device::unbound();
    let (sid, cb, vspace, frame) = (device.sid, device.cb, device.vspace, device.frame);
    let system = &mut device.system;
    let unassigned = system.make(ObjectType::VSpace, 0);
    let call = |system: &mut System, cptr: u64, label: Label, caps: &[u64]| system.call(cptr, label, caps, &[]);
    assert_eq!(call(system, sid, Label::SidBindCb, &[]), truncated());
    assert_eq!(call(system, sid, Label::SidBindCb, &[frame]), invalid_capability(1));
    assert_eq!(call(system, sid, Label::SidBindCb, &[cb]), invalid_capability(1), "it has no VSpace");
    assert_eq!(call(system, sid, Label::SidUnbindCb, &[]), illegal());
    assert_eq!(call(system, cb, Label::CbAssignVspace, &[]), truncated());
    assert_eq!(call(system, cb, Label::CbAssignVspace, &[frame]), invalid_capability(1));
    assert_eq!(call(system, cb, Label::CbAssignVspace, &[unassigned]), invalid_capability(1));
    assert_eq!(call(system, cb, Label::CbUnassignVspace, &[]), illegal());
    assert_eq!(call(system, cb, Label::CbTlbInvalidate, &[]), illegal());
    assert_eq!(call(system, cb, Label::CbUnassignCdTable, &[]), illegal());
    assert_eq!(call(system, cb, Label::CbAssignVspace, &[vspace]), ok());
    assert_eq!(call(system, cb, Label::CbAssignVspace, &[vspace]), delete_first());
    assert_eq!(call(system, sid, Label::SidBindCb, &[cb]), ok());
    assert_eq!(call(system, sid, Label::SidBindCb, &[cb]), delete_first());
    assert_eq!(call(system, sid, Label::SidSetFaultHandler, &[]), truncated());
    assert_eq!(system.call(sid, Label::SidSetFaultHandler, &[frame], &[0]), invalid_capability(1));
}

#[test]
fn faults_reach_the_notification_and_tell_no_physical_address() {
    let mut device = Device::bound();
    let (sid, cb) = (device.sid, device.cb);
    let notification = device.system.make(ObjectType::Notification, 0);
    let badged = device.system.minted(notification, 15, 0x20);
    device.system.done(sid, Label::SidSetFaultHandler, &[badged], &[0]);
    assert!(device.access(AT + 0x5008, true).is_err());
    assert!(device.access(AT + 0x6000, false).is_err());
    device.system.interrupt(SMMU_INTID);
    let Cap::Notification(cap) = device.system.cap(notification) else { panic!("no notification") };
    let state = device.system.machine().objects.get(cap.object).state();
    assert_eq!(state, NotificationState::Active(0x20));
    let Reply { label, words } = device.system.call(sid, Label::SidGetFault, &[], &[]);
    assert_eq!((label, words.len()), (0, 6));
    let record = Record::from_words(words.try_into().expect("six words")).expect("a record");
    assert_eq!((record.event, record.stream.word(), record.iova.0), (event::F_TRANSLATION, STREAM, AT + 0x5008));
    assert_eq!((record.flags & Record::READ, record.flags & Record::STAGE2), (0, Record::STAGE2));
    assert_eq!(record.dropped, 1);
    assert_eq!(device.system.call(sid, Label::SidGetFault, &[], &[]), ok());
    let latest = device.system.call(cb, Label::CbGetFault, &[], &[]);
    assert_eq!(latest, ok_with(&[event::F_TRANSLATION, AT + 0x6000]));
    device.system.done(cb, Label::CbClearFault, &[], &[]);
    assert_eq!(device.system.call(cb, Label::CbGetFault, &[], &[]), ok_with(&[0, 0]));
}

#[test]
fn a_spent_budget_is_quarantine_until_cleared() {
    let mut device = Device::bound();
    let sid = device.sid;
    let notification = device.system.make(ObjectType::Notification, 0);
    device.system.done(sid, Label::SidSetFaultHandler, &[notification], &[2]);
    for _ in 0..2 {
        assert!(device.access(0, false).is_err());
        device.system.watched(|system| system.interrupt(SMMU_INTID));
    }
    assert_eq!(device.access(AT, false), Err(Abort::Configured), "even what is mapped");
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    device.system.watched(|system| system.done(sid, Label::SidClearFault, &[], &[]));
    assert!(device.access(AT, false).is_ok());
}

#[test]
fn unclaimed_faults_go_to_whoever_holds_the_control() {
    let mut device = Device::bound();
    assert!(device.access(0x1000, false).is_err());
    device.system.interrupt(SMMU_INTID);
    let get = |system: &mut System| system.call(SID_CONTROL, Label::SidControlGetEventq, &[], &[0]);
    let reply = get(&mut device.system);
    assert_eq!(reply.words[..3], [event::F_TRANSLATION, STREAM, 0x1000]);
    assert_eq!(get(&mut device.system), ok());
    assert_eq!(device.system.call(SID_CONTROL, Label::SidControlGetFault, &[], &[]), ok_with(&[0; 5]));
    device.system.done(SID_CONTROL, Label::SidControlClearFault, &[], &[]);
}

#[test]
fn a_stream_table_serves_its_streams_until_it_goes() {
    let mut system = System::with_smmu();
    let table = system.make(ObjectType::StreamTable, 0);
    let map = |system: &mut System, caps: &[u64], words: &[u64]| {
        system.call(SID_CONTROL, Label::SidControlMapStreamTable, caps, words)
    };
    assert_eq!(map(&mut system, &[table], &[]), truncated());
    assert_eq!(map(&mut system, &[], &[0x100]), truncated());
    assert_eq!(map(&mut system, &[INIT_TCB], &[0x100]), invalid_capability(1));
    assert_eq!(map(&mut system, &[table], &[0x101]), alignment());
    assert_eq!(map(&mut system, &[table], &[0]), delete_first());
    assert_eq!(map(&mut system, &[table], &[0x300]), ok());
    assert_eq!(map(&mut system, &[table], &[0x400]), invalid_capability(1));
    let sid = system.next_slot;
    assert_eq!(system.get_sid(0x37f), ok());
    assert_eq!(system.delete(table), ok());
    assert_eq!(system.call(sid, Label::SidUnbindCb, &[], &[]), invalid_capability(0));
    assert_eq!(system.get_sid(0x300), missing(false, 8));
}

#[test]
fn a_stream_capability_does_not_outlive_its_table_to_serve_the_next() {
    let mut system = System::with_smmu();
    let (old, new) = (system.make(ObjectType::StreamTable, 0), system.make(ObjectType::StreamTable, 0));
    let map = |system: &mut System, table: u64, first: u64| {
        system.call(SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[first])
    };
    assert_eq!(map(&mut system, old, 0x300), ok());
    let elsewhere = system.next_slot;
    assert_eq!(system.get_sid(STREAM), ok());
    let sid = system.next_slot;
    assert_eq!(system.get_sid(0x37f), ok());
    let copy = system.copied(sid);
    assert_eq!(system.delete(old), ok());
    assert_eq!(map(&mut system, new, 0x300), revoke_first());
    assert_eq!(system.delete(sid), ok());
    assert_eq!(map(&mut system, new, 0x300), revoke_first());
    assert_eq!(system.delete(copy), ok());
    assert_eq!(map(&mut system, new, 0x300), ok());
    assert_eq!(system.get_sid(0x37f), ok());
    assert!(matches!(system.cap(elsewhere), Cap::Sid(_)));
}

#[test]
fn a_thread_and_a_device_share_a_vspace_and_its_end() {
    let mut device = Device::bound();
    let (vspace, memory) = (device.vspace, device.memory);
    let thread = device.system.thread(255);
    device.system.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, vspace], &[0, 0, 0]);
    device.system.resume(thread);
    device.system.syscall(Syscall::Yield, 0, 0, &[], &[]);
    assert_eq!(device.system.current(), thread.tcb);
    assert_eq!(device.system.watched(|system| system.revoke(memory)), ok());
    assert_eq!(device.system.reached(STREAM), BTreeSet::new());
    assert_eq!(device.system.machine().tlb.loaded().map(|(_, vmid)| vmid), Some(0));
}
