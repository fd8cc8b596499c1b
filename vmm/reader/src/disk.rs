//! The disk: found, brought up, kept busy.

use crate::machine::{ECAM, FREE, PCI_WINDOW, load, print, store};
use crate::queue::{ENTRIES, Queue};

/// Reads in flight, and altogether before the guest starts again.
const DEPTH: u32 = 32;
const READS: u32 = 256;
/// Bytes of a read, two pages, and blocks of 512 bytes.
const BYTES: u64 = 0x2000;
const BLOCKS: u32 = 16;
/// Blocks that are read: the first 4 MiB.
const RANGE: u32 = 8192;
/// Where the data goes, behind the queues.
const DATA: u64 = FREE + 0x10_0000;

/// Class code of an NVMe controller (PCI Code and ID Assignment 1.11, 1.9).
const NVME: u32 = 0x01_0802;
/// Registers (NVMe Base 2.0, 3.1.3).
const CONFIGURATION: u64 = 0x14;
const STATUS: u64 = 0x1c;
const ADMIN_ATTRIBUTES: u64 = 0x24;
const ADMIN_SUBMISSIONS: u64 = 0x28;
const DOORBELLS: u64 = 0x1000;
/// Enabled; entries of 64 and 16 bytes.
const ENABLED: u32 = 4 << 20 | 6 << 16 | 1;
/// Commands: make completions, make submissions; read.
const MAKE_COMPLETIONS: u32 = 5;
const MAKE_SUBMISSIONS: u32 = 1;
const READ: u32 = 2;

/// Reads [`READS`] times, and leaves with the queue full.
pub(crate) fn read() -> Result<(), &'static str> {
    let registers = place()?;
    let mut admin = Queue::new(FREE, registers + DOORBELLS);
    let mut queue = Queue::new(FREE + 0x2000, registers + DOORBELLS + 8);
    store(registers + CONFIGURATION, 0);
    while load(registers + STATUS) & 1 != 0 {}
    store(registers + ADMIN_ATTRIBUTES, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    for (at, place) in (ADMIN_SUBMISSIONS..).step_by(8).zip(admin.places()) {
        store(registers + at, place as u32);
        store(registers + at + 4, (place >> 32) as u32);
    }
    store(registers + CONFIGURATION, ENABLED);
    while load(registers + STATUS) & 1 == 0 {}
    let [submissions, completions] = queue.places();
    // Queue 1, in one piece; the submissions say where their completions go.
    admin.submit([MAKE_COMPLETIONS, 0], [completions, 0], [(ENTRIES - 1) << 16 | 1, 1, 0]);
    admin.wait()?;
    admin.submit([MAKE_SUBMISSIONS, 0], [submissions, 0], [(ENTRIES - 1) << 16 | 1, 1 << 16 | 1, 0]);
    admin.wait()?;
    print("reads: ");
    let mut begun = 0;
    let mut begin = |queue: &mut Queue, id: u32| {
        let at = DATA + u64::from(id) * BYTES;
        queue.submit([id << 16 | READ, 1], [at, at + 0x1000], [begun * BLOCKS % RANGE, 0, BLOCKS - 1]);
        begun += 1;
    };
    (0..DEPTH).for_each(|id| begin(&mut queue, id));
    for _ in 0..READS {
        let id = queue.wait()?;
        // Every character is seen by the VMM, which may end its life at any.
        print(".");
        begin(&mut queue, id);
    }
    print("\n");
    Ok(())
}

/// Finds the controller and lets it decode and master; where its registers are.
fn place() -> Result<u64, &'static str> {
    let slots = (1..32).map(|slot| ECAM + (slot << 15));
    let function = slots.into_iter().find(|at| load(at + 8) >> 8 == NVME).ok_or("there is no disk")?;
    store(function + 0x10, PCI_WINDOW as u32);
    store(function + 0x14, 0);
    // Memory, mastering, no interrupt.
    store(function + 4, 0x406);
    Ok(PCI_WINDOW)
}
