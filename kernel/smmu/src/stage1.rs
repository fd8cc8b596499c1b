//! The white list of commands that the holder of a context may issue for its own stage 1.

use sluice_abi::smmu::CdTable;
use tock_registers::RegisterLongName;
use tock_registers::fields::Field;

use crate::Features;
use crate::regs::{CMD0_CFGI, CMD0_TLBI, CMD1_CFGI, CMD1_TLBI, opcode};

/// TG of the 16 KiB granule, whose tables have no level 1 that could be hinted at.
const GRANULE_16K: u64 = 2;
/// ASIDs of the smaller size end here.
const SMALL_ASIDS: u64 = 1 << 8;

/// A command that passed the white list, without the tag and the stream that its holder wrote: whoever issues it says
/// which are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage1Command {
    /// Forget translations; VMID is 0.
    Translations([u64; 2]),
    /// Forget context descriptors; the StreamID is 0.
    Descriptors([u64; 2]),
}

impl Stage1Command {
    /// The command in two words that a holder wrote, whose context has `table`; `None` when it is not on the list, or
    /// has bits set that the architecture reserves (IHI 0070, 4.3 and 4.4).
    #[must_use]
    pub fn admit(features: &Features, table: &CdTable, words: [u64; 2]) -> Option<Self> {
        let asid = CMD0_TLBI::ASID.read(words[0]);
        let asid_fits = features.asid_bits > 8 || asid < SMALL_ASIDS;
        let substream = CMD0_CFGI::SSID.read(words[0]);
        let (low, high) = match CMD0_TLBI::OPCODE.read(words[0]) {
            opcode::TLBI_NSNH_ALL => (0, 0),
            opcode::TLBI_NH_ALL => (bits(CMD0_TLBI::VMID), 0),
            opcode::TLBI_NH_ASID if asid_fits => (bits(CMD0_TLBI::VMID) | bits(CMD0_TLBI::ASID), 0),
            opcode::TLBI_NH_VA if asid_fits => {
                let (low, high) = address_bits(features, words)?;
                (low | bits(CMD0_TLBI::ASID), high)
            }
            opcode::TLBI_NH_VAA => address_bits(features, words)?,
            opcode::CFGI_CD if substream >> table.max == 0 => {
                (bits(CMD0_CFGI::SID) | bits(CMD0_CFGI::SSID), bits(CMD1_CFGI::LEAF))
            }
            opcode::CFGI_CD_ALL => (bits(CMD0_CFGI::SID), 0),
            _ => return None,
        };
        let allowed = words[0] & !(low | bits(CMD0_TLBI::OPCODE)) == 0 && words[1] & !high == 0;
        allowed.then(|| Self::without_names(words))
    }

    fn without_names([low, high]: [u64; 2]) -> Self {
        match CMD0_TLBI::OPCODE.read(low) {
            opcode::CFGI_CD | opcode::CFGI_CD_ALL => Self::Descriptors([CMD0_CFGI::SID.val(0).modify(low), high]),
            // It would reach other contexts: what it does to the holder's own is NH_ALL.
            opcode::TLBI_NSNH_ALL => Self::Translations([CMD0_TLBI::OPCODE.val(opcode::TLBI_NH_ALL).value, high]),
            _ => Self::Translations([CMD0_TLBI::VMID.val(0).modify(low), high]),
        }
    }
}

/// Bits of a field in its word.
fn bits<R: RegisterLongName>(field: Field<u64, R>) -> u64 {
    field.mask << field.shift
}

/// What may be set, besides the ASID, in a command about addresses (4.4.1.1): one address, or with IDR3.RIL a range of
/// granules that the SMMU has.
fn address_bits(features: &Features, [low, high]: [u64; 2]) -> Option<(u64, u64)> {
    let (vmid, one) = (bits(CMD0_TLBI::VMID), bits(CMD1_TLBI::LEAF) | bits(CMD1_TLBI::ADDR));
    let granule = CMD1_TLBI::TG.read(high);
    if granule == 0 {
        return Some((vmid, one));
    }
    let level = CMD1_TLBI::TTL.read(high);
    let one_granule = CMD0_TLBI::NUM.read(low) == 0 && CMD0_TLBI::SCALE.read(low) == 0;
    let reserved = one_granule && level == 0 || granule == GRANULE_16K && level == 1;
    let range = bits(CMD0_TLBI::NUM) | bits(CMD0_TLBI::SCALE);
    (features.range_invalidation && features.has_granule(granule) && !reserved)
        .then(|| (vmid | range, one | bits(CMD1_TLBI::TG) | bits(CMD1_TLBI::TTL)))
}

#[cfg(test)]
mod tests;
