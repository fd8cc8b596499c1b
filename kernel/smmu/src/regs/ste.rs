//! The stream table: first-level descriptor and stream table entry (IHI 0070, 5.1 and 5.2).

use tock_registers::register_bitfields;

use super::pin;

/// Values of the entry's Config field (5.2): what happens to the stream.
pub mod config {
    /// Transactions abort, and no event is recorded.
    pub const ABORT: u64 = 0b000;
    /// Transactions pass untranslated.
    pub const BYPASS: u64 = 0b100;
    /// Stage 1 translates.
    pub const STAGE1: u64 = 0b101;
    /// Stage 2 translates.
    pub const STAGE2: u64 = 0b110;
    /// Stage 1 translates, and stage 2 what it gives.
    pub const NESTED: u64 = 0b111;
}

register_bitfields! { u64,
    /// First-level descriptor (5.1).
    pub L1STD [
        /// 0: no table. n: the second-level table has 2^(n-1) entries.
        SPAN OFFSET(0) NUMBITS(5) [],
        /// Address bits 55:6 of the second-level table.
        L2PTR OFFSET(6) NUMBITS(50) []
    ],
    /// Entry, bits 63:0.
    pub STE0 [
        /// The entry is valid.
        V OFFSET(0) NUMBITS(1) [],
        /// What happens to the stream.
        CONFIG OFFSET(1) NUMBITS(3) [],
        /// Format of the table of context descriptors, see [`s1fmt`](super::s1fmt).
        S1FMT OFFSET(4) NUMBITS(2) [],
        /// Address bits 55:6 of the context descriptors: intermediate where stage 2 translates.
        S1CONTEXTPTR OFFSET(6) NUMBITS(50) [],
        /// log2 of the context descriptors; 0 disables substreams.
        S1CDMAX OFFSET(59) NUMBITS(5) []
    ],
    /// Entry, bits 127:64.
    pub STE1 [
        /// Transactions without a substream where there are substreams, see [`s1dss`](super::s1dss).
        S1DSS OFFSET(0) NUMBITS(2) [],
        /// Inner cacheability of context descriptors.
        S1CIR OFFSET(2) NUMBITS(2) [],
        /// Outer cacheability of context descriptors.
        S1COR OFFSET(4) NUMBITS(2) [],
        /// Shareability of context descriptors.
        S1CSH OFFSET(6) NUMBITS(2) [],
        /// Stage 1 may not stall.
        S1STALLD OFFSET(27) NUMBITS(1) [],
        /// What translated (ATS) transactions may do; 0 aborts them.
        EATS OFFSET(28) NUMBITS(2) [],
        /// Exception level of the stream; 0 is Non-secure EL1.
        STRW OFFSET(30) NUMBITS(2) [],
        /// Shareability; 1 uses what the transaction says.
        SHCFG OFFSET(44) NUMBITS(2) [],
        /// Privilege: 0 the transaction's, 2 unprivileged, 3 privileged.
        PRIVCFG OFFSET(48) NUMBITS(2) [],
        /// Kind of access: 0 the transaction's, 2 data, 3 instruction fetch.
        INSTCFG OFFSET(50) NUMBITS(2) []
    ],
    /// Entry, bits 191:128.
    pub STE2 [
        /// VMID.
        S2VMID OFFSET(0) NUMBITS(16) [],
        /// 64 minus the bits of the input address.
        S2T0SZ OFFSET(32) NUMBITS(6) [],
        /// Level the walk starts at.
        S2SL0 OFFSET(38) NUMBITS(2) [],
        /// Inner cacheability of the walk.
        S2IR0 OFFSET(40) NUMBITS(2) [],
        /// Outer cacheability of the walk.
        S2OR0 OFFSET(42) NUMBITS(2) [],
        /// Shareability of the walk.
        S2SH0 OFFSET(44) NUMBITS(2) [],
        /// Granule; 0 is 4 KiB.
        S2TG OFFSET(46) NUMBITS(2) [],
        /// Output address size.
        S2PS OFFSET(48) NUMBITS(3) [],
        /// The tables are AArch64.
        S2AA64 OFFSET(51) NUMBITS(1) [],
        /// The tables are big-endian.
        S2ENDI OFFSET(52) NUMBITS(1) [],
        /// An access flag of 0 does not fault.
        S2AFFD OFFSET(53) NUMBITS(1) [],
        /// A stage-1 walk through Device memory faults.
        S2PTW OFFSET(54) NUMBITS(1) [],
        /// The SMMU sets the dirty state.
        S2HD OFFSET(55) NUMBITS(1) [],
        /// The SMMU sets the access flag.
        S2HA OFFSET(56) NUMBITS(1) [],
        /// Faulting transactions stall.
        S2S OFFSET(57) NUMBITS(1) [],
        /// Faults are recorded.
        S2R OFFSET(58) NUMBITS(1) []
    ],
    /// Entry, bits 255:192.
    pub STE3 [
        /// Address bits 55:4 of the stage-2 table.
        S2TTB OFFSET(4) NUMBITS(52) []
    ]
}

pin!(0: L1STD::SPAN = 4:0, L1STD::L2PTR = 55:6, STE0::V = 0:0, STE0::CONFIG = 3:1,
    STE0::S1FMT = 5:4, STE0::S1CONTEXTPTR = 55:6, STE0::S1CDMAX = 63:59);
pin!(1: STE1::S1DSS = 65:64, STE1::S1CIR = 67:66, STE1::S1COR = 69:68, STE1::S1CSH = 71:70, STE1::S1STALLD = 91:91,
    STE1::EATS = 93:92, STE1::STRW = 95:94, STE1::SHCFG = 109:108, STE1::PRIVCFG = 113:112, STE1::INSTCFG = 115:114);
pin!(2: STE2::S2VMID = 143:128, STE2::S2T0SZ = 165:160, STE2::S2SL0 = 167:166, STE2::S2IR0 = 169:168,
    STE2::S2OR0 = 171:170, STE2::S2SH0 = 173:172, STE2::S2TG = 175:174, STE2::S2PS = 178:176,
    STE2::S2AA64 = 179:179, STE2::S2ENDI = 180:180, STE2::S2AFFD = 181:181, STE2::S2PTW = 182:182, STE2::S2HD = 183:183, STE2::S2HA = 184:184,
    STE2::S2S = 185:185, STE2::S2R = 186:186);
pin!(3: STE3::S2TTB = 247:196);
