//! The command queue's consumer.

use sluice_smmu::regs::{CMD0_CFGI, CMD0_TLBI, CMD1_CFGI, CMD1_TLBI, CMDQ_CONS, GERROR, QUEUE_BASE, opcode};

use crate::Faults;
use crate::state::State;

const CERROR_ILL: u32 = 1;
const CERROR_ABT: u32 = 2;

/// An invalidation that the next SYNC completes.
pub(crate) enum Effect {
    /// Streams `sid..=last`, with the descriptors that lead to them unless `leaf`.
    Streams {
        first: u32,
        last: u32,
        leaf: bool,
    },
    Context {
        vmid: u16,
    },
    Pages {
        vmid: u16,
        first: u64,
        last: u64,
    },
    AllTranslations,
}

impl State {
    pub(crate) fn run_commands(&mut self, faults: Faults) {
        let bits = QUEUE_BASE::LOG2SIZE.read(self.registers.cmdq_base) as u32;
        let pointer = (2u32 << bits) - 1;
        while self.registers.commands_run()
            && (self.registers.cmdq_prod & pointer) != (self.registers.cmdq_cons & pointer)
        {
            let consumer = self.registers.cmdq_cons & pointer;
            let base = QUEUE_BASE::ADDR.read(self.registers.cmdq_base) << 5;
            let at = base + 16 * u64::from(consumer & ((1 << bits) - 1));
            let words = [self.word(at), self.word(at + 8)];
            let op = CMD0_CFGI::OPCODE.read(words[0]);
            if op == opcode::SYNC && faults.sync_hangs {
                return;
            }
            let error = if faults.fetch_aborts {
                Some(CERROR_ABT)
            } else if faults.rejected_opcode == Some(op) {
                Some(CERROR_ILL)
            } else {
                self.execute(op, words).err()
            };
            if let Some(error) = error {
                self.registers.cmdq_cons = consumer | CMDQ_CONS::ERR.val(error).value;
                self.registers.raise(GERROR::CMDQ.val(1).value);
                return;
            }
            self.executed.push(words);
            // ERR keeps its last value, as it does in QEMU.
            let kept = self.registers.cmdq_cons & CMDQ_CONS::ERR.val(0x7f).value;
            self.registers.cmdq_cons = ((consumer + 1) & pointer) | kept;
        }
    }

    fn execute(&mut self, op: u64, [low, high]: [u64; 2]) -> Result<(), u32> {
        let sid = CMD0_CFGI::SID.read(low) as u32;
        let vmid = CMD0_TLBI::VMID.read(low) as u16;
        let effect = match op {
            opcode::CFGI_STE => Effect::Streams { first: sid, last: sid, leaf: CMD1_CFGI::LEAF.is_set(high) },
            opcode::CFGI_STE_RANGE => {
                let span = (2u64 << CMD1_CFGI::RANGE.read(high)) - 1;
                let first = u64::from(sid) & !span;
                Effect::Streams { first: first as u32, last: (first + span) as u32, leaf: false }
            }
            opcode::TLBI_S12_VMALL => Effect::Context { vmid },
            opcode::TLBI_S2_IPA => {
                let first = CMD1_TLBI::ADDR.read(high);
                let (num, scale) = (CMD0_TLBI::NUM.read(low), CMD0_TLBI::SCALE.read(low));
                let range = CMD1_TLBI::TG.read(high) != 0;
                if range && num == 0 && scale == 0 && CMD1_TLBI::TTL.read(high) == 0 {
                    return Err(CERROR_ILL);
                }
                let pages = if range { (num + 1) << scale } else { 1 };
                Effect::Pages { vmid, first, last: first + pages - 1 }
            }
            opcode::TLBI_NSNH_ALL => Effect::AllTranslations,
            opcode::SYNC => {
                for effect in std::mem::take(&mut self.pending) {
                    self.apply(effect);
                }
                return Ok(());
            }
            _ => return Err(CERROR_ILL),
        };
        self.pending.push(effect);
        Ok(())
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Streams { first, last, leaf } => {
                self.entries.retain(|sid, _| !(first..=last).contains(sid));
                if !leaf {
                    let covered = u64::from(first >> 8)..=u64::from(last >> 8);
                    self.descriptors.retain(|index, _| !covered.contains(index));
                }
                let addresses: Vec<u64> = self.seen.keys().copied().collect();
                for at in addresses {
                    if self.sid_of(at).is_none_or(|sid| (first..=last).contains(&sid)) {
                        self.seen.remove(&at);
                    }
                }
            }
            Effect::Context { vmid } => self.tlb.retain(|(tag, _), _| *tag != vmid),
            // A block is gone when any page of it is named.
            Effect::Pages { vmid, first, last } => self.tlb.retain(|(tag, page), leaf| {
                *tag != vmid || page >> leaf.order > last >> leaf.order || page >> leaf.order < first >> leaf.order
            }),
            Effect::AllTranslations => self.tlb.clear(),
        }
    }
}
