//! The driver on a bus that is as disorderly as the architecture permits: between two barriers stores reach memory in
//! any order, registers overtake them, and without coherency nothing arrives, or is read afresh, that was not cleaned.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::publish::watch;
use crate::rig::{BASE, FIRST_SID, PLAIN, Rig, SID, TABLE, Tables, VMID, pages};
use sluice_abi::smmu::event;
use sluice_abi::{Iova, PhysAddr};
use sluice_paging::TableMemory;
use sluice_smmu::{Bus, Ste};
use sluice_smmu_model::{Abort, Identity, Model, Reach};

const OLD: PhysAddr = PhysAddr(0x6000_0000);
const NEW: PhysAddr = PhysAddr(0x6100_0000);

/// What the CPU has between itself and the model.
struct Disorder<'m> {
    model: &'m Model,
    coherent: bool,
    /// The CPU's cache: words, and whether they are newer than memory.
    cache: RefCell<BTreeMap<u64, (u64, bool)>>,
    /// Stores on their way, which the next barrier waits for.
    under_way: RefCell<BTreeMap<u64, u64>>,
}

impl<'m> Disorder<'m> {
    fn of(rig: &'m Rig) -> Self {
        let coherent = rig.smmu.features().coherent;
        Self { model: &rig.model, coherent, cache: RefCell::default(), under_way: RefCell::default() }
    }
}

impl TableMemory for Disorder<'_> {
    fn load(&self, at: PhysAddr) -> u64 {
        if self.coherent {
            let under_way = self.under_way.borrow().get(&at.0).copied();
            return under_way.unwrap_or_else(|| self.model.load(at));
        }
        self.cache.borrow_mut().entry(at.0).or_insert_with(|| (self.model.load(at), false)).0
    }

    fn store(&self, at: PhysAddr, value: u64) {
        if self.coherent {
            self.under_way.borrow_mut().insert(at.0, value);
        } else {
            self.cache.borrow_mut().insert(at.0, (value, true));
        }
    }
}

impl Bus for Disorder<'_> {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.model.read32(at)
    }

    fn write32(&self, at: PhysAddr, value: u32) {
        self.model.write32(at, value);
    }

    fn read64(&self, at: PhysAddr) -> u64 {
        self.model.read64(at)
    }

    fn write64(&self, at: PhysAddr, value: u64) {
        self.model.write64(at, value);
    }

    fn barrier(&self) {
        for (at, value) in std::mem::take(&mut *self.under_way.borrow_mut()).into_iter() {
            self.model.store(PhysAddr(at), value);
        }
    }

    fn clean(&self, at: PhysAddr, bytes: u64) {
        assert!(!self.coherent, "cleaning costs time and is not needed");
        let mut cache = self.cache.borrow_mut();
        let lines = at.align_down(6).0..(at.0 + bytes).next_multiple_of(64);
        let words: Vec<u64> = cache.range(lines).map(|(at, _)| *at).collect();
        for at in words {
            if let Some((value, true)) = cache.remove(&at) {
                self.under_way.borrow_mut().insert(at, value);
            }
        }
    }
}

const NOT_COHERENT: u32 = !(1 << 4);
const KINDS: [Identity; 4] = [
    Identity::QEMU,
    PLAIN,
    Identity { idr0: Identity::QEMU.idr0 & NOT_COHERENT, ..Identity::QEMU },
    Identity { idr0: PLAIN.idr0 & NOT_COHERENT, ..PLAIN },
];

#[test]
fn streams_reach_the_old_the_new_or_nothing_in_any_order_of_stores() {
    for identity in KINDS {
        let rig = Rig::new(identity);
        let bus = Disorder::of(&rig);
        rig.smmu.enable(&bus).expect("enable");
        rig.smmu.install_stream_table(&bus, FIRST_SID, TABLE).expect("install");
        let (old, new) = (Tables::new(&rig.model, OLD), Tables::new(&rig.model, NEW));
        old.map(&rig.model, 1, PhysAddr(0x7000_0000), true);
        new.map(&rig.model, 1, PhysAddr(0x7100_0000), false);
        let reaches = [
            (Ste::abort(), Reach::nothing()),
            (rig.stage2(VMID, old.root), pages([(1, 0x7000_0000, true)])),
            (rig.stage2(VMID + 1, new.root), pages([(1, 0x7100_0000, false)])),
        ];
        for (from, to) in [(0, 1), (1, 2), (2, 1), (1, 0), (0, 2), (2, 0)] {
            let seen = watch(&rig.model);
            rig.smmu.write_ste(&bus, SID, rig.entry(), &reaches[to].0).expect("write");
            rig.model.unwatch();
            for reach in seen.borrow().iter() {
                assert!(reach.within(&reaches[from].1) || reach.within(&reaches[to].1), "{from}->{to}: {reach:?}");
            }
            assert_eq!(rig.model.reach(SID), reaches[to].1, "{from}->{to}");
        }
        rig.smmu.remove_stream_table(&bus, FIRST_SID).expect("remove");
        assert_eq!(rig.model.reach(SID), Reach::nothing());
    }
}

#[test]
fn commands_arrive_before_the_doorbell() {
    for identity in KINDS {
        let rig = Rig::new(identity);
        let bus = Disorder::of(&rig);
        rig.smmu.enable(&bus).expect("enable");
        rig.model.take_executed();
        for vmid in 1..=3000u16 {
            rig.smmu.invalidate_context(&bus, vmid).expect("invalidate");
            assert_eq!(rig.model.take_executed(), [[u64::from(vmid) << 32 | 0x28, 0], [0x46, 0]]);
        }
    }
}

#[test]
fn records_are_read_afresh() {
    for identity in KINDS {
        // Four entries, so that each is used many times.
        let short = Identity { idr1: identity.idr1 & !(0x1f << 16) | 2 << 16, ..identity };
        let rig = Rig::new(short);
        let bus = Disorder::of(&rig);
        rig.smmu.enable(&bus).expect("enable");
        rig.smmu.install_stream_table(&bus, FIRST_SID, TABLE).expect("install");
        let tables = Tables::new(&rig.model, OLD);
        rig.smmu.write_ste(&bus, SID, rig.entry(), &rig.stage2(VMID, tables.root)).expect("bind");
        for round in 1..20u64 {
            assert_eq!(rig.model.access(SID, Iova(round << 12), true), Err(Abort::Event(event::F_TRANSLATION)));
            let record = rig.smmu.next_event(&bus).expect("a record");
            assert_eq!((record.kind, record.iova), (event::F_TRANSLATION, Iova(round << 12)));
            assert_eq!(rig.smmu.next_event(&bus), None);
        }
        assert_eq!(rig.model.read32(BASE.offset(0x20)) & 1, 1, "still enabled");
    }
}
