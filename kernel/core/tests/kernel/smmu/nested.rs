//! Nested translation as a device sees it: the holder's descriptors and tables, walked under stage 2.

use sluice_paging::TableMemory;

use super::*;

/// Where the holder has its structures, by the addresses of stage 2: context descriptor, two levels of tables, and
/// a page that stage 1 maps at [`IOVA`].
const CD: u64 = AT;
const LEVEL2: u64 = AT + 0x1000;
const LEVEL3: u64 = AT + 0x2000;
const TARGET: u64 = AT + 0x3000;
/// The page stage 1 maps, of the 25 bits it translates.
const IOVA: u64 = 0x1000;

/// V, AA64, A, R, EPD1, 44-bit IPAs, T0SZ 39; ASID 9.
const CD0: u64 = 9 << 48 | 1 << 46 | 1 << 45 | 1 << 41 | 4 << 32 | 1 << 31 | 1 << 30 | 39;
/// Of one ASID, AF, inner shareable, unprivileged, a page.
const PAGE: u64 = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 3;
/// A table.
const TABLE: u64 = 3;

/// A device with a stage 1, and the slots of its four frames.
struct Nested {
    device: Device,
    frames: [u64; 4],
}

impl Nested {
    fn new() -> Self {
        let mut device = Device::bound();
        let vspace = device.vspace;
        let more: [u64; 3] = std::array::from_fn(|index| {
            let frame = device.system.make(ObjectType::SmallPage, 0);
            let at = AT + 0x1000 * (index as u64 + 1);
            assert_eq!(device.system.map(frame, vspace, at, 3, 7), ok());
            frame
        });
        let nested = Self { frames: [device.frame, more[0], more[1], more[2]], device };
        nested.write_cd(0);
        nested.store(1, 0, LEVEL3 | TABLE);
        nested.store(2, 1, TARGET | PAGE);
        nested
    }

    fn assigned() -> Self {
        let mut nested = Self::new();
        let cb = nested.device.cb;
        nested.device.system.done(cb, Label::CbAssignCdTable, &[], &[CD, 0]);
        assert_eq!(nested.write(), Ok(nested.target()), "the positive control");
        assert_eq!(nested.read(), Ok(nested.target()));
        nested
    }

    fn write_cd(&self, frame: usize) {
        self.store(frame, 0, CD0);
        self.store(frame, 1, LEVEL2);
        self.store(frame, 3, 0xff);
    }

    /// The holder writes a word of one of its frames.
    fn store(&self, frame: usize, index: u64, word: u64) {
        self.store_at(self.frames[frame], index, word);
    }

    fn store_at(&self, frame: u64, index: u64, word: u64) {
        self.device.system.model().store(PhysAddr(self.device.system.base(frame) + 8 * index), word);
    }

    fn target(&self) -> PhysAddr {
        PhysAddr(self.device.system.base(self.frames[3]) + 8)
    }

    fn write(&self) -> Result<PhysAddr, Abort> {
        self.device.access(IOVA + 8, true)
    }

    fn read(&self) -> Result<PhysAddr, Abort> {
        self.device.access(IOVA + 8, false)
    }

    /// Does something while the device fetches all it can: between two stores it reaches no more than before and after
    /// together.
    fn watched(&mut self, act: impl FnOnce(&mut System)) {
        let sid = STREAM as u32;
        let system = &mut self.device.system;
        system.model().speculate(sid);
        let before = system.reached(STREAM);
        let seen = Rc::new(RefCell::new(BTreeSet::new()));
        let sink = Rc::clone(&seen);
        system.model().watch(move |model| {
            model.speculate(sid);
            sink.borrow_mut().extend(pages(model.reach(sid)));
        });
        act(system);
        system.model().unwatch();
        let after = system.reached(STREAM);
        let seen: BTreeSet<Page> = seen.borrow().iter().filter(|page| page.read || page.write).copied().collect();
        assert!(seen.iter().all(|page| before.contains(page) || after.contains(page)), "reached in between: {seen:?}");
    }
}

