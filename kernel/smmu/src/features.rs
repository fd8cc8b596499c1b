//! What an SMMU can do, decoded from its identification registers and checked once.

use core::fmt;

use sluice_abi::{PHYS_BITS, PhysAddr, smmu::MAX_CBS};
use sluice_paging::Format;
use tock_registers::LocalRegisterCopy;

use crate::regs::{AIDR, IDR0, IDR1, IDR3, IDR5, offset};
use crate::{Bus, Unsupported};

/// TTF: bit of the AArch64 format.
const TTF_AARCH64: u32 = 0b10;
/// Fewest entries (log2) of a queue; two, so that a command and its SYNC fit.
const MIN_QUEUE_BITS: u32 = 1;
/// The architecture's limit of IDR1.SIDSIZE.
const MAX_SID_BITS: u32 = 32;

/// What happens to a transaction that faults (IDR0.STALL_MODEL).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StallModel {
    /// It aborts or stalls, as its stream is configured.
    Selectable,
    /// It aborts.
    Never,
    /// It stalls.
    Always,
}

/// The features of one SMMU. A value proves that the driver can work with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Minor version of the architecture: 0 is SMMUv3.0.
    pub minor: u32,
    /// Stage 1 is implemented.
    pub stage1: bool,
    /// Stage 2 is implemented.
    pub stage2: bool,
    /// Tables and queues are accessed coherently.
    pub coherent: bool,
    /// Bits of an ASID.
    pub asid_bits: u32,
    /// Bits of a VMID.
    pub vmid_bits: u32,
    /// The stall model.
    pub stall_model: StallModel,
    /// The stream table may have two levels.
    pub two_level: bool,
    /// Bits of a StreamID.
    pub sid_bits: u32,
    /// Bits of a SubstreamID, 0 when there are none.
    pub ssid_bits: u32,
    /// log2 of the most command queue entries.
    pub command_bits: u32,
    /// log2 of the most event queue entries.
    pub event_bits: u32,
    /// Invalidation takes ranges.
    pub range_invalidation: bool,
    /// Bits of an output address.
    pub output_bits: u32,
    /// Stage 1 has the 16 KiB granule.
    pub granule_16k: bool,
    /// Stage 1 has the 64 KiB granule.
    pub granule_64k: bool,
}

/// The features of QEMU's SMMU.
#[cfg(test)]
pub(crate) const QEMU: Features = Features {
    minor: 1,
    stage1: true,
    stage2: true,
    coherent: true,
    asid_bits: 16,
    vmid_bits: 16,
    stall_model: StallModel::Never,
    two_level: true,
    sid_bits: 16,
    ssid_bits: 0,
    command_bits: 19,
    event_bits: 19,
    range_invalidation: true,
    output_bits: 44,
    granule_16k: true,
    granule_64k: true,
};

