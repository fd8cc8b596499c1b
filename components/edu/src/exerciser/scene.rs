//! What every experiment uses: the device, its stream and space, a loaded weapon, and the records it leaves.

use sluice_abi::Iova;
use sluice_abi::smmu::event;
use sluice_canary::{CHANNEL, Vault};
use sluice_dma::DeviceSpace;
use sluice_edu::{Direction, Pattern};
use sluice_rt::{DmaView, Env, Tables, UntypedGrant, check};

use super::driver::{ATTACK_BYTES, Driver};
use super::error::Trouble;
use super::frames::OwnPage;

/// What attacks write.
pub(super) const WEAPON: Pattern = Pattern(0xd);

pub(super) struct Scene<'a> {
    pub(super) env: &'a Env,
    pub(super) driver: Driver,
    pub(super) space: DeviceSpace<'a>,
    pub(super) tables: Tables<'a>,
    /// The region the device may read and write.
    pub(super) buffer: DmaView,
    /// The region the device may only read.
    pub(super) read_only: DmaView,
    pub(super) vault: Vault,
    pub(super) victim: UntypedGrant,
    /// An ordinary page, to put where an attack was blocked.
    pub(super) ordinary: OwnPage,
}

impl<'a> Scene<'a> {
    pub(super) fn of(env: &'a Env) -> Result<Self, Trouble> {
        let device = env.device("edu")?;
        let tables = Tables::new(env.untyped("tables")?.cap, env.slots());
        Ok(Self {
            env,
            driver: Driver::of(&device, "device-identity")?,
            space: DeviceSpace::of(env, &device, tables)?,
            tables,
            buffer: device.dma("edu_buffer")?,
            read_only: device.dma("edu_readonly")?,
            vault: Vault(env.channel_client(CHANNEL)?),
            victim: env.untyped("victim")?,
            ordinary: OwnPage::make(env, env.untyped("tables")?.cap, &tables)?,
        })
    }

    /// Fills the device's buffer with what attacks write.
    pub(super) fn load_weapon(&self) -> Result<(), Trouble> {
        let mut bytes = [0; ATTACK_BYTES];
        WEAPON.fill(&mut bytes);
        self.buffer.memory.write(0, &bytes);
        self.driver.engine.transfer(Direction::FromMemory, self.buffer.iova, ATTACK_BYTES)
    }

    /// Attacks `at` with the weapon, then checks that the same transfer works once an ordinary page is there.
    pub(super) fn attack_then_control(&mut self, names: [&str; 2], at: Iova) -> Result<(), Trouble> {
        let [blocked, control] = names;
        self.driver.must_block(blocked, event::F_TRANSLATION, Direction::ToMemory, at)?;
        let page = Iova(at.0 & !(sluice_abi::PAGE_SIZE - 1));
        self.ordinary.memory.fill64(0);
        self.ordinary.show_at(&mut self.space, page)?;
        let silent = self.driver.transfer(Direction::ToMemory, at, ATTACK_BYTES)?;
        let found = self.ordinary.memory.to_vec((at.0 - page.0) as usize, ATTACK_BYTES);
        let arrived = WEAPON.mismatch(&found).is_none();
        check!(control, silent && arrived, "iova {:#x} with an ordinary page there, {ATTACK_BYTES} bytes", at.0);
        self.ordinary.hide(&mut self.space, page)
    }
}