#[test]
fn stage_1_sees_what_the_holder_mapped_and_no_more() {
    let nested = Nested::assigned();
    let page = Page { iova: IOVA, address: PhysAddr(nested.target().0 & !0xfff), read: true, write: true };
    assert_eq!(nested.device.system.reached(STREAM), BTreeSet::from([page]));
    for elsewhere in [0, 0x2000, AT, TARGET] {
        assert_eq!(nested.device.access(elsewhere, false), Err(Abort::Event(event::F_TRANSLATION)), "{elsewhere:#x}");
    }
}

#[test]
fn a_page_outside_stage_2_is_out_of_reach_whatever_stage_1_says() {
    let nested = Nested::assigned();
    for ipa in [AT + 0x10_0000, 0x4000_0000, 0x905_0000] {
        nested.store(2, 2, ipa | PAGE);
        assert_eq!(nested.device.access(0x2000, true), Err(Abort::Event(event::F_TRANSLATION)), "{ipa:#x}");
    }
    // Nor are descriptors and tables read from there.
    nested.store(1, 1, 0x4000_0000 | TABLE);
    assert!(nested.device.access(0x20_0000, true).is_err());
}

#[test]
fn descriptors_outside_stage_2_fault_at_use_and_harm_nobody() {
    let mut nested = Nested::new();
    let (cb, sid) = (nested.device.cb, nested.device.sid);
    nested.device.system.done(cb, Label::CbAssignCdTable, &[], &[AT + 0x10_0000, 0]);
    let notification = nested.device.system.make(ObjectType::Notification, 0);
    nested.device.system.done(sid, Label::SidSetFaultHandler, &[notification], &[0]);
    assert!(nested.write().is_err());
    assert_eq!(nested.device.system.reached(STREAM), BTreeSet::new());
    nested.device.system.interrupt(SMMU_INTID);
    let Reply { words, .. } = nested.device.system.call(sid, Label::SidGetFault, &[], &[]);
    let record = Record::from_words(words.try_into().expect("six words")).expect("a record");
    assert_eq!((record.event, record.flags & Record::STAGE2), (event::F_TRANSLATION, Record::STAGE2));
    assert_eq!(record.flags >> Record::CLASS_SHIFT & 3, 0, "while fetching a descriptor");
    assert_eq!(record.ipa, AT + 0x10_0000);
}

#[test]
fn whatever_of_stage_2_goes_is_gone_for_stage_1_too() {
    type Loss = fn(&mut System, &[u64; 4], &Slots);
    /// Slots of a [`Device`].
    struct Slots {
        sid: u64,
        cb: u64,
        memory: u64,
        tables: [u64; 3],
        vspace: u64,
    }
    let losses: [(&str, Loss); 12] = [
        ("unmap the target", |s, frames, _| s.done(frames[3], Label::PageUnmap, &[], &[])),
        ("unmap the last table", |s, frames, _| s.done(frames[2], Label::PageUnmap, &[], &[])),
        ("unmap the first table", |s, frames, _| s.done(frames[1], Label::PageUnmap, &[], &[])),
        ("unmap the descriptor", |s, frames, _| s.done(frames[0], Label::PageUnmap, &[], &[])),
        ("delete the target", |s, frames, _| assert_eq!(s.delete(frames[3]), ok())),
        ("delete the first table's frame", |s, frames, _| assert_eq!(s.delete(frames[1]), ok())),
        ("delete stage 2's last table", |s, _, d| assert_eq!(s.delete(d.tables[2]), ok())),
        ("unbind", |s, _, d| s.done(d.sid, Label::SidUnbindCb, &[], &[])),
        ("unassign the VSpace", |s, _, d| s.done(d.cb, Label::CbUnassignVspace, &[], &[])),
        ("revoke the VSpace", |s, _, d| assert_eq!(s.revoke(d.vspace), ok())),
        ("revoke its memory", |s, _, d| assert_eq!(s.revoke(d.memory), ok())),
        ("revoke the context", |s, _, d| assert_eq!(s.revoke(d.cb), ok())),
    ];
    for (name, lose) in losses {
        let mut nested = Nested::assigned();
        let Device { sid, cb, memory, tables, vspace, .. } = nested.device;
        let frames = nested.frames;
        nested.watched(|system| lose(system, &frames, &Slots { sid, cb, memory, tables, vspace }));
        assert_eq!(nested.device.system.reached(STREAM), BTreeSet::new(), "{name}");
        assert!(nested.write().is_err() && nested.read().is_err(), "{name}");
    }
}

