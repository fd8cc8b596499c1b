//! Identification registers (IHI 0070, 6.3.1 to 6.3.8).

use tock_registers::register_bitfields;

use super::pin;

register_bitfields! { u32,
    /// Features (6.3.1).
    pub IDR0 [
        /// Stage 2 is implemented.
        S2P OFFSET(0) NUMBITS(1) [],
        /// Stage 1 is implemented.
        S1P OFFSET(1) NUMBITS(1) [],
        /// Formats of translation tables; bit 1 of the field is AArch64.
        TTF OFFSET(2) NUMBITS(2) [],
        /// Accesses to tables and queues are coherent.
        COHACC OFFSET(4) NUMBITS(1) [],
        /// ASIDs have 16 bits.
        ASID16 OFFSET(12) NUMBITS(1) [],
        /// The SMMU sets access flags (1) and the dirty state (2).
        HTTU OFFSET(6) NUMBITS(2) [],
        /// Translations for EL2 and what broadcasts to it are implemented.
        HYP OFFSET(9) NUMBITS(1) [],
        /// ATS is implemented.
        ATS OFFSET(10) NUMBITS(1) [],
        /// PRI is implemented.
        PRI OFFSET(16) NUMBITS(1) [],
        /// VMIDs have 16 bits.
        VMID16 OFFSET(18) NUMBITS(1) [],
        /// Tables of context descriptors may have two levels.
        CD2L OFFSET(19) NUMBITS(1) [],
        /// Endianness of translation tables.
        TTENDIAN OFFSET(21) NUMBITS(2) [ Mixed = 0, LittleEndian = 2, BigEndian = 3 ],
        /// Whether faulting transactions can stall.
        STALL_MODEL OFFSET(24) NUMBITS(2) [ Selectable = 0, Never = 1, Always = 2 ],
        /// A context descriptor must make faults abort.
        TERM_MODEL OFFSET(26) NUMBITS(1) [],
        /// Levels of the stream table.
        ST_LEVEL OFFSET(27) NUMBITS(2) [ Linear = 0, TwoLevel = 1 ]
    ],
    /// Sizes and presets (6.3.2).
    pub IDR1 [
        /// Bits of a StreamID.
        SIDSIZE OFFSET(0) NUMBITS(6) [],
        /// Bits of a SubstreamID.
        SSIDSIZE OFFSET(6) NUMBITS(5) [],
        /// log2 of the most event queue entries.
        EVENTQS OFFSET(16) NUMBITS(5) [],
        /// log2 of the most command queue entries.
        CMDQS OFFSET(21) NUMBITS(5) [],
        /// The queue base registers are fixed.
        QUEUES_PRESET OFFSET(29) NUMBITS(1) [],
        /// The stream table base register is fixed.
        TABLES_PRESET OFFSET(30) NUMBITS(1) []
    ],
    /// Features (6.3.4).
    pub IDR3 [
        /// Range invalidation and level hints.
        RIL OFFSET(10) NUMBITS(1) []
    ],
    /// Address sizes and granules (6.3.6).
    pub IDR5 [
        /// Output address size.
        OAS OFFSET(0) NUMBITS(3) [],
        /// 4 KiB granule.
        GRAN4K OFFSET(4) NUMBITS(1) [],
        /// 16 KiB granule.
        GRAN16K OFFSET(5) NUMBITS(1) [],
        /// 64 KiB granule.
        GRAN64K OFFSET(6) NUMBITS(1) []
    ],
    /// Version of the architecture (6.3.8).
    pub AIDR [
        /// Minor revision: 0 is SMMUv3.0.
        MINOR OFFSET(0) NUMBITS(4) [],
        /// Major revision: 0 is SMMUv3.
        MAJOR OFFSET(4) NUMBITS(4) []
    ]
}

pin!(0: IDR0::S2P = 0:0, IDR0::S1P = 1:1, IDR0::TTF = 3:2, IDR0::COHACC = 4:4, IDR0::ASID16 = 12:12,
    IDR0::HTTU = 7:6, IDR0::HYP = 9:9, IDR0::ATS = 10:10, IDR0::PRI = 16:16, IDR0::VMID16 = 18:18, IDR0::CD2L = 19:19,
    IDR0::TERM_MODEL = 26:26, IDR0::TTENDIAN = 22:21, IDR0::STALL_MODEL = 25:24, IDR0::ST_LEVEL = 28:27,
    IDR1::SIDSIZE = 5:0, IDR1::SSIDSIZE = 10:6, IDR1::EVENTQS = 20:16, IDR1::CMDQS = 25:21,
    IDR1::QUEUES_PRESET = 29:29, IDR1::TABLES_PRESET = 30:30, IDR3::RIL = 10:10, IDR5::OAS = 2:0,
    IDR5::GRAN4K = 4:4, IDR5::GRAN16K = 5:5, IDR5::GRAN64K = 6:6, AIDR::MINOR = 3:0, AIDR::MAJOR = 7:4);
