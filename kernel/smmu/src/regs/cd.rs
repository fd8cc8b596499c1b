//! Context descriptors: what stage 1 of one substream does (IHI 0070, 5.3 and 5.4).

use tock_registers::register_bitfields;

use super::pin;

/// Values of the stream table entry's S1Fmt field (5.2): format of the table of context descriptors.
pub mod s1fmt {
    /// All descriptors in one array.
    pub const LINEAR: u64 = 0;
    /// Two levels, leaf tables of 4 KiB.
    pub const TWO_LEVEL_4K: u64 = 1;
    /// Two levels, leaf tables of 64 KiB.
    pub const TWO_LEVEL_64K: u64 = 2;
}

/// Values of the stream table entry's S1DSS field (5.2): transactions without a substream where substreams are enabled.
pub mod s1dss {
    /// They abort.
    pub const TERMINATE: u64 = 0;
    /// They bypass stage 1.
    pub const BYPASS: u64 = 1;
    /// They use substream 0.
    pub const SUBSTREAM0: u64 = 2;
}

register_bitfields! { u64,
    /// First-level descriptor of a two-level table (5.3).
    pub L1CD [
        /// There is a second-level table.
        V OFFSET(0) NUMBITS(1) [],
        /// Address bits 55:12 of the second-level table.
        L2PTR OFFSET(12) NUMBITS(44) []
    ],
    /// Descriptor, bits 63:0.
    pub CD0 [
        /// 64 minus the bits of addresses that TTB0 translates.
        T0SZ OFFSET(0) NUMBITS(6) [],
        /// Granule of TTB0: 0 is 4 KiB, 1 is 64 KiB, 2 is 16 KiB.
        TG0 OFFSET(6) NUMBITS(2) [],
        /// Inner cacheability of TTB0's walk.
        IR0 OFFSET(8) NUMBITS(2) [],
        /// Outer cacheability of TTB0's walk.
        OR0 OFFSET(10) NUMBITS(2) [],
        /// Shareability of TTB0's walk.
        SH0 OFFSET(12) NUMBITS(2) [],
        /// TTB0 is not used: what it would translate faults.
        EPD0 OFFSET(14) NUMBITS(1) [],
        /// The tables are big-endian.
        ENDI OFFSET(15) NUMBITS(1) [],
        /// 64 minus the bits of addresses that TTB1 translates.
        T1SZ OFFSET(16) NUMBITS(6) [],
        /// Granule of TTB1: 1 is 16 KiB, 2 is 4 KiB, 3 is 64 KiB.
        TG1 OFFSET(22) NUMBITS(2) [],
        /// Inner cacheability of TTB1's walk.
        IR1 OFFSET(24) NUMBITS(2) [],
        /// Outer cacheability of TTB1's walk.
        OR1 OFFSET(26) NUMBITS(2) [],
        /// Shareability of TTB1's walk.
        SH1 OFFSET(28) NUMBITS(2) [],
        /// TTB1 is not used: what it would translate faults.
        EPD1 OFFSET(30) NUMBITS(1) [],
        /// The descriptor is valid.
        V OFFSET(31) NUMBITS(1) [],
        /// Output (intermediate) address size.
        IPS OFFSET(32) NUMBITS(3) [],
        /// An access flag of 0 does not fault.
        AFFD OFFSET(35) NUMBITS(1) [],
        /// Writable memory is not executable.
        WXN OFFSET(36) NUMBITS(1) [],
        /// Memory writable without privilege is not executable with it.
        UWXN OFFSET(37) NUMBITS(1) [],
        /// Bits 63:56 of addresses below (bit 0) and above (bit 1) are ignored.
        TBI OFFSET(38) NUMBITS(2) [],
        /// Privileged data access to unprivileged memory faults.
        PAN OFFSET(40) NUMBITS(1) [],
        /// The tables are AArch64.
        AA64 OFFSET(41) NUMBITS(1) [],
        /// The SMMU sets the dirty state.
        HD OFFSET(42) NUMBITS(1) [],
        /// The SMMU sets the access flag.
        HA OFFSET(43) NUMBITS(1) [],
        /// Faulting transactions stall.
        S OFFSET(44) NUMBITS(1) [],
        /// Faults are recorded.
        R OFFSET(45) NUMBITS(1) [],
        /// Faulting transactions abort, instead of reading zero and writing nothing.
        A OFFSET(46) NUMBITS(1) [],
        /// The CPUs' broadcast maintenance does not reach the ASID.
        ASET OFFSET(47) NUMBITS(1) [],
        /// ASID.
        ASID OFFSET(48) NUMBITS(16) []
    ],
    /// Descriptor, bits 127:64.
    pub CD1 [
        /// Hierarchical attributes of TTB0's tables are ignored.
        HAD0 OFFSET(1) NUMBITS(1) [],
        /// Address bits 55:4 of the table for low addresses.
        TTB0 OFFSET(4) NUMBITS(52) []
    ],
    /// Descriptor, bits 191:128.
    pub CD2 [
        /// Hierarchical attributes of TTB1's tables are ignored.
        HAD1 OFFSET(1) NUMBITS(1) [],
        /// Address bits 55:4 of the table for high addresses.
        TTB1 OFFSET(4) NUMBITS(52) []
    ],
    /// Descriptor, bits 255:192: eight memory types of a byte each, as in MAIR_EL1.
    pub CD3 [
        /// MAIR0 and MAIR1.
        MAIR OFFSET(0) NUMBITS(64) []
    ]
}

pin!(0: L1CD::V = 0:0, L1CD::L2PTR = 55:12, CD0::T0SZ = 5:0, CD0::TG0 = 7:6, CD0::IR0 = 9:8, CD0::OR0 = 11:10,
    CD0::SH0 = 13:12, CD0::EPD0 = 14:14, CD0::ENDI = 15:15, CD0::T1SZ = 21:16, CD0::TG1 = 23:22, CD0::IR1 = 25:24,
    CD0::OR1 = 27:26, CD0::SH1 = 29:28, CD0::EPD1 = 30:30, CD0::V = 31:31, CD0::IPS = 34:32, CD0::AFFD = 35:35,
    CD0::WXN = 36:36, CD0::UWXN = 37:37, CD0::TBI = 39:38, CD0::PAN = 40:40, CD0::AA64 = 41:41, CD0::HD = 42:42,
    CD0::HA = 43:43, CD0::S = 44:44, CD0::R = 45:45, CD0::A = 46:46, CD0::ASET = 47:47, CD0::ASID = 63:48);
pin!(1: CD1::HAD0 = 65:65, CD1::TTB0 = 119:68);
pin!(2: CD2::HAD1 = 129:129, CD2::TTB1 = 183:132);
pin!(3: CD3::MAIR = 255:192);
