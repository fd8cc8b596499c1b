//! Control registers and queue registers (IHI 0070, 6.3.9 onwards).

use tock_registers::register_bitfields;

use super::pin;

/// Offsets of registers from the SMMU's base (IHI 0070, 6.2).
pub mod offset {
    /// SMMU_IDR0.
    pub const IDR0: u64 = 0x00;
    /// SMMU_IDR1.
    pub const IDR1: u64 = 0x04;
    /// SMMU_IDR3.
    pub const IDR3: u64 = 0x0c;
    /// SMMU_IDR5.
    pub const IDR5: u64 = 0x14;
    /// SMMU_AIDR.
    pub const AIDR: u64 = 0x1c;
    /// SMMU_CR0.
    pub const CR0: u64 = 0x20;
    /// SMMU_CR0ACK.
    pub const CR0ACK: u64 = 0x24;
    /// SMMU_CR1.
    pub const CR1: u64 = 0x28;
    /// SMMU_CR2.
    pub const CR2: u64 = 0x2c;
    /// SMMU_GBPA.
    pub const GBPA: u64 = 0x44;
    /// SMMU_IRQ_CTRL.
    pub const IRQ_CTRL: u64 = 0x50;
    /// SMMU_IRQ_CTRLACK.
    pub const IRQ_CTRLACK: u64 = 0x54;
    /// SMMU_GERROR.
    pub const GERROR: u64 = 0x60;
    /// SMMU_GERRORN.
    pub const GERRORN: u64 = 0x64;
    /// SMMU_GERROR_IRQ_CFG0, 64 bits.
    pub const GERROR_IRQ_CFG0: u64 = 0x68;
    /// SMMU_STRTAB_BASE, 64 bits.
    pub const STRTAB_BASE: u64 = 0x80;
    /// SMMU_STRTAB_BASE_CFG.
    pub const STRTAB_BASE_CFG: u64 = 0x88;
    /// SMMU_CMDQ_BASE, 64 bits.
    pub const CMDQ_BASE: u64 = 0x90;
    /// SMMU_CMDQ_PROD.
    pub const CMDQ_PROD: u64 = 0x98;
    /// SMMU_CMDQ_CONS.
    pub const CMDQ_CONS: u64 = 0x9c;
    /// SMMU_EVENTQ_BASE, 64 bits.
    pub const EVENTQ_BASE: u64 = 0xa0;
    /// SMMU_EVENTQ_IRQ_CFG0, 64 bits.
    pub const EVENTQ_IRQ_CFG0: u64 = 0xb0;
    /// SMMU_EVENTQ_PROD, in register page 1.
    pub const EVENTQ_PROD: u64 = 0x1_00a8;
    /// SMMU_EVENTQ_CONS, in register page 1.
    pub const EVENTQ_CONS: u64 = 0x1_00ac;
}

/// CR1: normal write-back memory. 0 is non-cacheable.
pub const MEMORY_CACHED: u32 = 1;
/// CR1: inner shareable.
pub const MEMORY_INNER_SHAREABLE: u32 = 3;
/// CR1: outer shareable.
pub const MEMORY_OUTER_SHAREABLE: u32 = 2;

