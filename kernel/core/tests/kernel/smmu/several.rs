//! Several SMMUs: each has its own streams, contexts, caches and misfortunes; an address space may be behind all of them.

use sluice_abi::smmu::MAX_SMMUS;
use sluice_smmu_model::Faults;

use super::*;

/// Streams that the tables of these SMMUs can be made to cover.
const STREAM_BITS: u32 = 20;
/// As QEMU's, but with StreamIDs of 32 bits.
const WIDE: Identity = Identity { idr1: Identity::QEMU.idr1 & !0x3f | 32, ..Identity::QEMU };
const ENABLED: u64 = 0;
const ABORTING: u64 = 1;
const CB: u64 = 3;

/// A word that names a stream or context of one SMMU.
const fn of(smmu: u8, number: u64) -> u64 {
    (smmu as u64) << 32 | number
}

/// One page of one VSpace, behind a stream with the same number at each of several SMMUs.
struct Several {
    device: Device,
    /// Slots of the stream's and the context's capability at each SMMU.
    bound: Vec<(u64, u64)>,
}

impl Several {
    fn new(count: usize) -> Self {
        Self::of_kinds(&vec![WIDE; count])
    }

    fn of_kinds(kinds: &[Identity]) -> Self {
        let system = System::with(kernel_with_smmus(kinds, (1 << STREAM_BITS) - 1));
        let mut several = Self { device: Device::in_system(system), bound: vec![] };
        several.bound.push((several.device.sid, several.device.cb));
        let system = &mut several.device.system;
        for smmu in 1..kinds.len() as u8 {
            let slots = (system.next_slot, system.next_slot + 1);
            assert_eq!(system.get_sid(of(smmu, STREAM)), ok());
            assert_eq!(system.get_cb(of(smmu, CB)), ok());
            several.bound.push(slots);
        }
        several
    }

    /// Each stream bound to a context of its SMMU, all contexts with the VSpace, the page mapped and cached everywhere.
    fn all_bound(count: usize) -> Self {
        let mut several = Self::new(count);
        let vspace = several.device.vspace;
        for (sid, cb) in several.bound.clone() {
            several.device.system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
            several.device.system.done(sid, Label::SidBindCb, &[cb], &[]);
        }
        several.device.map();
        for smmu in 0..count {
            several.model(smmu).speculate(STREAM as u32);
            assert_eq!(several.reached(smmu).len(), 1, "the positive control of {smmu}");
            several.model(smmu).take_executed();
        }
        several
    }

    fn count(&self) -> usize {
        self.bound.len()
    }

    fn model(&self, smmu: usize) -> &Model {
        &self.device.system.machine().smmus[smmu].model
    }

    fn reached(&self, smmu: usize) -> BTreeSet<Page> {
        pages(self.model(smmu).reach(STREAM as u32))
    }

    fn access(&self, smmu: usize, iova: u64) -> Result<PhysAddr, Abort> {
        self.model(smmu).access(STREAM as u32, Iova(iova), true)
    }

    fn state(&mut self, smmu: usize) -> u64 {
        self.device.system.call(SID_CONTROL, Label::SidControlGetFault, &[], &[smmu as u64]).words[4]
    }

    /// Does something while all devices prefetch all they can: none reaches more in between than before and after.
    fn watched(&mut self, act: impl FnOnce(&mut System)) {
        let before: Vec<_> = (0..self.count()).map(|smmu| self.reached(smmu)).collect();
        let seen: Vec<_> = (0..self.count()).map(|_| Rc::new(RefCell::new(BTreeSet::new()))).collect();
        for (smmu, seen) in seen.iter().enumerate() {
            let sink = Rc::clone(seen);
            self.model(smmu).watch(move |model| {
                model.speculate(STREAM as u32);
                sink.borrow_mut().extend(pages(model.reach(STREAM as u32)));
            });
        }
        act(&mut self.device.system);
        for (smmu, (before, seen)) in before.iter().zip(&seen).enumerate() {
            self.model(smmu).unwatch();
            let after = self.reached(smmu);
            let seen = seen.borrow();
            assert!(seen.iter().all(|page| before.contains(page) || after.contains(page)), "{smmu}: {seen:?}");
        }
    }
}