impl Features {
    /// Reads and checks the identification registers (IHI 0070, 6.3.1 to 6.3.8).
    ///
    /// # Errors
    /// The first property the driver cannot work with.
    pub fn read(bus: &impl Bus, base: PhysAddr) -> Result<Self, Unsupported> {
        let read = |at| bus.read32(base.offset(at));
        let idr0 = LocalRegisterCopy::<u32, IDR0::Register>::new(read(offset::IDR0));
        let idr1 = LocalRegisterCopy::<u32, IDR1::Register>::new(read(offset::IDR1));
        let idr5 = LocalRegisterCopy::<u32, IDR5::Register>::new(read(offset::IDR5));
        let aidr = LocalRegisterCopy::<u32, AIDR::Register>::new(read(offset::AIDR));
        let tag_bits = |wide| if wide { 16 } else { 8 };
        let features = Self {
            minor: aidr.read(AIDR::MINOR),
            stage1: idr0.is_set(IDR0::S1P),
            stage2: idr0.is_set(IDR0::S2P),
            coherent: idr0.is_set(IDR0::COHACC),
            asid_bits: tag_bits(idr0.is_set(IDR0::ASID16)),
            vmid_bits: tag_bits(idr0.is_set(IDR0::VMID16)),
            stall_model: match idr0.read(IDR0::STALL_MODEL) {
                0 => StallModel::Selectable,
                2 => StallModel::Always,
                _ => StallModel::Never,
            },
            two_level: idr0.matches_all(IDR0::ST_LEVEL::TwoLevel),
            sid_bits: idr1.read(IDR1::SIDSIZE),
            ssid_bits: idr1.read(IDR1::SSIDSIZE),
            command_bits: idr1.read(IDR1::CMDQS),
            event_bits: idr1.read(IDR1::EVENTQS),
            range_invalidation: IDR3::RIL.is_set(read(offset::IDR3)),
            output_bits: output_bits(idr5.read(IDR5::OAS)),
            granule_16k: idr5.is_set(IDR5::GRAN16K),
            granule_64k: idr5.is_set(IDR5::GRAN64K),
        };
        if aidr.read(AIDR::MAJOR) != 0 {
            return Err(Unsupported::Version(aidr.read(AIDR::MAJOR) + 3));
        }
        if !features.stage1 && !features.stage2 {
            return Err(Unsupported::NoStage);
        }
        if idr0.read(IDR0::TTF) & TTF_AARCH64 == 0 {
            return Err(Unsupported::NoAarch64Tables);
        }
        if idr0.matches_all(IDR0::TTENDIAN::BigEndian) {
            return Err(Unsupported::BigEndianTables);
        }
        if !idr5.is_set(IDR5::GRAN4K) {
            return Err(Unsupported::NoSmallGranule);
        }
        // The intermediate address size is the output address size (3.4), and S2T0SZ may not exceed it.
        if features.output_bits < PHYS_BITS {
            return Err(Unsupported::OutputSize(features.output_bits));
        }
        if features.sid_bits > MAX_SID_BITS {
            return Err(Unsupported::StreamBits(features.sid_bits));
        }
        if idr1.is_set(IDR1::TABLES_PRESET) {
            return Err(Unsupported::PresetTables);
        }
        if idr1.is_set(IDR1::QUEUES_PRESET) {
            return Err(Unsupported::PresetQueues);
        }
        if features.command_bits < MIN_QUEUE_BITS || features.event_bits < MIN_QUEUE_BITS {
            return Err(Unsupported::ShortQueues);
        }
        Ok(features)
    }

    /// Whether stage 1 has the granule that TG of an invalidation names: 1, 2 and 3 are 4, 16 and 64 KiB.
    pub(crate) const fn has_granule(&self, tg: u64) -> bool {
        match tg {
            1 => true,
            2 => self.granule_16k,
            3 => self.granule_64k,
            _ => false,
        }
    }

    /// The format of the translation tables that a context without a holder's stage 1 walks.
    #[must_use]
    pub const fn table_format(&self) -> Format {
        if self.stage2 { Format::STAGE2 } else { Format::STAGE1 }
    }

    /// Whether contexts translate at all. Where every faulting transaction stalls, an entry with S2S = 0 and a descriptor
    /// with S = 0 are illegal (5.5: C_BAD_STE, C_BAD_CD), and with either set a device could be blocked for good.
    #[must_use]
    pub fn translates(&self) -> bool {
        self.stall_model != StallModel::Always
    }

    /// Contexts (CBs) of the SMMU: one for each TLB tag, bounded by the interface.
    #[must_use]
    pub fn contexts(&self) -> u32 {
        let bits = if self.stage2 { self.vmid_bits } else { self.asid_bits };
        MAX_CBS.min(1 << bits)
    }
}

/// Output address bits of an IDR5.OAS encoding; 0 for a reserved one.
const fn output_bits(encoding: u32) -> u32 {
    match encoding {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        6 => 52,
        7 => 56,
        _ => 0,
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = match (self.stage1, self.stage2) {
            (true, true) => "stages 1+2",
            (true, false) => "stage 1",
            (false, _) => "stage 2",
        };
        write!(
            f,
            "SMMUv3.{} {stages}, SID {} SSID {} OAS {} VMID {} ASID {} bits, {}, {}, {} stream table",
            self.minor,
            self.sid_bits,
            self.ssid_bits,
            self.output_bits,
            self.vmid_bits,
            self.asid_bits,
            if self.coherent { "coherent" } else { "not coherent" },
            if self.range_invalidation { "range invalidation" } else { "no range invalidation" },
            if self.two_level { "two-level" } else { "linear" },
        )
    }
}
