//! What is on the disk, piece by piece, time after time.

use core::convert::Infallible;

use sha2::{Digest as _, Sha256};

use crate::disk::{BLOCKS, BYTES, Disk};
use sluice_bare::console::print;
use sluice_bare::machine::load32;

/// Reads of a piece; those of the next are in flight meanwhile.
const HALF: u32 = 8;
/// Bytes that are hashed at once.
const LINE: usize = 64;

/// Reads all of the disk again and again for as long as it can be read, and prints the digest of each piece.
pub(crate) fn print_all(disk: &mut Disk) -> Result<Infallible, &'static str> {
    let reads = disk.blocks() / BLOCKS;
    if reads == 0 || !reads.is_multiple_of(HALF) || reads * BLOCKS != disk.blocks() {
        return Err("the disk is not a multiple of what is read at once");
    }
    let ids = |read: u32| (0..HALF).map(move |at| (read / HALF % 2 * HALF + at, (read + at) % reads * BLOCKS));
    let mut done = 0u32;
    ids(0).for_each(|(id, block)| disk.begin(id, block));
    for read in (0..).step_by(HALF as usize) {
        // Memory that a read fills holds other blocks of the disk before.
        ids(read + HALF).for_each(|(id, block)| disk.begin(id, block));
        let mut hash = Sha256::new();
        for (id, _) in ids(read) {
            while done & 1 << id == 0 {
                done |= 1 << disk.wait()?;
            }
            done &= !(1 << id);
            update(&mut hash, Disk::data(id));
        }
        told(hash.finalize().into(), u64::from(read % reads) * BYTES);
    }
    Err("there are no numbers left")
}

/// Hashes what a read has left.
fn update(hash: &mut Sha256, at: u64) {
    for line in (at..at + BYTES).step_by(LINE) {
        let mut bytes = [0; LINE];
        for (word, from) in bytes.as_chunks_mut().0.iter_mut().zip((line..).step_by(4)) {
            *word = load32(from).to_le_bytes();
        }
        hash.update(bytes);
    }
}

/// A line for the piece of the disk at `at`.
fn told(digest: [u8; 32], at: u64) {
    print("SHA256 ");
    for byte in digest {
        print(digit(byte >> 4));
        print(digit(byte & 0xf));
    }
    print(" ");
    number(u64::from(HALF) * BYTES);
    print(" at ");
    number(at);
    print("\n");
}

fn digit(value: u8) -> &'static str {
    let value = usize::from(value);
    "0123456789abcdef".get(value..=value).unwrap_or("?")
}

fn number(value: u64) {
    if value >= 10 {
        number(value / 10);
    }
    print(digit((value % 10) as u8));
}
