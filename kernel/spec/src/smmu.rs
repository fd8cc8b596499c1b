//! SMMUs: what each can do, whether it is up, and its own errors.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sluice_abi::smmu::{Record, SmmuState};

use crate::step::{Answer, Stepped};
use crate::{Cap, Refused, Slot, State};

/// What an SMMU can do, as far as that decides what is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Abilities {
    /// It has stage 1.
    pub stage1: bool,
    /// It has stage 2.
    pub stage2: bool,
    /// A transaction that faults waits, whatever it is told.
    pub always_stalls: bool,
    /// Bits of a SubstreamID.
    pub substream_bits: u32,
    /// Bits of an ASID.
    pub asid_bits: u32,
    /// Its invalidations take ranges.
    pub ranges: bool,
    /// It has granules of 4, 16 and 64 KiB.
    pub granules: [bool; 3],
}

impl Abilities {
    /// Both stages, no stalls, no substreams, ranges of every granule: what QEMU's has.
    pub const QEMU: Self = Self {
        stage1: true,
        stage2: true,
        always_stalls: false,
        substream_bits: 0,
        asid_bits: 16,
        ranges: true,
        granules: [true; 3],
    };

    /// Whether it can translate for a context. Where whatever faults waits, a device could be made to wait for ever.
    pub(crate) const fn translates(&self) -> bool {
        !self.always_stalls
    }

    /// Whether the holder of a context can have a stage 1 of its own.
    #[must_use]
    pub const fn nests(&self) -> bool {
        self.stage1 && self.stage2 && !self.always_stalls
    }
}

/// A command of the kernel's that an SMMU did not understand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RejectedCommand {
    /// Why, as CMDQ_CONS.ERR says it.
    pub error: u64,
    /// Which entry of the queue it was.
    pub index: u64,
    /// The command.
    pub words: [u64; 2],
}

/// An SMMU.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Smmu {
    /// Streams it can tell apart.
    pub streams: u64,
    /// Contexts it has.
    pub contexts: u32,
    /// What it can do.
    pub can: Abilities,
    /// Whether it translates; all its streams abort when it does not, for whatever reason.
    pub up: bool,
    /// Bits of GERROR that nobody has cleared.
    pub errors: u64,
    /// The last command it rejected that nobody has taken.
    pub rejected: Option<RejectedCommand>,
    /// First streams of the tables installed.
    pub tables: BTreeSet<u32>,
    /// Records of streams without a handler, oldest first.
    pub unclaimed: Vec<Record>,
    /// How many more there were since the latest of them.
    pub dropped: u64,
}

impl Smmu {
    /// One that is up, without tables, that has reported nothing.
    #[must_use]
    pub const fn new(streams: u64, contexts: u32, can: Abilities) -> Self {
        Self {
            streams,
            contexts,
            can,
            up: true,
            errors: 0,
            rejected: None,
            tables: BTreeSet::new(),
            unclaimed: Vec::new(),
            dropped: 0,
        }
    }
}

impl State {
    /// An SMMU reports errors of its own; one that gives up is taken down with that.
    pub(crate) fn failed(&mut self, smmu: u8, errors: u64, gives_up: bool) {
        if let Some(smmu) = self.smmus.get_mut(&smmu) {
            smmu.errors |= errors;
            smmu.up &= !gives_up;
        }
    }

    /// An SMMU did not understand a command on the way to this state. The kernel has made up for that: who reaches what is
    /// as if it had.
    pub fn command_rejected(&mut self, smmu: u8, rejected: RejectedCommand) {
        if let Some(smmu) = self.smmus.get_mut(&smmu) {
            smmu.rejected = Some(rejected);
        }
    }

    pub(crate) fn get_global_fault(&self, control: Slot, smmu: u64) -> Stepped {
        let smmu = self.smmus.get(&self.invoked_smmu(control, smmu)?).ok_or(Refused::InvalidArgument(0))?;
        let (error, index) = smmu.rejected.map_or((0, 0), |rejected| (rejected.error, rejected.index));
        let state = if smmu.up { SmmuState::Translating } else { SmmuState::Aborting };
        Ok(Answer { state: self.clone(), words: alloc::vec![smmu.errors, error, index, 0, state as u64] })
    }

    pub(crate) fn clear_global_fault(&self, control: Slot, smmu: u64) -> Stepped {
        self.changed_smmu(control, smmu, |smmu| {
            smmu.errors = 0;
            smmu.rejected = None;
        })
    }

    /// Takes the command that was rejected. Nothing waits for that.
    pub(crate) fn skip_rejected(&self, control: Slot, smmu: u64) -> Stepped {
        let mut words = Vec::new();
        let mut answer = self.changed_smmu(control, smmu, |smmu| {
            words.extend(smmu.rejected.take().into_iter().flat_map(|rejected| rejected.words));
        })?;
        if words.is_empty() {
            return Err(Refused::IllegalOperation);
        }
        answer.words = words;
        Ok(answer)
    }

    pub(crate) fn init_smmu(&self, control: Slot, smmu: u64) -> Stepped {
        let number = self.invoked_smmu(control, smmu)?;
        if self.smmus.get(&number).is_some_and(|smmu| smmu.up) {
            return Err(Refused::IllegalOperation);
        }
        self.changed_smmu(control, smmu, |smmu| smmu.up = true)
    }

    pub(crate) fn disable_smmu(&self, control: Slot, smmu: u64) -> Stepped {
        self.changed_smmu(control, smmu, |smmu| smmu.up = false)
    }

    /// Invalidates what an SMMU has cached, which changes nothing that anybody can reach.
    pub(crate) fn invalidate_all(&self, control: Slot, smmu: u64) -> Stepped {
        self.changed_smmu(control, smmu, |_| {})
    }

    fn changed_smmu(&self, control: Slot, smmu: u64, change: impl FnOnce(&mut Smmu)) -> Stepped {
        let number = self.invoked_smmu(control, smmu)?;
        Ok(self.changed(|after| after.smmus.get_mut(&number).map(change).unwrap_or_default()))
    }

    pub(crate) fn invoked_smmu(&self, control: Slot, smmu: u64) -> Result<u8, Refused> {
        let number = u8::try_from(smmu).ok().filter(|number| self.smmus.contains_key(number));
        let is_control = matches!(self.invoked(control)?, Cap::SidControl | Cap::CbControl);
        if is_control { number.ok_or(Refused::InvalidArgument(0)) } else { Err(Refused::IllegalOperation) }
    }
}
