//! Commands: two 64-bit words each (IHI 0070, chapter 4).

use tock_registers::register_bitfields;

use super::pin;

/// Opcodes, bits 7:0 of a command (4.1.1).
pub mod opcode {
    /// Invalidate one stream table entry.
    pub const CFGI_STE: u64 = 0x03;
    /// Invalidate a range of entries, or all.
    pub const CFGI_STE_RANGE: u64 = 0x04;
    /// Invalidate stages 1 and 2 of a VMID.
    pub const TLBI_S12_VMALL: u64 = 0x28;
    /// Invalidate stage 2 of an intermediate address.
    pub const TLBI_S2_IPA: u64 = 0x2a;
    /// Invalidate every entry that is not EL2's.
    pub const TLBI_NSNH_ALL: u64 = 0x30;
    /// Complete when everything before it has.
    pub const SYNC: u64 = 0x46;
}

register_bitfields! { u64,
    /// CFGI commands, bits 63:0 (4.3).
    pub CMD0_CFGI [
        /// Opcode.
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// StreamID.
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// CFGI commands, bits 127:64 (4.3).
    pub CMD1_CFGI [
        /// CFGI_STE: leave the first-level descriptor cached.
        LEAF OFFSET(0) NUMBITS(1) [],
        /// CFGI_STE_RANGE: 2^(n+1) streams.
        RANGE OFFSET(0) NUMBITS(5) []
    ],
    /// TLBI commands, bits 63:0 (4.4).
    pub CMD0_TLBI [
        /// Opcode.
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// Granules of a range, less one, before scaling.
        NUM OFFSET(12) NUMBITS(5) [],
        /// log2 of the range's scale.
        SCALE OFFSET(20) NUMBITS(5) [],
        /// VMID.
        VMID OFFSET(32) NUMBITS(16) []
    ],
    /// TLBI commands, bits 127:64 (4.4).
    pub CMD1_TLBI [
        /// Leave cached table descriptors.
        LEAF OFFSET(0) NUMBITS(1) [],
        /// Level hint.
        TTL OFFSET(8) NUMBITS(2) [],
        /// Granule of a range; 0: one address.
        TG OFFSET(10) NUMBITS(2) [],
        /// Address bits 55:12.
        ADDR OFFSET(12) NUMBITS(44) []
    ]
}

pin!(0: CMD0_CFGI::OPCODE = 7:0, CMD0_CFGI::SID = 63:32, CMD0_TLBI::OPCODE = 7:0, CMD0_TLBI::NUM = 16:12,
    CMD0_TLBI::SCALE = 24:20, CMD0_TLBI::VMID = 47:32);
pin!(1: CMD1_CFGI::LEAF = 64:64, CMD1_CFGI::RANGE = 68:64, CMD1_TLBI::LEAF = 64:64, CMD1_TLBI::TTL = 73:72,
    CMD1_TLBI::TG = 75:74, CMD1_TLBI::ADDR = 119:76);
