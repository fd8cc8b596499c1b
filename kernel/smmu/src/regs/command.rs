//! Commands: two 64-bit words each (IHI 0070, chapter 4).

use tock_registers::register_bitfields;

use super::pin;

/// Opcodes, bits 7:0 of a command (4.1.1).
pub mod opcode {
    /// Fetch the configuration of a stream ahead of its use; a hint.
    pub const PREFETCH_CONFIG: u64 = 0x01;
    /// Fetch a translation ahead of its use; a hint.
    pub const PREFETCH_ADDR: u64 = 0x02;
    /// Invalidate one stream table entry.
    pub const CFGI_STE: u64 = 0x03;
    /// Invalidate a range of entries, or all.
    pub const CFGI_STE_RANGE: u64 = 0x04;
    /// Invalidate one context descriptor.
    pub const CFGI_CD: u64 = 0x05;
    /// Invalidate all context descriptors of a stream.
    pub const CFGI_CD_ALL: u64 = 0x06;
    /// Invalidate stage 1 of a VMID.
    pub const TLBI_NH_ALL: u64 = 0x10;
    /// Invalidate stage 1 of an ASID.
    pub const TLBI_NH_ASID: u64 = 0x11;
    /// Invalidate stage 1 of an address in an ASID.
    pub const TLBI_NH_VA: u64 = 0x12;
    /// Invalidate stage 1 of an address in any ASID.
    pub const TLBI_NH_VAA: u64 = 0x13;
    /// Invalidate everything of EL3.
    pub const TLBI_EL3_ALL: u64 = 0x18;
    /// Invalidate an address of EL3.
    pub const TLBI_EL3_VA: u64 = 0x1a;
    /// Invalidate everything of EL2.
    pub const TLBI_EL2_ALL: u64 = 0x20;
    /// Invalidate an ASID of EL2.
    pub const TLBI_EL2_ASID: u64 = 0x21;
    /// Invalidate an address in an ASID of EL2.
    pub const TLBI_EL2_VA: u64 = 0x22;
    /// Invalidate an address in any ASID of EL2.
    pub const TLBI_EL2_VAA: u64 = 0x23;
    /// Invalidate stages 1 and 2 of a VMID.
    pub const TLBI_S12_VMALL: u64 = 0x28;
    /// Invalidate stage 2 of an intermediate address.
    pub const TLBI_S2_IPA: u64 = 0x2a;
    /// Invalidate every entry that is not EL2's.
    pub const TLBI_NSNH_ALL: u64 = 0x30;
    /// Invalidate what a device cached of its translations.
    pub const ATC_INV: u64 = 0x40;
    /// Answer a page request.
    pub const PRI_RESP: u64 = 0x41;
    /// Let a stalled transaction go on or abort.
    pub const RESUME: u64 = 0x44;
    /// Abort the stalled transactions of a stream.
    pub const STALL_TERM: u64 = 0x45;
    /// Complete when everything before it has.
    pub const SYNC: u64 = 0x46;
}

register_bitfields! { u64,
    /// CFGI commands, bits 63:0 (4.3). RESUME, STALL_TERM and ATC_INV name their stream in the same place.
    pub CMD0_CFGI [
        /// Opcode.
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// The stream is a Secure one.
        SSEC OFFSET(10) NUMBITS(1) [],
        /// SubstreamID, of CFGI_CD.
        SSID OFFSET(12) NUMBITS(20) [],
        /// StreamID.
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// CFGI commands, bits 127:64 (4.3).
    pub CMD1_CFGI [
        /// CFGI_STE, CFGI_CD: leave the first-level descriptor cached.
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
        VMID OFFSET(32) NUMBITS(16) [],
        /// ASID.
        ASID OFFSET(48) NUMBITS(16) []
    ],
    /// TLBI commands, bits 127:64 (4.4).
    pub CMD1_TLBI [
        /// Leave cached table descriptors.
        LEAF OFFSET(0) NUMBITS(1) [],
        /// Level hint.
        TTL OFFSET(8) NUMBITS(2) [],
        /// Granule of a range; 0: one address.
        TG OFFSET(10) NUMBITS(2) [],
        /// Address bits 63:12. Of an intermediate address, bits 63:56 are 0.
        ADDR OFFSET(12) NUMBITS(52) []
    ],
    /// RESUME, bits 63:0 (4.6).
    pub CMD0_RESUME [
        /// Opcode.
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// The transaction is tried again; 0 ends it.
        RETRY OFFSET(12) NUMBITS(1) [],
        /// A transaction that is ended aborts; 0 makes it read zero and write nothing.
        ABORT OFFSET(13) NUMBITS(1) [],
        /// StreamID.
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// RESUME, bits 127:64 (4.6).
    pub CMD1_RESUME [
        /// Tag of the stalled transaction.
        STAG OFFSET(0) NUMBITS(16) []
    ],
    /// SYNC, bits 63:0 (4.7).
    pub CMD0_SYNC [
        /// Opcode.
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// What completion signals: 0 nothing, 1 an interrupt or message, 2 an event.
        CS OFFSET(12) NUMBITS(2) []
    ]
}

pin!(0: CMD0_CFGI::OPCODE = 7:0, CMD0_CFGI::SSEC = 10:10, CMD0_CFGI::SSID = 31:12, CMD0_CFGI::SID = 63:32, CMD0_TLBI::OPCODE = 7:0, CMD0_TLBI::NUM = 16:12,
    CMD0_TLBI::SCALE = 24:20, CMD0_TLBI::VMID = 47:32, CMD0_TLBI::ASID = 63:48, CMD0_RESUME::RETRY = 12:12,
    CMD0_RESUME::ABORT = 13:13, CMD0_RESUME::SID = 63:32, CMD0_SYNC::CS = 13:12);
pin!(1: CMD1_CFGI::LEAF = 64:64, CMD1_CFGI::RANGE = 68:64, CMD1_TLBI::LEAF = 64:64, CMD1_TLBI::TTL = 73:72,
    CMD1_TLBI::TG = 75:74, CMD1_TLBI::ADDR = 127:76, CMD1_RESUME::STAG = 79:64);
