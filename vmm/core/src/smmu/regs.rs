//! Registers that are offered (IHI 0070, 6.2 and 6.3). Any other offset reads as zero and ignores writes, as those do
//! that belong to features which are absent: the configuration of MSIs, the PRI queue, STATUSR.

use tock_registers::register_bitfields;

/// log2 of the bytes of a register page.
pub(super) const PAGE_BITS: u32 = 16;

/// Offsets from the SMMU's first byte (6.2).
pub(super) mod offset {
    pub(crate) const IDR0: u64 = 0x00;
    pub(crate) const IDR1: u64 = 0x04;
    pub(crate) const IDR3: u64 = 0x0c;
    pub(crate) const IDR5: u64 = 0x14;
    pub(crate) const AIDR: u64 = 0x1c;
    pub(crate) const CR0: u64 = 0x20;
    pub(crate) const CR0ACK: u64 = 0x24;
    pub(crate) const CR1: u64 = 0x28;
    pub(crate) const CR2: u64 = 0x2c;
    pub(crate) const GBPA: u64 = 0x44;
    pub(crate) const IRQ_CTRL: u64 = 0x50;
    pub(crate) const IRQ_CTRLACK: u64 = 0x54;
    pub(crate) const GERROR: u64 = 0x60;
    pub(crate) const GERRORN: u64 = 0x64;
    /// 64 bits, like the bases of the queues.
    pub(crate) const STRTAB_BASE: u64 = 0x80;
    pub(crate) const STRTAB_BASE_HIGH: u64 = STRTAB_BASE + 4;
    pub(crate) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(crate) const CMDQ_BASE: u64 = 0x90;
    pub(crate) const CMDQ_BASE_HIGH: u64 = CMDQ_BASE + 4;
    pub(crate) const CMDQ_PROD: u64 = 0x98;
    pub(crate) const CMDQ_CONS: u64 = 0x9c;
    pub(crate) const EVENTQ_BASE: u64 = 0xa0;
    pub(crate) const EVENTQ_BASE_HIGH: u64 = EVENTQ_BASE + 4;
    /// In page 1; what page 0 has in its place need not be an alias.
    pub(crate) const EVENTQ_PROD: u64 = 0x1_00a8;
    pub(crate) const EVENTQ_CONS: u64 = 0x1_00ac;
}

register_bitfields! { u32,
    /// 6.3.1.
    pub(super) IDR0 [
        S1P OFFSET(1) NUMBITS(1) [],
        TTF OFFSET(2) NUMBITS(2) [ AArch64 = 2 ],
        COHACC OFFSET(4) NUMBITS(1) [],
        ASID16 OFFSET(12) NUMBITS(1) [],
        TTENDIAN OFFSET(21) NUMBITS(2) [ LittleEndian = 2 ],
        STALL_MODEL OFFSET(24) NUMBITS(2) [ Never = 1 ],
        TERM_MODEL OFFSET(26) NUMBITS(1) [],
        ST_LEVEL OFFSET(27) NUMBITS(2) [ TwoLevel = 1 ]
    ],
    /// 6.3.2.
    pub(super) IDR1 [
        SIDSIZE OFFSET(0) NUMBITS(6) [],
        SSIDSIZE OFFSET(6) NUMBITS(5) [],
        EVENTQS OFFSET(16) NUMBITS(5) [],
        CMDQS OFFSET(21) NUMBITS(5) []
    ],
    /// 6.3.4.
    pub(super) IDR3 [
        RIL OFFSET(10) NUMBITS(1) []
    ],
    /// 6.3.6.
    pub(super) IDR5 [
        OAS OFFSET(0) NUMBITS(3) [],
        GRAN4K OFFSET(4) NUMBITS(1) [],
        GRAN16K OFFSET(5) NUMBITS(1) [],
        GRAN64K OFFSET(6) NUMBITS(1) []
    ],
    /// 6.3.8.
    pub(super) AIDR [
        MINOR OFFSET(0) NUMBITS(4) []
    ],
    /// Enables (6.3.9); CR0ACK echoes them.
    pub(super) CR0 [
        SMMUEN OFFSET(0) NUMBITS(1) [],
        EVENTQEN OFFSET(2) NUMBITS(1) [],
        CMDQEN OFFSET(3) NUMBITS(1) []
    ],
    /// Attributes of the SMMU's accesses (6.3.11), which mean nothing to accesses that a program makes.
    pub(super) CR1 [
        QUEUE OFFSET(0) NUMBITS(6) [],
        TABLE OFFSET(6) NUMBITS(6) []
    ],
    /// 6.3.12.
    pub(super) CR2 [
        RECINVSID OFFSET(1) NUMBITS(1) [],
        PTM OFFSET(2) NUMBITS(1) []
    ],
    /// What streams do while the SMMU is disabled (6.3.14).
    pub(super) GBPA [
        ABORT OFFSET(20) NUMBITS(1) [],
        UPDATE OFFSET(31) NUMBITS(1) []
    ],
    /// Interrupt enables (6.3.16); IRQ_CTRLACK echoes them.
    pub(super) IRQ_CTRL [
        GERROR OFFSET(0) NUMBITS(1) [],
        EVENTQ OFFSET(2) NUMBITS(1) []
    ],
    /// Global errors (6.3.19): active where GERROR and GERRORN differ.
    pub(super) GERROR [
        CMDQ OFFSET(0) NUMBITS(1) [],
        EVENTQ_ABT OFFSET(2) NUMBITS(1) []
    ],
    /// 6.3.25.
    pub(super) STRTAB_BASE_CFG [
        LOG2SIZE OFFSET(0) NUMBITS(6) [],
        SPLIT OFFSET(6) NUMBITS(5) [],
        FMT OFFSET(16) NUMBITS(2) [ TwoLevel = 1 ]
    ],
    /// CMDQ_PROD and CMDQ_CONS (6.3.27, 6.3.28).
    pub(super) CMDQ_INDEX [
        INDEX OFFSET(0) NUMBITS(20) [],
        /// CONS only: why the queue stopped, while GERROR.CMDQ is active.
        ERR OFFSET(24) NUMBITS(7) []
    ],
    /// EVENTQ_PROD and EVENTQ_CONS (6.3.30, 6.3.31).
    pub(super) EVENTQ_INDEX [
        INDEX OFFSET(0) NUMBITS(20) [],
        /// PROD: toggled when records were lost. CONS: the value the guest knows of.
        OVERFLOW OFFSET(31) NUMBITS(1) []
    ]
}

register_bitfields! { u64,
    /// 6.3.24.
    pub(super) STRTAB_BASE [
        ADDR OFFSET(6) NUMBITS(50) [],
        ALLOCATE OFFSET(62) NUMBITS(1) []
    ],
    /// CMDQ_BASE and EVENTQ_BASE (6.3.26, 6.3.29).
    pub(super) QUEUE_BASE [
        LOG2SIZE OFFSET(0) NUMBITS(5) [],
        ADDR OFFSET(5) NUMBITS(51) [],
        ALLOCATE OFFSET(62) NUMBITS(1) []
    ]
}

/// Values of CMDQ_CONS.ERR (4.1.3).
pub(super) mod command_error {
    /// The command is illegal.
    pub(crate) const ILLEGAL: u32 = 1;
    /// The command could not be read.
    pub(crate) const ABORT: u32 = 2;
}