#[test]
fn the_same_number_at_two_smmus_is_two_streams() {
    let mut several = Several::new(2);
    let (vspace, [(first, first_cb), (second, second_cb)]) =
        (several.device.vspace, several.bound[..].try_into().expect("two"));
    several.device.map();
    let system = &mut several.device.system;
    assert_eq!(system.get_sid(of(1, STREAM)), revoke_first());
    assert_eq!(system.get_cb(of(1, CB)), revoke_first());
    for cb in [first_cb, second_cb] {
        system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
    }
    for (sid, cb) in [(first, second_cb), (second, first_cb)] {
        assert_eq!(system.call(sid, Label::SidBindCb, &[cb], &[]), invalid_capability(1), "a context of another SMMU");
    }
    system.done(second, Label::SidBindCb, &[second_cb], &[]);
    assert_eq!((several.reached(0).len(), several.reached(1).len()), (0, 1));
    assert_eq!(several.access(0, AT), Err(Abort::Configured));
    assert!(several.access(1, AT).is_ok());
    let system = &mut several.device.system;
    system.done(first, Label::SidBindCb, &[first_cb], &[]);
    system.done(second, Label::SidUnbindCb, &[], &[]);
    assert_eq!((several.reached(0).len(), several.reached(1).len()), (1, 0));
    assert_eq!(several.device.system.delete(first), ok());
    assert_eq!(several.reached(0).len(), 0);
    let system = &mut several.device.system;
    assert_eq!(system.call(SID_CONTROL, Label::SidControlBypassStream, &[second], &[]), ok());
    assert_eq!(several.model(1).reach(STREAM as u32), Reach::Everything);
    assert_eq!(several.reached(0).len(), 0, "the other does not bypass");
}

#[test]
fn what_leaves_a_vspace_leaves_every_smmu_before_the_call_returns() {
    type Removal = fn(&mut System, &Slots) -> Reply;
    /// Slots of a [`Device`].
    struct Slots {
        frame: u64,
        table: u64,
        memory: u64,
        vspace: u64,
        pool: u64,
    }
    let removals: [Removal; 6] = [
        |system, slots| system.call(slots.frame, Label::PageUnmap, &[], &[]),
        |system, slots| system.delete(slots.frame),
        |system, slots| system.call(slots.table, Label::PageTableUnmap, &[], &[]),
        |system, slots| system.delete(slots.pool),
        |system, slots| system.revoke(slots.vspace),
        |system, slots| system.revoke(slots.memory),
    ];
    for count in [2, MAX_SMMUS] {
        for remove in removals {
            let mut several = Several::all_bound(count);
            let Device { frame, tables: [_, _, table], memory, vspace, pool, .. } = several.device;
            let slots = Slots { frame, table, memory, vspace, pool };
            several.watched(|system| assert_eq!(remove(system, &slots), ok()));
            for smmu in 0..count {
                assert_eq!(several.reached(smmu), BTreeSet::new(), "{smmu} of {count}");
                assert!(several.access(smmu, AT).is_err(), "{smmu} of {count}");
            }
        }
    }
}

#[test]
fn an_unmap_costs_each_smmu_one_command_and_one_sync() {
    let mut several = Several::all_bound(MAX_SMMUS);
    several.device.system.done(several.device.frame, Label::PageUnmap, &[], &[]);
    for smmu in 0..several.count() {
        assert_eq!(several.model(smmu).take_executed(), [[CB << 32 | 0x2a, AT], [0x46, 0]], "{smmu}");
    }
}

#[test]
fn a_context_that_goes_leaves_the_others_of_its_vspace() {
    let mut several = Several::all_bound(3);
    let (_, middle) = several.bound[1];
    several.watched(|system| system.done(middle, Label::CbUnassignVspace, &[], &[]));
    let left: Vec<_> = (0..3).map(|smmu| several.reached(smmu).len()).collect();
    assert_eq!(left, [1, 0, 1]);
    several.device.system.done(several.device.frame, Label::PageUnmap, &[], &[]);
    assert!((0..3).all(|smmu| several.reached(smmu).is_empty()), "the chain is whole");
}

#[test]
fn an_smmu_that_fails_leaves_the_others_alone() {
    let mut several = Several::all_bound(3);
    let (frame, vspace) = (several.device.frame, several.device.vspace);
    let other = several.device.system.make(ObjectType::SmallPage, 0);
    assert_eq!(several.device.system.map(other, vspace, AT + 0x1000, 3, 7), ok());
    several.model(1).inject(Faults { sync_hangs: true, ..Faults::default() });
    several.watched(|system| system.done(frame, Label::PageUnmap, &[], &[]));
    assert_eq!([0, 1, 2].map(|smmu| several.state(smmu)), [ENABLED, ABORTING, ENABLED]);
    assert_eq!(several.access(1, AT + 0x1000), Err(Abort::Configured));
    for smmu in [0, 2] {
        assert_eq!(several.reached(smmu).len(), 1);
        assert!(several.access(smmu, AT + 0x1000).is_ok() && several.access(smmu, AT).is_err(), "{smmu}");
    }
    // What happens meanwhile holds when it comes up again.
    several.device.system.done(other, Label::PageUnmap, &[], &[]);
    assert_eq!(several.device.system.map(frame, vspace, AT + 0x2000, 3, 7), ok());
    several.model(1).inject(Faults::default());
    several.device.system.done(SID_CONTROL, Label::SidControlInitSmmu, &[], &[1]);
    assert_eq!(several.state(1), ENABLED);
    let reached = several.reached(0);
    assert_eq!(reached.iter().map(|page| page.iova).collect::<Vec<_>>(), [AT + 0x2000]);
    assert!((1..3).all(|smmu| several.reached(smmu) == reached));
}

