//! Bad input: every invocation of an SMMU object on every other kind of capability, with every other kind as its argument,
//! and with numbers that name nothing. Each is refused, changes nothing (`System::call` compares), and the SMMU hears nothing.

use sluice_abi::bootinfo::slot::{DOMAIN, IRQ_CONTROL};

use super::*;

/// A capability of every kind.
struct Gallery {
    device: Device,
    cnode: u64,
    thread: u64,
    untyped: u64,
    endpoint: u64,
    deaf_endpoint: u64,
    notification: u64,
    deaf_notification: u64,
    irq_handler: u64,
    sgi: u64,
    vcpu: u64,
    reply: u64,
    table: u64,
    used_table: u64,
    empty: u64,
}

impl Gallery {
    fn new() -> Self {
        let mut device = Device::bound();
        let system = &mut device.system;
        let endpoint = system.make(ObjectType::Endpoint, 0);
        let reply = saved_reply(system, endpoint);
        let used_table = system.make(ObjectType::StreamTable, 0);
        system.done(SID_CONTROL, Label::SidControlMapStreamTable, &[used_table], &[0x200]);
        let [irq_handler, sgi] = [system.free_slot(), system.free_slot()];
        system.done(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &[80, irq_handler, DEPTH]);
        system.done(IRQ_CONTROL, Label::IrqControlIssueSgiSignal, &[INIT_CNODE], &[3, 0, sgi, DEPTH]);
        let notification = system.make(ObjectType::Notification, 0);
        let gallery = Self {
            cnode: system.make(ObjectType::CNode, 4),
            thread: system.make(ObjectType::Tcb, 0),
            untyped: system.make(ObjectType::Untyped, 12),
            deaf_endpoint: system.minted(endpoint, 2, 0),
            deaf_notification: system.minted(notification, 2, 0),
            vcpu: system.make(ObjectType::Vcpu, 0),
            table: system.make(ObjectType::StreamTable, 0),
            empty: system.free_slot(),
            endpoint,
            notification,
            irq_handler,
            sgi,
            reply,
            used_table,
            device,
        };
        gallery.device.system.model().take_executed();
        gallery
    }

    /// Kinds that do not listen to labels at all are not among them: endpoints, notifications and replies that can be sent
    /// to, and signals between cores.
    fn invoked(&self) -> Vec<u64> {
        let device = &self.device;
        let objects = [device.sid, device.cb, device.pool, device.vspace, device.tables[2], device.frame];
        let made = [self.cnode, self.thread, self.untyped, self.irq_handler, self.vcpu, self.table, self.used_table];
        let fixed = [SID_CONTROL, CB_CONTROL, INIT_TCB, INIT_CNODE, ASID_CONTROL, IRQ_CONTROL, DOMAIN];
        objects.into_iter().chain(made).chain(fixed).chain(self.deaf()).collect()
    }

    /// Kinds that refuse whatever is sent to them, before any label.
    fn deaf(&self) -> [u64; 2] {
        [self.deaf_endpoint, self.deaf_notification]
    }

    fn arguments(&self) -> Vec<u64> {
        let more = [self.endpoint, self.notification, self.sgi, self.reply, self.empty];
        self.invoked().into_iter().chain(more).collect()
    }

    /// A call that must be refused with this, without a word to the SMMU.
    #[track_caller]
    fn refused(&mut self, expected: &Reply, cptr: u64, label: Label, caps: &[u64], words: &[u64]) {
        let system = &mut self.device.system;
        let reply = system.call(cptr, label, caps, words);
        assert_eq!(&reply, expected, "{label:?} on slot {cptr} with {caps:?} and {words:x?}");
        assert_eq!(system.model().take_executed(), Vec::<[u64; 2]>::new(), "{label:?} on slot {cptr}");
    }
}

/// The reply capability to a thread that has called the root thread.
fn saved_reply(system: &mut System, endpoint: u64) -> u64 {
    let caller = system.thread(255);
    system.resume(caller);
    system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    assert_eq!(system.current(), caller.tcb);
    system.syscall(Syscall::Call, endpoint, 0, &[], &[]);
    assert_eq!(system.current(), system.root);
    let saved = system.free_slot();
    system.done(INIT_CNODE, Label::CNodeSaveCaller, &[], &[saved, DEPTH]);
    assert!(matches!(system.cap(saved), Cap::Reply(_)));
    saved
}

