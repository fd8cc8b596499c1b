//! What every experiment uses: the device, its stream and space, a loaded weapon, and the records it leaves.

use sluice_abi::Iova;
use sluice_abi::smmu::{Record, StreamId, event};
use sluice_canary::{CHANNEL, Vault};
use sluice_dma::DeviceSpace;
use sluice_edu::{Direction, Expected, Pattern, Shown};
use sluice_rt::time::Deadline;
use sluice_rt::{DmaView, Env, RtError, Signal, Tables, UntypedGrant, check};
use sluice_sys::{Sid, yield_now};

use super::engine::Engine;
use super::error::Trouble;
use super::frames::OwnPage;

/// Bytes of an attack: a few beats of the bus.
pub(super) const ATTACK_BYTES: usize = 64;
/// What attacks write.
pub(super) const WEAPON: Pattern = Pattern(0xd);
/// How long a record may take from the device to the signal.
const RECORD_MS: u64 = 1000;

pub(super) struct Scene<'a> {
    pub(super) env: &'a Env,
    pub(super) engine: Engine,
    pub(super) stream: StreamId,
    pub(super) sid: Sid,
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
    faults: Signal,
}

impl<'a> Scene<'a> {
    pub(super) fn of(env: &'a Env) -> Result<Self, Trouble> {
        let device = env.device("edu")?;
        let tables = Tables::new(env.untyped("tables")?.cap, env.slots());
        let manage = device.manage()?;
        Ok(Self {
            env,
            engine: Engine::new(device.registers(0)?),
            stream: device.streams().next().ok_or(Trouble::NoStream)?,
            sid: manage.sids.first().copied().ok_or(Trouble::NoStream)?,
            space: DeviceSpace::of(env, &device, tables)?,
            tables,
            buffer: device.dma("edu_buffer")?,
            read_only: device.dma("edu_readonly")?,
            vault: Vault(env.channel_client(CHANNEL)?),
            victim: env.untyped("victim")?,
            ordinary: OwnPage::make(env, env.untyped("tables")?.cap, &tables)?,
            faults: device.fault_signal()?,
        })
    }

    /// Fills the device's buffer with what attacks write.
    pub(super) fn load_weapon(&self) -> Result<(), Trouble> {
        let mut bytes = [0; ATTACK_BYTES];
        WEAPON.fill(&mut bytes);
        self.buffer.memory.write(0, &bytes);
        self.engine.transfer(Direction::FromMemory, self.buffer.iova, ATTACK_BYTES)
    }

    /// Transfers, and returns the fault record that arrives at the fault signal.
    pub(super) fn attempt(&self, direction: Direction, at: Iova, count: usize) -> Result<Option<Record>, Trouble> {
        self.forget_faults()?;
        self.engine.transfer(direction, at, count)?;
        let deadline = Deadline::in_milliseconds(RECORD_MS);
        while !self.faults.poll() {
            if deadline.passed() {
                return Ok(None);
            }
            yield_now();
        }
        let record = self.sid.get_fault().map_err(RtError::refused("read a fault record"))?;
        self.forget_faults()?;
        Ok(record)
    }

    /// A transfer that must leave no record.
    pub(super) fn transfer(&self, direction: Direction, at: Iova, count: usize) -> Result<bool, Trouble> {
        self.forget_faults()?;
        self.engine.transfer(direction, at, count)?;
        let record = self.sid.get_fault().map_err(RtError::refused("read a fault record"))?;
        Ok(record.is_none())
    }

    /// Checks that an access is stopped with a record of this event.
    pub(super) fn must_block(&self, name: &str, event: u64, direction: Direction, at: Iova) -> Result<bool, Trouble> {
        let record = self.attempt(direction, at, ATTACK_BYTES)?;
        let expected = Expected { event, stream: self.stream, iova: at, direction };
        let blocked = record.is_some_and(|record| expected.matches(&record));
        Ok(check!(name, blocked, "{}", Shown(record)))
    }

    /// Attacks `at` with the weapon, then checks that the same transfer works once an ordinary page is there.
    pub(super) fn attack_then_control(&mut self, names: [&str; 2], at: Iova) -> Result<(), Trouble> {
        let [blocked, control] = names;
        self.must_block(blocked, event::F_TRANSLATION, Direction::ToMemory, at)?;
        let page = Iova(at.0 & !(sluice_abi::PAGE_SIZE - 1));
        self.ordinary.memory.fill64(0);
        self.ordinary.show_at(&mut self.space, page)?;
        let silent = self.transfer(Direction::ToMemory, at, ATTACK_BYTES)?;
        let found = self.ordinary.memory.to_vec((at.0 - page.0) as usize, ATTACK_BYTES);
        let arrived = WEAPON.mismatch(&found).is_none();
        check!(control, silent && arrived, "iova {:#x} with an ordinary page there, {ATTACK_BYTES} bytes", at.0);
        self.ordinary.hide(&mut self.space, page)
    }

    fn forget_faults(&self) -> Result<(), Trouble> {
        self.sid.clear_fault().map_err(RtError::refused("clear a stream's faults"))?;
        // What was signalled until now belongs to what was cleared.
        let _was_signalled: bool = self.faults.poll();
        Ok(())
    }
}