#[test]
fn an_smmu_that_is_taken_down_leaves_the_others_alone() {
    let mut several = Several::all_bound(2);
    several.watched(|system| system.done(SID_CONTROL, Label::SidControlDisableSmmu, &[], &[1]));
    assert_eq!([0, 1].map(|smmu| several.reached(smmu).len()), [1, 0]);
    assert_eq!([0, 1].map(|smmu| several.state(smmu)), [ENABLED, ABORTING]);
    several.watched(|system| system.done(SID_CONTROL, Label::SidControlInitSmmu, &[], &[1]));
    assert_eq!([0, 1].map(|smmu| several.reached(smmu).len()), [1, 1]);
}

#[test]
fn a_fault_is_told_to_whoever_holds_the_stream_of_that_smmu() {
    let mut several = Several::all_bound(2);
    let notification = several.device.system.make(ObjectType::Notification, 0);
    let (second, _) = several.bound[1];
    several.device.system.done(second, Label::SidSetFaultHandler, &[notification], &[0]);
    for smmu in [0, 1] {
        assert!(several.access(smmu, AT + 0x1000).is_err());
        several.device.system.interrupt(SMMU_INTID + smmu as u32);
    }
    let mut words = |cptr, label, words: &[u64]| several.device.system.call(cptr, label, &[], words).words;
    let record = words(second, Label::SidGetFault, &[]);
    assert_eq!((record[0], record[1], record[2]), (event::F_TRANSLATION, of(1, STREAM), AT + 0x1000));
    assert_eq!(words(second, Label::SidGetFault, &[]), [] as [u64; 0], "the other's is not told here");
    assert_eq!(words(SID_CONTROL, Label::SidControlGetEventq, &[1]), [] as [u64; 0]);
    assert_eq!(words(SID_CONTROL, Label::SidControlGetEventq, &[0])[1], STREAM);
}

#[test]
fn an_address_space_is_for_smmus_of_one_format() {
    let one_stage = Identity { idr0: WIDE.idr0 & !1, ..WIDE };
    let mut several = Several::of_kinds(&[WIDE, one_stage, one_stage]);
    let (vspace, slots) = (several.device.vspace, several.bound.clone());
    let system = &mut several.device.system;
    let mut assign = |smmu: usize| system.call(slots[smmu].1, Label::CbAssignVspace, &[vspace], &[]);
    assert_eq!(assign(1), ok());
    assert_eq!(assign(0), invalid_capability(1), "its tables are of stage 1 now");
    assert_eq!(assign(2), ok());
    for smmu in [1, 2] {
        several.device.system.done(slots[smmu].0, Label::SidBindCb, &[slots[smmu].1], &[]);
    }
    several.device.map();
    assert_eq!([0, 1, 2].map(|smmu| several.reached(smmu).len()), [0, 1, 1]);
    several.watched(|system| assert_eq!(system.revoke(vspace), ok()));
    assert!((0..3).all(|smmu| several.reached(smmu).is_empty()));
}

#[test]
fn numbers_are_of_one_smmu_and_within_its_bounds() {
    let last = (1 << STREAM_BITS) - 1;
    let mut several = Several::new(MAX_SMMUS);
    let system = &mut several.device.system;
    for smmu in [0, 15] {
        assert_eq!(system.get_sid(of(smmu, last + 1)), range(0, last), "beyond the table");
        assert_eq!(system.get_sid(of(smmu, 0xffff_ffff)), range(0, last), "the last of 32 bits");
        assert_eq!(system.get_sid(of(smmu, last)), missing(false, 8), "no table");
        assert_eq!(system.get_cb(of(smmu, 8)), range(0, 7));
        assert_eq!(system.get_cb(of(smmu, 0xffff_ffff)), range(0, 7));
    }
    for word in [of(16, STREAM), 1 << 36, 1 << 63 | STREAM] {
        assert_eq!(system.get_sid(word), invalid_argument(0), "{word:#x}");
        assert_eq!(system.get_cb(word), invalid_argument(0), "{word:#x}");
    }
    // The last stream of the last SMMU.
    let (vspace, (_, cb)) = (several.device.vspace, several.bound[15]);
    several.device.map();
    let system = &mut several.device.system;
    let table = system.make(ObjectType::StreamTable, 0);
    let map =
        |system: &mut System, first| system.call(SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[first]);
    assert_eq!(map(system, of(15, last - 254)), alignment());
    assert_eq!(map(system, of(15, last + 1)), range(0, last));
    assert_eq!(map(system, of(15, last - 255)), ok());
    assert_eq!(system.get_sid(of(14, last)), missing(false, 8), "the table is not the other's");
    let sid = system.next_slot;
    assert_eq!(system.get_sid(of(15, last)), ok());
    system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
    system.done(sid, Label::SidBindCb, &[cb], &[]);
    assert!(several.model(15).access(last as u32, Iova(AT), true).is_ok());
    assert!(several.model(15).access(STREAM as u32, Iova(AT), true).is_err());
    assert!(several.model(14).access(last as u32, Iova(AT), true).is_err());
    assert_eq!(several.device.system.delete(table), ok());
    assert_eq!(several.model(15).reach(last as u32), Reach::nothing());
}
