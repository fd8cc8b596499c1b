//! Having a device master memory on purpose, to see whether what it masters comes to its SMMU.
//!
//! A device tree says which stream a device has; nothing in it makes that so. A device of a kind that is known here is
//! therefore told to read one page of the root task's, while its stream leads to an empty I/O address space: behind the
//! SMMU the read is refused, and the record that this leaves names the stream. A device whose read leaves no record
//! reaches memory by another way, or has another stream than the tree says, and must not be handed out.
//!
//! Only reads of that page are provoked, and what an NVMe controller answers goes into the same page: whatever is wrong
//! with the machine, nobody else's memory changes.

use sluice_abi::PAGE_SIZE;

use crate::pci::Identity;

/// A kind of device, and so what to tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// QEMU's educational device (`docs/specs/edu.rst` there).
    Edu,
    /// An NVMe controller (NVM Express Base 1.4).
    Nvme,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The SMMU refused it: this address, by this stream.
    Behind {
        /// The address that the device used, to the page.
        address: u64,
    },
    /// It mastered memory, and the SMMU saw nothing of its stream.
    Past,
    /// It did not do what it was told.
    Idle,
}

/// What a provocation has of the machine.
pub trait Scene {
    /// Why the kernel does not say.
    type Error;
    /// Reads 32 bits of the device's first register range.
    fn read(&self, register: u64) -> u32;
    /// Writes 32 bits of it.
    fn write(&mut self, register: u64, value: u32);
    /// Writes 64 bits of it at once.
    fn write_wide(&mut self, register: u64, value: u64);
    /// Puts words at the start of the page that the device is told to read.
    fn put(&mut self, words: &[u32]);
    /// A word of that page.
    fn word(&self, index: u64) -> u32;
    /// The page that a fault record of the device's stream names, if there is one.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn record(&mut self) -> Result<Option<u64>, Self::Error>;
    /// Waits a millisecond.
    fn wait(&mut self);
}

impl Kind {
    /// The kind of a function with this identity and class (PCI Local Bus 3.0, 6.2.1: class, subclass, interface).
    #[must_use]
    pub fn of(identity: Identity, class: u32) -> Option<Self> {
        match (identity, class) {
            (Identity { vendor: 0x1234, device: 0x11e8 }, _) => Some(Self::Edu),
            // Mass storage, non-volatile memory, NVM Express.
            (_, 0x01_0802) => Some(Self::Nvme),
            _ => None,
        }
    }

    /// Bytes of the first register range that are used.
    #[must_use]
    pub const fn registers(self) -> u64 {
        match self {
            Self::Edu => PAGE_SIZE,
            Self::Nvme => 2 * PAGE_SIZE,
        }
    }

    /// Has the device master the page at physical address `page`, and leaves it as it was.
    ///
    /// # Errors
    /// As [`Scene::record`].
    pub fn provoke<S: Scene>(self, scene: &mut S, page: u64) -> Result<Finding, S::Error> {
        match self {
            Self::Edu => edu::provoke(scene, page),
            Self::Nvme => nvme::provoke(scene, page),
        }
    }
}

mod edu {
    use super::{Finding, Scene};

    const SOURCE: u64 = 0x80;
    const DESTINATION: u64 = 0x88;
    const COUNT: u64 = 0x90;
    const COMMAND: u64 = 0x98;
    /// Starts a transfer into the device's buffer; reads as one until it is over.
    const RUN: u32 = 1 << 0;
    /// The device's buffer, as its own addresses have it.
    const BUFFER: u64 = 0x4_0000;
    /// A transfer takes 100 ms.
    const PATIENCE_MS: u32 = 1000;

    pub(super) fn provoke<S: Scene>(scene: &mut S, page: u64) -> Result<Finding, S::Error> {
        scene.write_wide(SOURCE, page);
        scene.write_wide(DESTINATION, BUFFER);
        scene.write_wide(COUNT, 4);
        scene.write(COMMAND, RUN);
        let mut waited = 0;
        while scene.read(COMMAND) & RUN != 0 && waited < PATIENCE_MS {
            scene.wait();
            waited += 1;
        }
        if let Some(address) = scene.record()? {
            [SOURCE, DESTINATION, COUNT].into_iter().for_each(|register| scene.write_wide(register, 0));
            return Ok(Finding::Behind { address });
        }
        Ok(if waited < PATIENCE_MS { Finding::Past } else { Finding::Idle })
    }
}

