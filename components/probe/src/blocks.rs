//! What the block server promises: what was written is what is read, in the client's blocks and nowhere else.
//!
//! Arguments: `rounds`, how often all blocks are written and read; `region`, the region that is shared with the server.

use sluice_probe::Stamp;
use sluice_rt::block::{Blocks, Extent, Geometry};
use sluice_rt::{Env, Memory, RtError, check};

use crate::program::number;

/// What memory is filled with before it is read to: a transfer that does not happen must not pass for one that does.
const STALE: u64 = 0xdead_5a5a_dead_5a5a;
/// Requests for what the client does not have: first block, count, place. Numbers are counted from the end where `true`.
const ASTRAY: [([u64; 3], [bool; 2]); 12] = [
    ([0, 1, 0], [true, false]),
    ([1, 1, 0], [true, false]),
    ([0, 1, 0], [false, true]),
    ([0, 0, 0], [false, false]),
    ([0, u64::MAX, 0], [false, false]),
    ([u64::MAX, 1, 0], [false, false]),
    ([u64::MAX, 2, 0], [false, false]),
    ([0, 1, u64::MAX], [false, false]),
    ([0, 2, u64::MAX], [false, false]),
    ([0, 1, 1 << 55], [false, false]),
    ([1 << 63, 1, 1 << 63], [false, false]),
    ([1 << 32, 1, 0], [false, false]),
];

struct Lab<'a> {
    name: &'a str,
    blocks: Blocks,
    memory: Memory,
    geometry: Geometry,
}

/// All checks.
pub(crate) fn run(env: &Env) -> Result<(), RtError> {
    let blocks = Blocks::of(env)?;
    let memory = env.region(env.arg("region").unwrap_or("blocks"))?;
    let lab = Lab { name: env.name(), blocks, memory, geometry: blocks.geometry()? };
    lab.edges()?;
    lab.refusals();
    lab.rounds(number(env, "rounds", 1))
}

impl Lab<'_> {
    fn words(&self) -> u64 {
        self.geometry.block_bytes / 8
    }

    fn offset(&self, place: u64, index: u64) -> usize {
        (place * self.geometry.block_bytes + 8 * index) as usize
    }

    fn fill(&self, place: u64, word: impl Fn(u64) -> u64) {
        (0..self.words()).for_each(|index| self.memory.write64(self.offset(place, index), word(index)));
    }

    fn is_filled(&self, place: u64, word: impl Fn(u64) -> u64) -> bool {
        (0..self.words()).all(|index| self.memory.read64(self.offset(place, index)) == word(index))
    }

    /// The first and the last block, by way of the first and the last place: what refusals are measured by.
    fn edges(&self) -> Result<(), RtError> {
        let Geometry { blocks, places, .. } = self.geometry;
        let stamp = Stamp::of(self.name, u64::MAX);
        let mut good = 0;
        for (first, place, other) in [(0, places - 1, 0), (blocks - 1, 0, places - 1)] {
            self.fill(place, |index| stamp.word(first, index));
            self.blocks.write(Extent { first, count: 1, place })?;
            self.fill(other, |_| STALE);
            self.blocks.read(Extent { first, count: 1, place: other })?;
            good += u32::from(self.is_filled(other, |index| stamp.word(first, index)));
        }
        check!("block-edges", good == 2, "first and last of {blocks} blocks at the last and first of {places} places");
        Ok(())
    }

    /// What the client does not have, read and written.
    fn refusals(&self) {
        let Geometry { blocks, places, .. } = self.geometry;
        (0..places).for_each(|place| self.fill(place, |_| STALE));
        let (mut refused, mut asked) = (0, 0);
        for ([first, count, place], [beyond, outside]) in ASTRAY {
            let first = if beyond { blocks + first } else { first };
            let place = if outside { places + place } else { place };
            let extent = Extent { first, count, place };
            for outcome in [self.blocks.read(extent), self.blocks.write(extent)] {
                asked += 1;
                refused += usize::from(outcome.is_err());
            }
        }
        let untouched = (0..places).all(|place| self.is_filled(place, |_| STALE));
        check!("block-refusals", refused == asked && untouched, "{refused} of {asked} refused, memory left alone");
    }

    /// All blocks, written in pieces of one size and read in pieces of another.
    fn rounds(&self, rounds: u64) -> Result<(), RtError> {
        let Geometry { blocks, places, most, .. } = self.geometry;
        let largest = places.min(most);
        let (mut damaged, mut first_damaged) = (0u64, None);
        for round in 0..rounds {
            let stamp = Stamp::of(self.name, round);
            self.pieces(largest - round % 3, blocks, |extent| {
                for each in 0..extent.count {
                    self.fill(extent.place + each, |index| stamp.word(extent.first + each, index));
                }
                self.blocks.write(extent)
            })?;
            self.blocks.flush()?;
            self.pieces(largest - (round + 1) % 3, blocks, |extent| {
                (0..extent.count).for_each(|each| self.fill(extent.place + each, |_| STALE));
                self.blocks.read(extent)?;
                for each in 0..extent.count {
                    if !self.is_filled(extent.place + each, |index| stamp.word(extent.first + each, index)) {
                        damaged += 1;
                        first_damaged = first_damaged.or(Some((round, extent.first + each)));
                    }
                }
                Ok(())
            })?;
        }
        let good = damaged == 0 && rounds > 0;
        check!("blocks-kept", good, "{rounds} times {blocks} blocks, {damaged} not as written: {first_damaged:?}");
        Ok(())
    }

    /// Pieces of up to `size` blocks that come to `blocks` altogether, each at another place.
    fn pieces(
        &self,
        size: u64,
        blocks: u64,
        mut each: impl FnMut(Extent) -> Result<(), RtError>,
    ) -> Result<(), RtError> {
        let size = size.max(1);
        let mut first = 0;
        while first < blocks {
            let count = size.min(blocks - first);
            let place = first % (self.geometry.places - count + 1);
            each(Extent { first, count, place })?;
            first += count;
        }
        Ok(())
    }
}
