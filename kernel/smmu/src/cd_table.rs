//! What of a holder's table of context descriptors an SMMU can work with.

use sluice_abi::USER_TOP;
use sluice_abi::smmu::CdTable;

use crate::regs::{s1dss, s1fmt};
use crate::{Features, StallModel};

/// Bytes (log2) of a context descriptor (IHI 0070, 5.4).
const CD_BYTES_BITS: u32 = 6;
/// S1CSH: the value the document reserves.
const RESERVED_SHAREABILITY: u8 = 1;

/// Why a table of context descriptors is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CdTableRefusal {
    /// The SMMU lacks a stage, stalls whatever it is told, or the format is one that is not supported.
    Unsupported,
    /// A field has a value that the architecture reserves.
    Reserved,
    /// More descriptors than the SMMU's SubstreamIDs reach (log2).
    TooMany {
        /// log2 of the most descriptors.
        max: u32,
    },
    /// The address lies beyond what stage 2 translates.
    Beyond,
    /// The address is not aligned to the table's size, of which the SMMU would ignore the low bits.
    Misaligned,
}

/// Checks a table against the identification registers. Where it lies in memory, and what it holds, is its holder's own
/// affair: the SMMU fetches it through stage 2, and faults.
///
/// # Errors
/// The first reason against it.
pub fn check_cd_table(features: &Features, table: &CdTable) -> Result<(), CdTableRefusal> {
    if !features.nests() {
        return Err(CdTableRefusal::Unsupported);
    }
    if u64::from(table.default_substream) > s1dss::SUBSTREAM0
        || table.shareability == RESERVED_SHAREABILITY
        || u64::from(table.format) > s1fmt::TWO_LEVEL_64K
    {
        return Err(CdTableRefusal::Reserved);
    }
    if u64::from(table.format) != s1fmt::LINEAR {
        return Err(CdTableRefusal::Unsupported);
    }
    if u32::from(table.max) > features.ssid_bits {
        return Err(CdTableRefusal::TooMany { max: features.ssid_bits });
    }
    let bytes_bits = CD_BYTES_BITS + u32::from(table.max);
    if table.ipa > USER_TOP {
        return Err(CdTableRefusal::Beyond);
    }
    if table.ipa & ((1 << bytes_bits) - 1) != 0 {
        return Err(CdTableRefusal::Misaligned);
    }
    Ok(())
}

impl Features {
    /// Whether a holder's stage 1 can be put before stage 2. Where faulting transactions always stall, a holder could
    /// make its device block for good, and the kernel ends no stalls.
    #[must_use]
    pub fn nests(&self) -> bool {
        self.stage1 && self.stage2 && self.stall_model != StallModel::Always
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::QEMU;

    #[test]
    fn tables_are_checked_against_what_the_smmu_has() {
        let check = |features: Features, table| check_cd_table(&features, &table);
        let table = CdTable { ipa: 0x40, default_substream: 2, ..CdTable::default() };
        assert_eq!(check(QEMU, table), Ok(()));
        for lacking in [
            Features { stage1: false, ..QEMU },
            Features { stage2: false, ..QEMU },
            Features { stall_model: StallModel::Always, ..QEMU },
        ] {
            assert_eq!(check(lacking, table), Err(CdTableRefusal::Unsupported));
        }
        for reserved in [
            CdTable { default_substream: 3, ..table },
            CdTable { shareability: 1, ..table },
            CdTable { format: 3, ..table },
        ] {
            assert_eq!(check(QEMU, reserved), Err(CdTableRefusal::Reserved));
        }
        for format in [1, 2] {
            assert_eq!(check(QEMU, CdTable { format, ..table }), Err(CdTableRefusal::Unsupported));
        }
        assert_eq!(check(QEMU, CdTable { max: 1, ..table }), Err(CdTableRefusal::TooMany { max: 0 }));
        let substreams = Features { ssid_bits: 4, ..QEMU };
        assert_eq!(check(substreams, CdTable { max: 5, ..table }), Err(CdTableRefusal::TooMany { max: 4 }));
        assert_eq!(check(substreams, CdTable { ipa: 0x400, max: 4, ..table }), Ok(()));
        assert_eq!(check(substreams, CdTable { ipa: 0x200, max: 4, ..table }), Err(CdTableRefusal::Misaligned));
        assert_eq!(check(QEMU, CdTable { ipa: 0x20, ..table }), Err(CdTableRefusal::Misaligned));
        assert_eq!(check(QEMU, CdTable { ipa: 1 << 44, ..table }), Err(CdTableRefusal::Beyond));
        assert_eq!(check(QEMU, CdTable { ipa: (1 << 44) - 64, ..table }), Ok(()));
    }
}
