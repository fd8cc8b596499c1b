//! The disk: found, brought up, read.

use sluice_bare::machine::{load32, store32};
use sluice_bare::pci::Function;
use sluice_bare::place::{FREE, WINDOW};

use crate::queue::{ENTRIES, Queue};

/// Bytes of a read, two pages, and blocks of 512 bytes.
pub(crate) const BYTES: u64 = 0x2000;
pub(crate) const BLOCKS: u32 = 16;
/// Where the disk describes itself, and where the data goes, behind the queues.
const DESCRIPTION: u64 = FREE + 0x4000;
const DATA: u64 = FREE + 0x10_0000;

/// Class code of an NVMe controller (PCI Code and ID Assignment 1.11, 1.9).
const NVME: u64 = 0x01_0802;
/// Registers (NVMe Base 2.0, 3.1.3).
const CONFIGURATION: u64 = 0x14;
const STATUS: u64 = 0x1c;
const ADMIN_ATTRIBUTES: u64 = 0x24;
const ADMIN_SUBMISSIONS: u64 = 0x28;
const DOORBELLS: u64 = 0x1000;
/// Enabled; entries of 64 and 16 bytes.
const ENABLED: u32 = 4 << 20 | 6 << 16 | 1;
/// Commands: make completions, make submissions, identify; read.
const MAKE_COMPLETIONS: u32 = 5;
const MAKE_SUBMISSIONS: u32 = 1;
const IDENTIFY: u32 = 6;
const READ: u32 = 2;
/// Of a namespace's description (NVM Command Set 1.0, 4.1.5.1): its size in blocks, the format in use, and the formats, whose
/// third byte is log2 of the bytes of a block.
const SIZE: u64 = 0;
const FORMAT: u64 = 24;
const FORMATS: u64 = 128;
const BLOCK_BITS: u32 = 9;

/// A disk that is ready.
pub(crate) struct Disk {
    queue: Queue,
    blocks: u32,
}

impl Disk {
    /// The disk, of blocks of 512 bytes, with an empty queue.
    pub(crate) fn open() -> Result<Self, &'static str> {
        let registers = place()?;
        let mut admin = Queue::new(FREE, registers + DOORBELLS);
        let queue = Queue::new(FREE + 0x2000, registers + DOORBELLS + 8);
        store32(registers + CONFIGURATION, 0);
        while load32(registers + STATUS) & 1 != 0 {}
        store32(registers + ADMIN_ATTRIBUTES, (ENTRIES - 1) << 16 | (ENTRIES - 1));
        for (at, place) in (ADMIN_SUBMISSIONS..).step_by(8).zip(admin.places()) {
            store32(registers + at, place as u32);
            store32(registers + at + 4, (place >> 32) as u32);
        }
        store32(registers + CONFIGURATION, ENABLED);
        while load32(registers + STATUS) & 1 == 0 {}
        let [submissions, completions] = queue.places();
        // Queue 1, in one piece; the submissions say where their completions go.
        admin.submit([MAKE_COMPLETIONS, 0], [completions, 0], [(ENTRIES - 1) << 16 | 1, 1, 0]);
        admin.wait()?;
        admin.submit([MAKE_SUBMISSIONS, 0], [submissions, 0], [(ENTRIES - 1) << 16 | 1, 1 << 16 | 1, 0]);
        admin.wait()?;
        admin.submit([IDENTIFY, 1], [DESCRIPTION, 0], [0, 0, 0]);
        admin.wait()?;
        let format = load32(DESCRIPTION + FORMAT) >> 16 & 0xf;
        if load32(DESCRIPTION + FORMATS + 4 * u64::from(format)) >> 16 & 0xff != BLOCK_BITS {
            return Err("the disk's blocks are not of 512 bytes");
        }
        if load32(DESCRIPTION + SIZE + 4) != 0 {
            return Err("the disk has more blocks than can be numbered here");
        }
        Ok(Self { queue, blocks: load32(DESCRIPTION + SIZE) })
    }

    /// Its size.
    pub(crate) const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Where read number `id`, fewer than there are entries, leaves its [`BYTES`].
    pub(crate) const fn data(id: u32) -> u64 {
        DATA + id as u64 * BYTES
    }

    /// Begins read number `id`, from `block` on.
    pub(crate) fn begin(&mut self, id: u32, block: u32) {
        let at = Self::data(id);
        self.queue.submit([id << 16 | READ, 1], [at, at + 0x1000], [block, 0, BLOCKS - 1]);
    }

    /// Waits for the end of any read; its number.
    pub(crate) fn wait(&mut self) -> Result<u32, &'static str> {
        self.queue.wait()
    }
}

/// Finds the controller and lets it decode and master; where its registers are.
fn place() -> Result<u64, &'static str> {
    Function::of_class(NVME).ok_or("there is no disk")?.open(WINDOW);
    Ok(WINDOW)
}
