//! The command queue's consumer (IHI 0070, chapter 4).

use sluice_smmu::regs::{
    CMD0_CFGI, CMD0_RESUME, CMD0_SYNC, CMD0_TLBI, CMD1_CFGI, CMD1_RESUME, CMD1_TLBI, CMDQ_CONS, GERROR, IDR0,
    QUEUE_BASE, opcode,
};

use crate::identity::StallModel;
use crate::invalidate::{Effect, Range, Scope};
use crate::state::State;
use crate::{Faults, Identity};

const CERROR_ILL: u32 = 1;
const CERROR_ABT: u32 = 2;
/// CS of SYNC that is reserved.
const RESERVED_SIGNAL: u64 = 3;
/// log2 of the pages that the address field of a TLBI counts in.
const PAGE_BITS: u32 = 12;

/// What a command does.
enum Action {
    Invalidate(Effect),
    Resume {
        sid: u32,
        tag: u16,
        retry: bool,
    },
    Terminate {
        sid: u32,
    },
    Sync,
    /// A hint, or something that this SMMU has nothing of.
    Nothing,
}

impl State {
    pub(crate) fn run_commands(&mut self, faults: Faults) {
        let bits = QUEUE_BASE::LOG2SIZE.read(self.registers.cmdq_base) as u32;
        let pointer = (2u32 << bits) - 1;
        while self.registers.commands_run()
            && (self.registers.cmdq_prod & pointer) != (self.registers.cmdq_cons & pointer)
        {
            let consumer = self.registers.cmdq_cons & pointer;
            let base = QUEUE_BASE::ADDR.read(self.registers.cmdq_base) << QUEUE_BASE::ADDR.shift;
            let at = base + 16 * u64::from(consumer & ((1 << bits) - 1));
            let words: [u64; 2] = self.memory.borrow().words(at);
            let op = CMD0_CFGI::OPCODE.read(words[0]);
            if op == opcode::SYNC && faults.sync_hangs {
                return;
            }
            let action = if faults.fetch_aborts || !self.memory.borrow().answers(at) {
                Err(CERROR_ABT)
            } else if faults.rejected_opcode == Some(op) {
                Err(CERROR_ILL)
            } else {
                self.registers.identity.command(words).ok_or(CERROR_ILL)
            };
            match action {
                Ok(action) => self.act(action),
                Err(error) => {
                    self.registers.cmdq_cons = consumer | CMDQ_CONS::ERR.val(error).value;
                    self.registers.raise(GERROR::CMDQ.val(1).value);
                    return;
                }
            }
            self.executed.push(words);
            // ERR keeps its last value, as it does in QEMU.
            let kept = self.registers.cmdq_cons & CMDQ_CONS::ERR.val(0x7f).value;
            self.registers.cmdq_cons = ((consumer + 1) & pointer) | kept;
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Invalidate(effect) => self.pending.push(effect),
            Action::Resume { sid, tag, retry } => self.stalled.resume(sid, tag, retry),
            Action::Terminate { sid } => self.stalled.terminate(sid),
            Action::Sync => {
                for effect in std::mem::take(&mut self.pending) {
                    self.apply(effect);
                }
            }
            Action::Nothing => {}
        }
    }
}

