//! What the virtual SMMU offers, as its identification registers tell it.

use super::pages::Pages;
use super::regs::{AIDR, IDR0, IDR1, IDR3, IDR5, offset};

/// log2 of the most entries of the command queue. Linux wants room for more than one batch of 64; how many commands one
/// write to CMDQ_PROD can start is what the guest may cost its VMM at once.
pub const COMMAND_QUEUE_BITS: u32 = 8;
/// log2 of the most entries of the event queue.
pub const EVENT_QUEUE_BITS: u32 = 7;
/// Most bits of an output address: what the kernel's stage 2 translates.
pub const MAX_OUTPUT_BITS: u32 = 44;
const MAX_SID_BITS: u32 = 32;
const MAX_SSID_BITS: u32 = 20;

/// What differs from one virtual SMMU to the next. A guest's stage 1 is walked by the physical SMMU, so nothing may be
/// offered here that it lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Bits of a StreamID, 1 to 32. With more than 8 Linux uses a stream table of two levels.
    pub sid_bits: u32,
    /// Bits of a SubstreamID, 0 to 20; 0 for none.
    pub ssid_bits: u32,
    /// Bits of an output address, which is guest-physical: 32, 36, 40, 42, or 44. Others are taken for the next
    /// smaller.
    pub output_bits: u32,
    /// Accesses to tables and queues are coherent; the guest's device tree must say the same.
    pub coherent: bool,
    /// ASIDs have 16 bits rather than 8.
    pub wide_asids: bool,
    /// Invalidation takes ranges.
    pub range_invalidation: bool,
    /// Tables may have the 16 KiB granule, besides that of 4 KiB.
    pub granule_16k: bool,
    /// Tables may have the 64 KiB granule.
    pub granule_64k: bool,
}

impl Features {
    /// What every SMMU has that the kernel works with.
    pub const LEAST: Self = Self {
        sid_bits: 16,
        ssid_bits: 0,
        output_bits: MAX_OUTPUT_BITS,
        coherent: false,
        wide_asids: false,
        range_invalidation: false,
        granule_16k: false,
        granule_64k: false,
    };

    /// What the guest's SMMU can have of one with these identification registers: IDR0, IDR1, IDR3 and IDR5. `coherent`
    /// says whether the devices' accesses are, as the guest's device tree will say.
    #[must_use]
    pub fn of_physical([idr0, _, idr3, idr5]: [u32; 4], coherent: bool) -> Self {
        let output_bits = match IDR5::OAS.read(idr5) {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            _ => MAX_OUTPUT_BITS,
        };
        Self {
            // A guest's StreamIDs are requester IDs of its one bus, and no function shows a capability for substreams.
            sid_bits: Self::LEAST.sid_bits,
            ssid_bits: Self::LEAST.ssid_bits,
            output_bits,
            coherent: coherent && IDR0::COHACC.is_set(idr0),
            wide_asids: IDR0::ASID16.is_set(idr0),
            range_invalidation: IDR3::RIL.is_set(idr3),
            granule_16k: IDR5::GRAN16K.is_set(idr5),
            granule_64k: IDR5::GRAN64K.is_set(idr5),
        }
    }

    /// The features with sizes that the architecture has.
    pub(super) fn within_bounds(self) -> Self {
        Self { sid_bits: self.sid_bits.min(MAX_SID_BITS), ssid_bits: self.ssid_bits.min(MAX_SSID_BITS), ..self }
    }

    /// Fills in the identification registers (IHI 0070, 6.3.1 to 6.3.8). What is not set is not offered: stage 2, EL2,
    /// ATS, PRI, stalls, MSIs, wake-up events, access flags set by the SMMU, context descriptor tables of two levels,
    /// overrides of attributes, and broadcast invalidation.
    pub(super) fn identify(&self, pages: &mut Pages) {
        let flag = u32::from;
        let idr0 = IDR0::S1P::SET
            + IDR0::TTF::AArch64
            + IDR0::COHACC.val(flag(self.coherent))
            + IDR0::ASID16.val(flag(self.wide_asids))
            + IDR0::TTENDIAN::LittleEndian
            + IDR0::STALL_MODEL::Never
            // A context descriptor has to say that faults abort, whatever else the physical SMMU could do.
            + IDR0::TERM_MODEL::SET
            + IDR0::ST_LEVEL::TwoLevel;
        let idr1 = IDR1::SIDSIZE.val(self.sid_bits)
            + IDR1::SSIDSIZE.val(self.ssid_bits)
            + IDR1::EVENTQS.val(EVENT_QUEUE_BITS)
            + IDR1::CMDQS.val(COMMAND_QUEUE_BITS);
        let idr5 = IDR5::OAS.val(self.output_size().0)
            + IDR5::GRAN4K::SET
            + IDR5::GRAN16K.val(flag(self.granule_16k))
            + IDR5::GRAN64K.val(flag(self.granule_64k));
        pages.set(offset::IDR0, idr0.value);
        pages.set(offset::IDR1, idr1.value);
        pages.set(offset::IDR3, IDR3::RIL.val(flag(self.range_invalidation)).value);
        pages.set(offset::IDR5, idr5.value);
        pages.set(offset::AIDR, AIDR::MINOR.val(1).value);
    }

    /// The offered size of an output address: its encoding in IDR5.OAS, and bits.
    const fn output_size(&self) -> (u32, u32) {
        match self.output_bits {
            0..36 => (0, 32),
            36..40 => (1, 36),
            40..42 => (2, 40),
            42..44 => (3, 42),
            _ => (4, MAX_OUTPUT_BITS),
        }
    }

    /// One past the last output address.
    pub(super) const fn output_end(&self) -> u64 {
        1 << self.output_size().1
    }

    /// Whether stage 1 has the granule that TG of an invalidation names: 1, 2 and 3 are 4, 16 and 64 KiB (4.4.1.1).
    pub(super) const fn has_granule(&self, tg: u64) -> bool {
        match tg {
            1 => true,
            2 => self.granule_16k,
            3 => self.granule_64k,
            _ => false,
        }
    }
}
