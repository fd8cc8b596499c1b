//! What an SMMU says it is.

use sluice_smmu::regs::{IDR0, IDR1, IDR3, IDR5};

/// Identification registers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity {
    /// SMMU_IDR0.
    pub idr0: u32,
    /// SMMU_IDR1.
    pub idr1: u32,
    /// SMMU_IDR3.
    pub idr3: u32,
    /// SMMU_IDR5.
    pub idr5: u32,
    /// SMMU_AIDR.
    pub aidr: u32,
}

/// IDR0.STALL_MODEL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StallModel {
    /// Streams stall or abort, as they are configured.
    Selectable,
    /// Faults abort.
    Never,
    /// Faults stall.
    Always,
}

impl Identity {
    /// What QEMU 10.0 `virt` shows.
    pub const QEMU: Self = Self { idr0: 0x0d44_101b, idr1: 0x0273_0010, idr3: 0x1414, idr5: 0x74, aidr: 1 };

    pub(crate) fn stage1(&self) -> bool {
        IDR0::S1P.is_set(self.idr0)
    }

    pub(crate) fn stage2(&self) -> bool {
        IDR0::S2P.is_set(self.idr0)
    }

    pub(crate) fn stall_model(&self) -> StallModel {
        match IDR0::STALL_MODEL.read(self.idr0) {
            0 => StallModel::Selectable,
            2 => StallModel::Always,
            _ => StallModel::Never,
        }
    }

    pub(crate) fn substream_bits(&self) -> u32 {
        IDR1::SSIDSIZE.read(self.idr1)
    }

    pub(crate) fn ranges(&self) -> bool {
        IDR3::RIL.is_set(self.idr3)
    }

    /// Bits of an output address.
    pub(crate) fn output_bits(&self) -> u32 {
        address_bits(u64::from(IDR5::OAS.read(self.idr5)))
    }

    /// Whether a granule of 2^`bits` bytes is implemented.
    pub(crate) fn has_granule(&self, bits: u32) -> bool {
        match bits {
            12 => IDR5::GRAN4K.is_set(self.idr5),
            14 => IDR5::GRAN16K.is_set(self.idr5),
            16 => IDR5::GRAN64K.is_set(self.idr5),
            _ => false,
        }
    }

    /// The VMID that tags translations of an entry with this field (5.2, S2VMID).
    pub(crate) fn vmid(&self, field: u64) -> u16 {
        match (self.stage2(), IDR0::VMID16.is_set(self.idr0)) {
            (false, _) => 0,
            (true, true) => field as u16,
            (true, false) => field as u16 & 0xff,
        }
    }

    /// The ASID of a context descriptor or command with this field.
    pub(crate) fn asid(&self, field: u64) -> u16 {
        if IDR0::ASID16.is_set(self.idr0) { field as u16 } else { field as u16 & 0xff }
    }
}

/// Address bits by the encoding that OAS, IPS and S2PS share; reserved encodings are taken as the largest.
pub(crate) fn address_bits(encoding: u64) -> u32 {
    match encoding {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => 52,
    }
}