fn labels() -> impl Iterator<Item = Label> {
    let of_smmus = Label::SidControlGetSid as usize..=Label::SidControlBypassStream as usize;
    Label::ALL[of_smmus].iter().copied()
}

#[test]
fn every_invocation_is_refused_by_every_other_kind_of_capability() {
    let mut gallery = Gallery::new();
    let (sid, cb, deaf) = (gallery.device.sid, gallery.device.cb, gallery.deaf());
    for label in labels() {
        let owner = match label as u64 {
            56..=58 | 68..=72 | 79 => SID_CONTROL,
            59 | 60 | 73..=75 => sid,
            61 | 62 => CB_CONTROL,
            63..=67 | 76..=78 => cb,
            other => panic!("label {other} has no owner"),
        };
        for wrong in gallery.invoked().into_iter().filter(|slot| *slot != owner) {
            let expected = if deaf.contains(&wrong) { invalid_capability(0) } else { illegal() };
            for (words, caps) in
                [([0; 6], [].as_slice()), ([1, 0, 0x10, 0, 0, 0], &[cb]), ([u64::MAX; 6], &[INIT_CNODE])]
            {
                gallery.refused(&expected, wrong, label, caps, &words);
            }
        }
    }
}

#[test]
fn signals_between_cores_do_not_listen_to_labels_of_smmus() {
    let mut gallery = Gallery::new();
    let before = gallery.device.system.reached(STREAM);
    for label in labels() {
        gallery.device.system.done(gallery.sgi, label, &[gallery.device.cb], &[0, 1, 2, 3]);
    }
    assert_eq!(gallery.device.system.reached(STREAM), before);
    assert_eq!(gallery.device.system.model().take_executed(), Vec::<[u64; 2]>::new());
}

#[test]
fn every_invocation_refuses_every_other_kind_as_its_argument() {
    let mut gallery = Gallery::new();
    let (sid, cb, vspace) = (gallery.device.sid, gallery.device.cb, gallery.device.vspace);
    let (spare, nodes) = (gallery.empty, [INIT_CNODE, gallery.cnode]);
    // As what an argument would do if it were right: unbound, unassigned.
    gallery.device.system.done(sid, Label::SidUnbindCb, &[], &[]);
    let second = gallery.device.system.next_slot;
    assert_eq!(gallery.device.system.get_cb(5), ok());
    gallery.device.system.model().take_executed();
    let taken: [(u64, Label, &[u64], &[u64]); 5] = [
        (sid, Label::SidBindCb, &[cb], &[]),
        (second, Label::CbAssignVspace, &[vspace], &[]),
        (sid, Label::SidSetFaultHandler, &[gallery.notification], &[0]),
        (SID_CONTROL, Label::SidControlMapStreamTable, &[gallery.table], &[0x300]),
        (SID_CONTROL, Label::SidControlBypassStream, &[sid], &[]),
    ];
    for (cptr, label, right, words) in taken {
        for wrong in gallery.arguments().into_iter().chain([second]).filter(|slot| !right.contains(slot)) {
            gallery.refused(&invalid_capability(1), cptr, label, &[wrong], words);
        }
    }
    for (cptr, label, number) in
        [(SID_CONTROL, Label::SidControlGetSid, STREAM + 1), (CB_CONTROL, Label::CbControlGetCb, 6)]
    {
        for wrong in gallery.arguments().into_iter().filter(|slot| !nodes.contains(slot)) {
            gallery.refused(&invalid_root(false), cptr, label, &[wrong], &[number, spare, DEPTH]);
        }
    }
    // And each of the right ones is taken.
    for (cptr, label, right, words) in taken {
        let expected = if label == Label::SidControlBypassStream { delete_first() } else { ok() };
        assert_eq!(gallery.device.system.call(cptr, label, right, words), expected, "{label:?}");
    }
}

