//! The controller's registers (3.1).

use tock_registers::{LocalRegisterCopy, register_bitfields};

use crate::error::{Error, Unsupported};
use crate::hardware::Registers;

/// Controller Capabilities.
pub const CAP: u64 = 0x00;
/// Version.
pub const VS: u64 = 0x08;
/// Interrupt Mask Set: one bit a vector, write 1 to mask.
pub const INTMS: u64 = 0x0c;
/// Interrupt Mask Clear: one bit a vector, write 1 to unmask.
pub const INTMC: u64 = 0x10;
/// Controller Configuration.
pub const CC: u64 = 0x14;
/// Controller Status.
pub const CSTS: u64 = 0x1c;
/// Admin Queue Attributes.
pub const AQA: u64 = 0x24;
/// Admin Submission Queue Base Address.
pub const ASQ: u64 = 0x28;
/// Admin Completion Queue Base Address.
pub const ACQ: u64 = 0x30;
/// First doorbell.
pub const DOORBELLS: u64 = 0x1000;

register_bitfields! [u64,
    /// Controller Capabilities (3.1.1).
    pub(crate) Cap [
        /// Largest queue, less one.
        MQES OFFSET(0) NUMBITS(16) [],
        /// Queues must be contiguous.
        CQR OFFSET(16) NUMBITS(1) [],
        /// Longest time to become ready or not ready, in units of 500 ms.
        TO OFFSET(24) NUMBITS(8) [],
        /// Doorbell stride: 4 << DSTRD bytes.
        DSTRD OFFSET(32) NUMBITS(4) [],
        /// The NVM command set is supported (bit 0 of CSS).
        CSS_NVM OFFSET(37) NUMBITS(1) [],
        /// Smallest page: 4096 << MPSMIN bytes.
        MPSMIN OFFSET(48) NUMBITS(4) [],
        /// Largest page: 4096 << MPSMAX bytes.
        MPSMAX OFFSET(52) NUMBITS(4) [],
    ]
];

register_bitfields! [u32,
    /// Controller Configuration (3.1.5).
    pub(crate) Config [
        /// Enable.
        EN OFFSET(0) NUMBITS(1) [],
        /// Command set: 0 is NVM.
        CSS OFFSET(4) NUMBITS(3) [],
        /// Page size: 4096 << MPS bytes.
        MPS OFFSET(7) NUMBITS(4) [],
        /// Arbitration: 0 is round robin.
        AMS OFFSET(11) NUMBITS(3) [],
        /// Shutdown notification.
        SHN OFFSET(14) NUMBITS(2) [ None = 0, Normal = 1, Abrupt = 2 ],
        /// log2 of a submission queue entry.
        IOSQES OFFSET(16) NUMBITS(4) [],
        /// log2 of a completion queue entry.
        IOCQES OFFSET(20) NUMBITS(4) [],
    ],
    /// Controller Status (3.1.6).
    pub(crate) State [
        /// Ready.
        RDY OFFSET(0) NUMBITS(1) [],
        /// Fatal.
        CFS OFFSET(1) NUMBITS(1) [],
        /// Shutdown status.
        SHST OFFSET(2) NUMBITS(2) [ Running = 0, Occurring = 1, Complete = 2 ],
    ],
    /// Admin Queue Attributes (3.1.8).
    pub(crate) AdminQueues [
        /// Submission queue entries, less one.
        ASQS OFFSET(0) NUMBITS(12) [],
        /// Completion queue entries, less one.
        ACQS OFFSET(16) NUMBITS(12) [],
    ]
];

/// What CAP says, checked against what this driver needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Most entries of a queue, 2..=65536.
    pub max_entries: u32,
    /// Bytes from one doorbell to the next.
    pub stride: u64,
    /// Longest time a change of readiness may take.
    pub ready_ms: u64,
}

impl Capabilities {
    /// Reads and checks CAP.
    ///
    /// # Errors
    /// [`Error::Absent`] when all bits read as one, as from a function that is gone; [`Error::Unsupported`] when the
    /// controller cannot do 4 KiB pages, the NVM command set, or its doorbells for queue 1 lie outside the window.
    pub fn read(registers: &impl Registers) -> Result<Self, Error> {
        if registers.size() < DOORBELLS {
            return Err(Error::Unsupported(Unsupported::Window));
        }
        let word = u64::from(registers.read(CAP)) | u64::from(registers.read(CAP + 4)) << 32;
        if word == u64::MAX {
            return Err(Error::Absent);
        }
        let cap: LocalRegisterCopy<u64, Cap::Register> = LocalRegisterCopy::new(word);
        let capabilities = Self {
            max_entries: cap.read(Cap::MQES) as u32 + 1,
            stride: 4 << cap.read(Cap::DSTRD),
            // 0 is reserved; half a second is the smallest bound a controller can state.
            ready_ms: cap.read(Cap::TO).max(1) * 500,
        };
        if cap.read(Cap::MPSMIN) != 0 {
            return Err(Error::Unsupported(Unsupported::PageSize));
        }
        if !cap.is_set(Cap::CSS_NVM) {
            return Err(Error::Unsupported(Unsupported::CommandSet));
        }
        if capabilities.max_entries < 2 {
            return Err(Error::Unsupported(Unsupported::QueueSize));
        }
        if capabilities.head_doorbell(1) + 4 > registers.size() {
            return Err(Error::Unsupported(Unsupported::Window));
        }
        Ok(capabilities)
    }

    /// Offset of the tail doorbell of submission queue `queue` (3.1.24).
    #[must_use]
    pub const fn tail_doorbell(&self, queue: u16) -> u64 {
        DOORBELLS + 2 * queue as u64 * self.stride
    }

    /// Offset of the head doorbell of completion queue `queue` (3.1.25).
    #[must_use]
    pub const fn head_doorbell(&self, queue: u16) -> u64 {
        DOORBELLS + (2 * queue as u64 + 1) * self.stride
    }
}

/// Stores a 64-bit register as two halves, low first.
pub fn write_wide(registers: &impl Registers, offset: u64, value: u64) {
    registers.write(offset, value as u32);
    registers.write(offset + 4, (value >> 32) as u32);
}
