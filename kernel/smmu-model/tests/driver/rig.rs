//! A driver on the model, and stage-2 tables for it to point at.

use std::collections::BTreeSet;
use std::rc::Rc;

use sluice_abi::{FrameSize, PhysAddr};
use sluice_paging::{Access, Format, Leaf, MemoryType, TableMemory};
use sluice_smmu::{Features, Memory, Smmu, Ste, memory_needed};
use sluice_smmu_model::{Identity, Model, Page, Reach};

pub(crate) const BASE: PhysAddr = PhysAddr(0x0905_0000);
pub(crate) const TABLE: PhysAddr = PhysAddr(0x5000_0000);
pub(crate) const FIRST_SID: u32 = 0x100;
pub(crate) const SID: u32 = 0x108;
pub(crate) const VMID: u16 = 5;

pub(crate) struct Rig {
    pub(crate) model: Rc<Model>,
    pub(crate) smmu: Smmu,
}

impl Rig {
    pub(crate) fn new(identity: Identity) -> Self {
        let model = Rc::new(Model::new(BASE, identity));
        let features = Features::read(&*model, BASE).expect("supported");
        let needs = memory_needed(&features, 0x1ff);
        let memory = Memory { strtab: PhysAddr(0x4000_0000), cmdq: PhysAddr(0x4800_0000), evtq: PhysAddr(0x4900_0000) };
        Self { smmu: Smmu::new(BASE, features, needs, memory), model }
    }

    pub(crate) fn enabled(identity: Identity) -> Self {
        let rig = Self::new(identity);
        rig.smmu.enable(&*rig.model).expect("enable");
        rig.smmu.install_stream_table(&*rig.model, FIRST_SID, TABLE).expect("install");
        rig.model.take_executed();
        rig
    }

    pub(crate) fn entry(&self) -> PhysAddr {
        TABLE.offset(u64::from(SID - FIRST_SID) * 64)
    }

    pub(crate) fn write(&self, ste: &Ste) -> Result<(), sluice_smmu::Failure> {
        self.smmu.write_ste(&*self.model, SID, self.entry(), ste)
    }

    pub(crate) fn stage2(&self, vmid: u16, root: PhysAddr) -> Ste {
        Ste::stage2(self.smmu.features(), vmid, root)
    }
}

/// A stage-2 table in the three pages after `root` that maps one 2 MiB region by small pages.
pub(crate) struct Tables {
    pub(crate) root: PhysAddr,
}

impl Tables {
    pub(crate) fn new(model: &Model, root: PhysAddr) -> Self {
        for level in 0..3 {
            model.store(root.offset(0x1000 * level), Format::STAGE2.encode_table(root.offset(0x1000 * (level + 1))));
        }
        Self { root }
    }

    fn slot(&self, page: u64) -> PhysAddr {
        self.root.offset(0x3000 + 8 * page)
    }

    pub(crate) fn map(&self, model: &Model, page: u64, address: PhysAddr, write: bool) {
        let access = Access { read: true, write, execute: false };
        let leaf = Leaf { address, size: FrameSize::Small, access, memory: MemoryType::Normal };
        model.store(self.slot(page), Format::STAGE2.encode_leaf(&leaf));
    }

    pub(crate) fn unmap(&self, model: &Model, page: u64) {
        model.store(self.slot(page), 0);
    }
}

pub(crate) fn pages<const N: usize>(list: [(u64, u64, bool); N]) -> Reach {
    Reach::Pages(
        list.into_iter()
            .map(|(page, address, write)| Page { iova: page << 12, address: PhysAddr(address), read: true, write })
            .collect::<BTreeSet<_>>(),
    )
}

/// An SMMU without range invalidation and with a linear stream table.
pub(crate) const PLAIN: Identity = Identity { idr0: 0x0d44_101b & !(3 << 27), idr3: 0, ..Identity::QEMU };