mod nvme {
    use super::{Finding, Scene};

    /// Capabilities (3.1.1): in bits 31:24 the half seconds that enabling may take.
    const CAPABILITIES: u64 = 0x00;
    const CONFIGURATION: u64 = 0x14;
    const STATUS: u64 = 0x1c;
    const QUEUE_SIZES: u64 = 0x24;
    const SUBMISSIONS: u64 = 0x28;
    const COMPLETIONS: u64 = 0x30;
    /// Tail of the admin submission queue (3.1.24).
    const DOORBELL: u64 = 0x1000;
    /// Enabled, NVM command set, entries of 64 and 16 bytes (3.1.5).
    const ENABLE: u32 = 4 << 20 | 6 << 16 | 1;
    const READY: u32 = 1 << 0;
    const FATAL: u32 = 1 << 1;
    /// Get Features, Number of Queues (5.14): transfers no data. Command identifier in the upper half.
    const COMMAND: u32 = 0x5c1e << 16 | 0x0a;
    const FEATURE: u32 = 0x07;
    const WORDS: usize = 16;
    const PATIENCE_MS: u32 = 1000;

    /// Both admin queues are the page: what the controller answers overwrites the command, and nothing else.
    pub(super) fn provoke<S: Scene>(scene: &mut S, page: u64) -> Result<Finding, S::Error> {
        let half_seconds = scene.read(CAPABILITIES) >> 24;
        let enabling = half_seconds.max(1) * 500;
        scene.write(CONFIGURATION, 0);
        if !until(scene, enabling, |scene| scene.read(STATUS) & READY == 0) {
            return Ok(Finding::Idle);
        }
        let mut command = [0; WORDS];
        (command[0], command[10]) = (COMMAND, FEATURE);
        scene.put(&command);
        // Two entries each.
        scene.write(QUEUE_SIZES, 1 << 16 | 1);
        for queue in [SUBMISSIONS, COMPLETIONS] {
            address(scene, queue, page);
        }
        scene.write(CONFIGURATION, ENABLE);
        let mut finding = Finding::Idle;
        if until(scene, enabling, |scene| scene.read(STATUS) & (READY | FATAL) != 0) {
            scene.write(DOORBELL, 1);
            finding = watch(scene, &command)?;
        }
        scene.write(CONFIGURATION, 0);
        let quiet = until(scene, enabling, |scene| scene.read(STATUS) & READY == 0);
        for queue in [SUBMISSIONS, COMPLETIONS] {
            address(scene, queue, 0);
        }
        scene.write(QUEUE_SIZES, 0);
        Ok(if quiet || finding == Finding::Past { finding } else { Finding::Idle })
    }

    fn watch<S: Scene>(scene: &mut S, command: &[u32]) -> Result<Finding, S::Error> {
        for _ in 0..PATIENCE_MS {
            if let Some(address) = scene.record()? {
                return Ok(Finding::Behind { address });
            }
            if (0u64..4).zip(command).any(|(index, word)| scene.word(index) != *word) {
                return Ok(Finding::Past);
            }
            scene.wait();
        }
        Ok(Finding::Idle)
    }

    /// An address in two halves, which every controller takes (3.1.8).
    fn address<S: Scene>(scene: &mut S, register: u64, value: u64) {
        scene.write(register, value as u32);
        scene.write(register + 4, (value >> 32) as u32);
    }

    fn until<S: Scene>(scene: &mut S, milliseconds: u32, over: impl Fn(&S) -> bool) -> bool {
        for _ in 0..milliseconds {
            if over(scene) {
                return true;
            }
            scene.wait();
        }
        over(scene)
    }
}

#[cfg(test)]
mod tests;
