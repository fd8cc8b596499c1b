//! Structures in the guest's memory: the fields that are read or written (IHI 0070, chapters 4, 5 and 7).

use tock_registers::register_bitfields;

/// Opcodes of commands (4.1.1) that an SMMU with nothing but a Non-secure stage 1 knows.
pub(super) mod opcode {
    pub(crate) const PREFETCH_CONFIG: u64 = 0x01;
    pub(crate) const PREFETCH_ADDR: u64 = 0x02;
    pub(crate) const CFGI_STE: u64 = 0x03;
    /// Also CFGI_ALL.
    pub(crate) const CFGI_STE_RANGE: u64 = 0x04;
    pub(crate) const CFGI_CD: u64 = 0x05;
    pub(crate) const CFGI_CD_ALL: u64 = 0x06;
    pub(crate) const TLBI_NH_ALL: u64 = 0x10;
    pub(crate) const TLBI_NH_ASID: u64 = 0x11;
    pub(crate) const TLBI_NH_VA: u64 = 0x12;
    pub(crate) const TLBI_NH_VAA: u64 = 0x13;
    pub(crate) const TLBI_NSNH_ALL: u64 = 0x30;
    pub(crate) const SYNC: u64 = 0x46;
}

/// Values of the Config field of a stream table entry (5.2); those below 4 abort.
pub(super) mod config {
    pub(crate) const BYPASS: u64 = 0b100;
    pub(crate) const STAGE1: u64 = 0b101;
}

register_bitfields! { u64,
    /// First-level stream table descriptor (5.1).
    pub(super) L1STD [
        SPAN OFFSET(0) NUMBITS(5) [],
        L2PTR OFFSET(6) NUMBITS(50) []
    ],
    /// Stream table entry (5.2), bits 63:0.
    pub(super) STE0 [
        V OFFSET(0) NUMBITS(1) [],
        CONFIG OFFSET(1) NUMBITS(3) [],
        S1FMT OFFSET(4) NUMBITS(2) [],
        S1CONTEXTPTR OFFSET(6) NUMBITS(50) [],
        S1CDMAX OFFSET(59) NUMBITS(5) []
    ],
    /// Bits 127:64.
    pub(super) STE1 [
        S1DSS OFFSET(0) NUMBITS(2) [],
        S1CIR OFFSET(2) NUMBITS(2) [],
        S1COR OFFSET(4) NUMBITS(2) [],
        S1CSH OFFSET(6) NUMBITS(2) [],
        S1STALLD OFFSET(27) NUMBITS(1) [],
        STRW OFFSET(30) NUMBITS(2) []
    ],
    /// A command (4.1.1), bits 63:0.
    pub(super) CMD0 [
        OPCODE OFFSET(0) NUMBITS(8) [],
        /// Of PREFETCH and CFGI: the stream is a Secure one.
        SSEC OFFSET(10) NUMBITS(1) []
    ],
    /// CFGI commands (4.3), bits 63:0.
    pub(super) CFGI0 [
        SSID OFFSET(12) NUMBITS(20) [],
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// Bits 127:64.
    pub(super) CFGI1 [
        LEAF OFFSET(0) NUMBITS(1) [],
        /// Of CFGI_STE_RANGE, in place of LEAF: 2^(n+1) streams.
        RANGE OFFSET(0) NUMBITS(5) []
    ],
    /// TLBI commands (4.4), bits 63:0.
    pub(super) TLBI0 [
        NUM OFFSET(12) NUMBITS(5) [],
        SCALE OFFSET(20) NUMBITS(5) [],
        ASID OFFSET(48) NUMBITS(16) []
    ],
    /// Bits 127:64.
    pub(super) TLBI1 [
        LEAF OFFSET(0) NUMBITS(1) [],
        TTL OFFSET(8) NUMBITS(2) [],
        TG OFFSET(10) NUMBITS(2) [],
        ADDR OFFSET(12) NUMBITS(52) []
    ],
    /// CMD_SYNC (4.7), bits 63:0.
    pub(super) SYNC0 [
        CS OFFSET(12) NUMBITS(2) [ None = 0, Interrupt = 1, Event = 2 ]
    ],
    /// Event record (7.3), bits 63:0.
    pub(super) EVT0 [
        KIND OFFSET(0) NUMBITS(8) [],
        SSV OFFSET(11) NUMBITS(1) [],
        SSID OFFSET(12) NUMBITS(20) [],
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// Bits 127:64 of records about an access.
    pub(super) EVT1 [
        PNU OFFSET(33) NUMBITS(1) [],
        IND OFFSET(34) NUMBITS(1) [],
        RNW OFFSET(35) NUMBITS(1) [],
        CLASS OFFSET(40) NUMBITS(2) [ ContextDescriptor = 0, TableWalk = 1, Input = 2 ]
    ],
    /// Bits 255:192 of records about a fetch that failed.
    pub(super) EVT3 [
        FETCHADDR OFFSET(3) NUMBITS(53) []
    ]
}
