//! A stage 1 of the component's own, walked by the SMMU under what the kernel permits.

use sluice_abi::Iova;
use sluice_abi::smmu::{CdTable, event};
use sluice_dma::{Access, Mapping, Object};
use sluice_edu::{Direction, Pattern, Stage};
use sluice_rt::{Env, RtError, check};
use sluice_sys::Failure;

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::lab::{self, Lab, PAGE};

/// A context descriptor (IHI 0070, 5.4): V, AA64, A, R, EPD1, 44-bit intermediate addresses, 25 bits of input (T0SZ 39),
/// walks inner shareable and write-back, ASID 1.
const CD: u64 = 1 << 48 | 1 << 46 | 1 << 45 | 1 << 41 | 4 << 32 | 1 << 31 | 1 << 30 | 3 << 12 | 1 << 10 | 1 << 8 | 39;
/// MAIR: Normal write-back memory.
const MEMORY: u64 = 0xff;
/// A table descriptor (DDI 0487, D8.3).
const TABLE: u64 = 0b11;
/// A page: nG, AF, inner shareable, unprivileged.
const LEAF: u64 = 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 0b11;
/// What a page is mapped at in stage 1: entry 1 of the last table.
const IOVA: Iova = Iova(0x1000);
/// A page that stage 1 maps to nothing of stage 2: entry 2.
const ASTRAY: Iova = Iova(0x2000);
/// Commands of the holder (IHI 0070, 4.4): forget an address in any ASID; forget stage 1; wait.
const TLBI_NH_VAA: u64 = 0x13;
const TLBI_NH_ALL: u64 = 0x10;
const SYNC: u64 = 0x46;

const DATA: u8 = 1;

/// Descriptor and tables, in three pages of an object that the device may read.
struct Stage1<'o> {
    object: &'o Object,
    mapping: Mapping,
}

impl Stage1<'_> {
    fn table(&self, page: u64) -> u64 {
        self.mapping.iova().0 + page * PAGE as u64
    }

    /// Maps [`IOVA`] to `ipa`, and [`ASTRAY`] to nothing.
    fn write(&self, ipa: Iova, astray: Iova) {
        let memory = self.object.memory();
        memory.write64(0, CD);
        memory.write64(8, self.table(1));
        memory.write64(24, MEMORY);
        memory.write64(PAGE, self.table(2) | TABLE);
        memory.write64(2 * PAGE + 8, ipa.0 | LEAF);
        memory.write64(2 * PAGE + 16, astray.0 | LEAF);
    }

    fn unmap(&self) {
        self.object.memory().write64(2 * PAGE + 8, 0);
    }
}

/// One transfer each way through both stages, and each stage stopping one.
pub(super) fn show(env: &Env) -> Result<(), Trouble> {
    let mut lab = Lab::of(env, "edu", "device-identity")?;
    let cb = env.device("edu")?.manage()?.cb;
    let data = lab::object(env, 2, DATA)?;
    let structures = lab::object(env, 3, 0)?;
    let page = lab.space.show(&[data.whole()], Access::ReadWrite)?;
    let stage1 = Stage1 { mapping: lab.space.show(&[structures.whole()], Access::Read)?, object: &structures };
    let beyond = page.iova().offset(0x100_0000);
    stage1.write(page.iova(), beyond);
    lab.space.sync_for_device(&stage1.mapping)?;

    let silent = lab.driver.transfer(Direction::FromMemory, page.iova(), ATTACK_BYTES)?;
    check!("nested-control", silent, "stage 2 alone translates {:#x}", page.iova().0);
    let table = CdTable { ipa: stage1.table(0), inner: 1, outer: 1, shareability: 3, ..CdTable::default() };
    cb.assign_cd_table(table).map_err(RtError::refused("assign context descriptors"))?;

    let silent = lab.driver.transfer(Direction::FromMemory, IOVA, ATTACK_BYTES)?;
    check!("nested-read", silent, "{ATTACK_BYTES} bytes at {:#x} of stage 1", IOVA.0);
    data.memory().fill64(0);
    let silent = lab.driver.transfer(Direction::ToMemory, IOVA, ATTACK_BYTES)?;
    let arrived = lab::starts_with(&data, 0, Pattern(DATA));
    check!("nested-write", silent && arrived, "{ATTACK_BYTES} bytes at {:#x} of stage 1", IOVA.0);

    lab.driver.stage = Stage::One;
    lab.driver.must_block("nested-unmapped-blocked", event::F_TRANSLATION, Direction::ToMemory, page.iova())?;
    lab.driver.stage = Stage::Two;
    lab.driver.must_block("nested-astray-blocked", event::F_TRANSLATION, Direction::ToMemory, ASTRAY)?;

    let refused = cb.invalidate_stage1(&[[TLBI_NH_ALL, 0], [SYNC, 0]]);
    let named = refused == Err(Failure::InvalidArgument { number: 1 });
    check!("nested-batch-refused", named, "SYNC is none of the holder's commands");
    stage1.unmap();
    lab.space.sync_for_device(&stage1.mapping)?;
    cb.invalidate_stage1(&[[TLBI_NH_VAA, IOVA.0]]).map_err(RtError::refused("invalidate stage 1"))?;
    lab.driver.stage = Stage::One;
    lab.driver.must_block("nested-invalidated-blocked", event::F_TRANSLATION, Direction::ToMemory, IOVA)?;

    // Mapped again and cached, then taken out of stage 2 under stage 1.
    stage1.write(page.iova(), beyond);
    lab.space.sync_for_device(&stage1.mapping)?;
    let silent = lab.driver.transfer(Direction::ToMemory, IOVA, ATTACK_BYTES)?;
    check!("nested-again", silent, "{ATTACK_BYTES} bytes at {:#x} of stage 1", IOVA.0);
    lab.space.hide(page)?;
    data.memory().fill64(0);
    lab.driver.stage = Stage::Two;
    lab.driver.must_block("nested-taken-away-blocked", event::F_TRANSLATION, Direction::ToMemory, IOVA)?;
    let intact = data.memory().to_vec(0, ATTACK_BYTES).iter().all(|byte| *byte == 0);
    check!("nested-taken-away-intact", intact, "{ATTACK_BYTES} bytes");

    cb.unassign_cd_table().map_err(RtError::refused("take context descriptors away"))?;
    let page = lab.space.show(&[data.whole()], Access::ReadWrite)?;
    let silent = lab.driver.transfer(Direction::ToMemory, page.iova(), ATTACK_BYTES)?;
    let arrived = lab::starts_with(&data, 0, Pattern(DATA));
    check!("nested-gone-control", silent && arrived, "stage 2 alone translates {:#x}", page.iova().0);
    lab.space.hide(page)?;
    Ok(lab.space.hide(stage1.mapping)?)
}