#[test]
fn numbers_that_name_nothing_are_refused_by_every_invocation() {
    let mut gallery = Gallery::new();
    let (table, spare) = (gallery.table, gallery.empty);
    let of_smmus = [
        (SID_CONTROL, Label::SidControlGetFault),
        (SID_CONTROL, Label::SidControlClearFault),
        (SID_CONTROL, Label::SidControlGetEventq),
        (SID_CONTROL, Label::SidControlSkipCmdqError),
        (SID_CONTROL, Label::SidControlInitSmmu),
        (SID_CONTROL, Label::SidControlDisableSmmu),
        (CB_CONTROL, Label::CbControlTlbInvalidateAll),
    ];
    for (cptr, label) in of_smmus {
        for number in [1, 15, 16, 255, 256, 1 << 32, 1 << 63, u64::MAX] {
            gallery.refused(&invalid_argument(0), cptr, label, &[], &[number]);
        }
    }
    // SMMU 1 to 15 are not there; beyond that the word names none.
    for smmu in [1, 15, 16, 0xff, 0x100, 0xffff_ffff] {
        let word = smmu << 32 | 0x300;
        gallery.refused(
            &invalid_argument(0),
            SID_CONTROL,
            Label::SidControlGetSid,
            &[INIT_CNODE],
            &[word, spare, DEPTH],
        );
        gallery.refused(&invalid_argument(0), CB_CONTROL, Label::CbControlGetCb, &[INIT_CNODE], &[word, spare, DEPTH]);
        gallery.refused(&invalid_argument(0), SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[word]);
    }
    for sid in [0x1_0000, 0xffff_ffff] {
        let beyond = range(0, 0xffff);
        gallery.refused(&beyond, SID_CONTROL, Label::SidControlGetSid, &[INIT_CNODE], &[sid, spare, DEPTH]);
        gallery.refused(&beyond, SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[sid]);
    }
    for cb in [8, 0xffff, 0x1_0000, 0x1_0003, 0xffff_ffff] {
        gallery.refused(&range(0, 7), CB_CONTROL, Label::CbControlGetCb, &[INIT_CNODE], &[cb, spare, DEPTH]);
    }
}

#[test]
fn short_messages_are_refused_by_every_invocation() {
    let mut gallery = Gallery::new();
    let (sid, cb, spare, table) = (gallery.device.sid, gallery.device.cb, gallery.empty, gallery.table);
    let needs: [(u64, Label, &[u64], &[u64]); 11] = [
        (SID_CONTROL, Label::SidControlGetSid, &[INIT_CNODE], &[0x11, spare, DEPTH]),
        (CB_CONTROL, Label::CbControlGetCb, &[INIT_CNODE], &[5, spare, DEPTH]),
        (SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[0x300]),
        (SID_CONTROL, Label::SidControlGetEventq, &[], &[0]),
        (SID_CONTROL, Label::SidControlSkipCmdqError, &[], &[0]),
        (SID_CONTROL, Label::SidControlInitSmmu, &[], &[0]),
        (SID_CONTROL, Label::SidControlDisableSmmu, &[], &[0]),
        (SID_CONTROL, Label::SidControlBypassStream, &[sid], &[]),
        (sid, Label::SidSetFaultHandler, &[], &[0]),
        (cb, Label::CbAssignCdTable, &[], &[AT, 0]),
        (sid, Label::SidBindCb, &[cb], &[]),
    ];
    for (cptr, label, caps, words) in needs {
        for length in 0..words.len() {
            gallery.refused(&truncated(), cptr, label, caps, &words[..length]);
        }
        if !caps.is_empty() {
            gallery.refused(&truncated(), cptr, label, &[], words);
        }
    }
    gallery.refused(&truncated(), cb, Label::CbAssignVspace, &[], &[]);
    gallery.device.system.done(cb, Label::CbAssignCdTable, &[], &[AT, 0]);
    gallery.device.system.model().take_executed();
    let batch = [3, 0x10, 0, 0x10, 0, 0x10, 0];
    for length in 0..batch.len() {
        gallery.refused(&truncated(), cb, Label::CbInvalidateStage1, &[], &batch[..length]);
    }
}