register_bitfields! { u32,
    /// Enables (6.3.9); CR0ACK echoes them.
    pub CR0 [
        /// Streams translate; with 0 GBPA decides.
        SMMUEN OFFSET(0) NUMBITS(1) [],
        /// The event queue is written.
        EVENTQEN OFFSET(2) NUMBITS(1) [],
        /// The command queue is read.
        CMDQEN OFFSET(3) NUMBITS(1) []
    ],
    /// Attributes of table and queue accesses (6.3.11).
    pub CR1 [
        /// Queues, inner cacheability.
        QUEUE_IC OFFSET(0) NUMBITS(2) [],
        /// Queues, outer cacheability.
        QUEUE_OC OFFSET(2) NUMBITS(2) [],
        /// Queues, shareability.
        QUEUE_SH OFFSET(4) NUMBITS(2) [],
        /// Tables, inner cacheability.
        TABLE_IC OFFSET(6) NUMBITS(2) [],
        /// Tables, outer cacheability.
        TABLE_OC OFFSET(8) NUMBITS(2) [],
        /// Tables, shareability.
        TABLE_SH OFFSET(10) NUMBITS(2) []
    ],
    /// Further controls (6.3.12).
    pub CR2 [
        /// Transactions of invalid StreamIDs are recorded.
        RECINVSID OFFSET(1) NUMBITS(1) [],
        /// Broadcast TLB maintenance of the CPUs is ignored.
        PTM OFFSET(2) NUMBITS(1) []
    ],
    /// What happens to streams while the SMMU is disabled (6.3.14).
    pub GBPA [
        /// Abort instead of bypass.
        ABORT OFFSET(20) NUMBITS(1) [],
        /// Set with a write, cleared when the write has taken effect.
        UPDATE OFFSET(31) NUMBITS(1) []
    ],
    /// Interrupt enables (6.3.16); IRQ_CTRLACK echoes them.
    pub IRQ_CTRL [
        /// Global errors.
        GERROR OFFSET(0) NUMBITS(1) [],
        /// Event queue.
        EVENTQ OFFSET(2) NUMBITS(1) []
    ],
    /// Global errors (6.3.19): active where GERROR and GERRORN differ.
    pub GERROR [
        /// The command queue stopped.
        CMDQ OFFSET(0) NUMBITS(1) [],
        /// A write to the event queue was aborted.
        EVENTQ_ABT OFFSET(2) NUMBITS(1) [],
        /// The SMMU entered service failure mode.
        SFM OFFSET(8) NUMBITS(1) []
    ],
    /// Format of the stream table (6.3.25).
    pub STRTAB_BASE_CFG [
        /// log2 of the streams covered.
        LOG2SIZE OFFSET(0) NUMBITS(6) [],
        /// log2 of the entries of a second-level table.
        SPLIT OFFSET(6) NUMBITS(5) [],
        /// Format.
        FMT OFFSET(16) NUMBITS(2) [ Linear = 0, TwoLevel = 1 ]
    ],
    /// Consumer side of the command queue (6.3.28).
    pub CMDQ_CONS [
        /// Read index with its wrap bit.
        RD OFFSET(0) NUMBITS(20) [],
        /// Why the queue stopped; means something only while GERROR.CMDQ is active.
        ERR OFFSET(24) NUMBITS(7) []
    ],
    /// EVENTQ_PROD and EVENTQ_CONS (6.3.29 and following).
    pub EVENTQ_INDEX [
        /// Index with its wrap bit.
        INDEX OFFSET(0) NUMBITS(20) [],
        /// PROD: toggled when records were lost. CONS: the value acknowledged.
        OVERFLOW OFFSET(31) NUMBITS(1) []
    ]
}

register_bitfields! { u64,
    /// Base of the stream table (6.3.24).
    pub STRTAB_BASE [
        /// Address bits 55:6.
        ADDR OFFSET(6) NUMBITS(50) [],
        /// Read-allocate hint.
        RA OFFSET(62) NUMBITS(1) []
    ],
    /// Base of a queue (6.3.26, 6.3.29).
    pub QUEUE_BASE [
        /// log2 of the entries.
        LOG2SIZE OFFSET(0) NUMBITS(5) [],
        /// Address bits 55:5.
        ADDR OFFSET(5) NUMBITS(51) [],
        /// Allocation hint: read for the command queue, write for the event queue.
        ALLOCATE OFFSET(62) NUMBITS(1) []
    ]
}

pin!(0: CR0::SMMUEN = 0:0, CR0::EVENTQEN = 2:2, CR0::CMDQEN = 3:3, CR1::QUEUE_IC = 1:0, CR1::QUEUE_OC = 3:2,
    CR1::QUEUE_SH = 5:4, CR1::TABLE_IC = 7:6, CR1::TABLE_OC = 9:8, CR1::TABLE_SH = 11:10, CR2::RECINVSID = 1:1,
    CR2::PTM = 2:2, GBPA::ABORT = 20:20, GBPA::UPDATE = 31:31, IRQ_CTRL::GERROR = 0:0, IRQ_CTRL::EVENTQ = 2:2,
    GERROR::CMDQ = 0:0, GERROR::EVENTQ_ABT = 2:2, GERROR::SFM = 8:8, STRTAB_BASE_CFG::LOG2SIZE = 5:0,
    STRTAB_BASE_CFG::SPLIT = 10:6, STRTAB_BASE_CFG::FMT = 17:16, CMDQ_CONS::RD = 19:0, CMDQ_CONS::ERR = 30:24,
    EVENTQ_INDEX::INDEX = 19:0, EVENTQ_INDEX::OVERFLOW = 31:31, STRTAB_BASE::ADDR = 55:6, STRTAB_BASE::RA = 62:62,
    QUEUE_BASE::LOG2SIZE = 4:0, QUEUE_BASE::ADDR = 55:5, QUEUE_BASE::ALLOCATE = 62:62);