#[test]
fn other_memory_behind_the_address_of_a_table_is_what_counts() {
    for replaced in 0..4 {
        let mut nested = Nested::assigned();
        let (vspace, other) = (nested.device.vspace, nested.device.system.make(ObjectType::SmallPage, 0));
        nested.watched(|system| assert_eq!(system.map(other, vspace, AT + 0x1000 * replaced, 3, 7), ok()));
        if replaced == 3 {
            assert_eq!(nested.write(), Ok(PhysAddr(nested.device.system.base(other) + 8)));
        } else {
            assert!(nested.write().is_err(), "what was in frame {replaced} is not read any more");
        }
    }
}

#[test]
fn what_stage_2_makes_read_only_is_read_only_through_stage_1() {
    let mut nested = Nested::assigned();
    let (vspace, target) = (nested.device.vspace, nested.frames[3]);
    nested.watched(|system| assert_eq!(system.map(target, vspace, TARGET, 2, 7), ok()));
    assert_eq!(nested.read(), Ok(nested.target()));
    assert_eq!(nested.write(), Err(Abort::Event(event::F_PERMISSION)));
}

#[test]
fn without_the_stage_1_addresses_are_those_of_stage_2() {
    let mut nested = Nested::assigned();
    let cb = nested.device.cb;
    nested.watched(|system| system.done(cb, Label::CbUnassignCdTable, &[], &[]));
    assert!(nested.write().is_err());
    assert_eq!(nested.device.access(TARGET + 8, true), Ok(nested.target()));
    assert_eq!(nested.device.system.reached(STREAM), nested.device.system.entitled(STREAM));
    nested.watched(|system| system.done(cb, Label::CbAssignCdTable, &[], &[CD, 0]));
    assert_eq!(nested.write(), Ok(nested.target()));
    assert!(nested.device.access(TARGET + 8, true).is_err());
}

#[test]
fn the_holder_forgets_its_own_translations_when_it_says_so() {
    const ASID: u64 = 9 << 48;
    for command in [[0x30, 0], [0x10, 0], [ASID | 0x11, 0], [ASID | 0x12, IOVA], [0x13, IOVA]] {
        let mut nested = Nested::assigned();
        let cb = nested.device.cb;
        nested.store(2, 1, 0);
        assert_eq!(nested.write(), Ok(nested.target()), "it is cached");
        nested.device.system.done(cb, Label::CbInvalidateStage1, &[], &[1, command[0], command[1]]);
        assert_eq!(nested.write(), Err(Abort::Event(event::F_TRANSLATION)), "{command:x?}");
    }
    for command in [[0x05, 1], [0x06, 0]] {
        let mut nested = Nested::assigned();
        let cb = nested.device.cb;
        nested.store(0, 0, CD0 & !(1 << 31));
        assert_eq!(nested.write(), Ok(nested.target()), "it is cached");
        nested.device.system.done(cb, Label::CbInvalidateStage1, &[], &[1, command[0], command[1]]);
        assert_eq!(nested.write(), Err(Abort::Event(event::C_BAD_CD)), "{command:x?}");
    }
}

#[test]
fn a_holder_cannot_forget_for_others() {
    let mut nested = Nested::assigned();
    let (vspace, cb) = (nested.device.vspace, nested.device.cb);
    let system = &mut nested.device.system;
    let (other, sid) = (system.next_slot, system.next_slot + 1);
    assert_eq!(system.get_cb(5), ok());
    system.done(other, Label::CbAssignVspace, &[vspace], &[]);
    assert_eq!(system.get_sid(STREAM + 1), ok());
    system.done(sid, Label::SidBindCb, &[other], &[]);
    system.done(other, Label::CbAssignCdTable, &[], &[CD, 0]);
    let neighbour = |nested: &Nested| nested.device.system.model().access(STREAM as u32 + 1, Iova(IOVA), true);
    assert!(neighbour(&nested).is_ok());
    nested.store(2, 1, 0);
    let foreign = [0x30, 0, 5 << 32 | 0x10, 0, (STREAM + 1) << 32 | 0x06, 0];
    nested.device.system.done(cb, Label::CbInvalidateStage1, &[], &[&[3], foreign.as_slice()].concat());
    assert!(nested.write().is_err());
    assert!(neighbour(&nested).is_ok(), "its translation is still cached, as its holder left it");
}
