//! A life that ends with the queue full.

use crate::disk::{BLOCKS, Disk};
use sluice_bare::console::print;

/// Reads in flight, and altogether before the guest starts again.
const DEPTH: u32 = 32;
const READS: u32 = 256;
/// Blocks that are read: the first 4 MiB.
const RANGE: u32 = 8192;

/// Reads [`READS`] times, and leaves with the queue full.
pub(crate) fn read(disk: &mut Disk) -> Result<(), &'static str> {
    print("reads: ");
    let mut places = (0..).map(|begun| begun * BLOCKS % RANGE);
    (0..DEPTH).zip(&mut places).for_each(|(id, block)| disk.begin(id, block));
    for block in places.take(READS as usize) {
        let id = disk.wait()?;
        // Every character is seen by the VMM, which may end its life at any.
        print(".");
        disk.begin(id, block);
    }
    print("\n");
    Ok(())
}
