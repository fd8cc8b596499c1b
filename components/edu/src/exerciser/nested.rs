//! A stage 1 of the component's own, walked by the SMMU under what the kernel permits.

use sluice_abi::Iova;
use sluice_abi::smmu::{CdTable, event};
use sluice_dma::{Access, Mapping, Object, stage1};
use sluice_edu::{Direction, Pattern, Stage};
use sluice_rt::{Env, RtError, check};
use sluice_sys::Failure;

use super::driver::ATTACK_BYTES;
use super::error::Trouble;
use super::lab::{self, Lab, PAGE};

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
    fn table(&self, page: u64) -> Iova {
        self.mapping.iova().offset(page * PAGE as u64)
    }

    /// Maps [`IOVA`] to `ipa`, and [`ASTRAY`] to nothing.
    fn write(&self, ipa: Iova, astray: Iova) {
        let memory = self.object.memory();
        for (index, word) in stage1::context_descriptor(self.table(1)).into_iter().enumerate() {
            memory.write64(8 * index, word);
        }
        memory.write64(PAGE, stage1::table(self.table(2)));
        memory.write64(2 * PAGE + 8, stage1::page(ipa));
        memory.write64(2 * PAGE + 16, stage1::page(astray));
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
    let own = Stage1 { mapping: lab.space.show(&[structures.whole()], Access::Read)?, object: &structures };
    let beyond = page.iova().offset(0x100_0000);
    own.write(page.iova(), beyond);
    lab.space.sync_for_device(&own.mapping)?;

    let silent = lab.driver.transfer(Direction::FromMemory, page.iova(), ATTACK_BYTES)?;
    check!("nested-control", silent, "stage 2 alone translates {:#x}", page.iova().0);
    let table = CdTable { ipa: own.table(0).0, inner: 1, outer: 1, shareability: 3, ..CdTable::default() };
    cb.assign_cd_table(table).map_err(RtError::refused("assign context descriptors"))?;

    let silent = lab.driver.transfer(Direction::FromMemory, IOVA, ATTACK_BYTES)?;
    check!("nested-read", silent, "{ATTACK_BYTES} bytes at {:#x} of stage 1", IOVA.0);
    data.memory().fill64(0);
    let silent = lab.driver.transfer(Direction::ToMemory, IOVA, ATTACK_BYTES)?;
    let arrived = lab::starts_with(&data, 0, Pattern(DATA));
    check!("nested-write", silent && arrived, "{ATTACK_BYTES} bytes at {:#x} of stage 1", IOVA.0);

    lab.driver.stage = Stage::One;
    lab.driver.must_block("nested-unmapped-blocked", event::F_TRANSLATION, Direction::ToMemory, page.iova())?;
    lab.driver.must_block("nested-unmapped-read-blocked", event::F_TRANSLATION, Direction::FromMemory, page.iova())?;
    lab.driver.stage = Stage::Two;
    lab.driver.must_block("nested-astray-blocked", event::F_TRANSLATION, Direction::ToMemory, ASTRAY)?;
    lab.driver.must_block("nested-astray-read-blocked", event::F_TRANSLATION, Direction::FromMemory, ASTRAY)?;
    // What a read that was stopped leaves in the device is not said.
    lab.driver.transfer(Direction::FromMemory, IOVA, ATTACK_BYTES)?;

    let refused = cb.invalidate_stage1(&[[TLBI_NH_ALL, 0], [SYNC, 0]]);
    let named = refused == Err(Failure::InvalidArgument { number: 1 });
    check!("nested-batch-refused", named, "SYNC is none of the holder's commands");
    own.unmap();
    lab.space.sync_for_device(&own.mapping)?;
    cb.invalidate_stage1(&[[TLBI_NH_VAA, IOVA.0]]).map_err(RtError::refused("invalidate stage 1"))?;
    lab.driver.stage = Stage::One;
    lab.driver.must_block("nested-invalidated-blocked", event::F_TRANSLATION, Direction::ToMemory, IOVA)?;

    // Mapped again and cached, then taken out of stage 2 under stage 1.
    own.write(page.iova(), beyond);
    lab.space.sync_for_device(&own.mapping)?;
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
    Ok(lab.space.hide(own.mapping)?)
}