impl Identity {
    /// What a command does; `None` where it is illegal (CERROR_ILL).
    fn command(&self, [low, high]: [u64; 2]) -> Option<Action> {
        let sid = CMD0_CFGI::SID.read(low) as u32;
        let ssid = CMD0_CFGI::SSID.read(low) as u32;
        let op = CMD0_CFGI::OPCODE.read(low);
        let translations = |scope| Action::Invalidate(Effect::Translations(scope));
        // Streams are named by all but TLBI and SYNC; there are no Secure ones here (4.1.6).
        let names_stream = matches!(
            op,
            opcode::PREFETCH_CONFIG..=opcode::CFGI_CD_ALL | opcode::ATC_INV..=opcode::STALL_TERM
        );
        if names_stream && CMD0_CFGI::SSEC.is_set(low) {
            return None;
        }
        let stalls = self.stall_model() != StallModel::Never;
        let action = match op {
            opcode::PREFETCH_CONFIG | opcode::PREFETCH_ADDR => Action::Nothing,
            opcode::CFGI_STE => {
                Action::Invalidate(Effect::Streams { first: sid, last: sid, leaf: CMD1_CFGI::LEAF.is_set(high) })
            }
            opcode::CFGI_STE_RANGE => {
                let span = (2u64 << CMD1_CFGI::RANGE.read(high)) - 1;
                let first = u64::from(sid) & !span;
                Action::Invalidate(Effect::Streams { first: first as u32, last: (first + span) as u32, leaf: false })
            }
            opcode::CFGI_CD if self.stage1() => Action::Invalidate(Effect::Context { sid, ssid }),
            opcode::CFGI_CD_ALL if self.stage1() => Action::Invalidate(Effect::Contexts { sid }),
            opcode::TLBI_NH_ALL if self.stage1() => translations(Scope::Stage1(self.tlbi_vmid(low))),
            opcode::TLBI_NH_ASID if self.stage1() => {
                translations(Scope::Asid { vmid: self.tlbi_vmid(low), asid: self.tlbi_asid(low) })
            }
            opcode::TLBI_NH_VA | opcode::TLBI_NH_VAA if self.stage1() => translations(Scope::Addresses {
                vmid: self.tlbi_vmid(low),
                asid: (op == opcode::TLBI_NH_VA).then(|| self.tlbi_asid(low)),
                range: self.range(low, high)?,
            }),
            opcode::TLBI_EL2_ALL | opcode::TLBI_EL2_ASID | opcode::TLBI_EL2_VA | opcode::TLBI_EL2_VAA
                if IDR0::HYP.is_set(self.idr0) =>
            {
                Action::Nothing
            }
            opcode::TLBI_S12_VMALL if self.stage2() => translations(Scope::Vmid(self.tlbi_vmid(low))),
            opcode::TLBI_S2_IPA if self.stage2() => {
                translations(Scope::Intermediate { vmid: self.tlbi_vmid(low), range: self.range(low, high)? })
            }
            opcode::TLBI_NSNH_ALL => translations(Scope::All),
            opcode::ATC_INV if IDR0::ATS.is_set(self.idr0) => Action::Nothing,
            opcode::PRI_RESP if IDR0::PRI.is_set(self.idr0) => Action::Nothing,
            opcode::RESUME if stalls => {
                Action::Resume { sid, tag: CMD1_RESUME::STAG.read(high) as u16, retry: CMD0_RESUME::RETRY.is_set(low) }
            }
            opcode::STALL_TERM if stalls => Action::Terminate { sid },
            opcode::SYNC if CMD0_SYNC::CS.read(low) != RESERVED_SIGNAL => Action::Sync,
            _ => return None,
        };
        Some(action)
    }

    fn tlbi_vmid(&self, low: u64) -> u16 {
        self.vmid(CMD0_TLBI::VMID.read(low))
    }

    fn tlbi_asid(&self, low: u64) -> u16 {
        self.asid(CMD0_TLBI::ASID.read(low))
    }

    /// The addresses of a TLBI (4.4.1). Without IDR3.RIL, and with TG 0, it is one page, and the hints mean nothing.
    fn range(&self, low: u64, high: u64) -> Option<Range> {
        let first = CMD1_TLBI::ADDR.read(high) << PAGE_BITS;
        let leaf = CMD1_TLBI::LEAF.is_set(high);
        let granule = match CMD1_TLBI::TG.read(high) {
            1 if self.ranges() => 12,
            2 if self.ranges() => 14,
            3 if self.ranges() => 16,
            _ => return Some(Range { first, last: first | 0xfff, leaf, level: None }),
        };
        let (num, scale, hint) =
            (CMD0_TLBI::NUM.read(low), CMD0_TLBI::SCALE.read(low), CMD1_TLBI::TTL.read(high) as u32);
        if num == 0 && scale == 0 && hint == 0 {
            return None;
        }
        let first = first >> granule << granule;
        let bytes = u128::from(num + 1) << scale << granule;
        let last = u128::from(first) + bytes - 1;
        let level = (hint != 0).then_some(hint);
        Some(Range { first, last: u64::try_from(last).unwrap_or(u64::MAX), leaf, level })
    }
}
