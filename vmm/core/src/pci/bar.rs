//! Base address registers (PCI Local Bus 3.0, 6.2.5): their sizes, and where they answer.

use alloc::vec::Vec;

use super::HostError;
use super::function::Function;
use super::registers::BAR0;
use crate::layout::PCI_WINDOW;

/// What is mapped is pages.
const PAGE: u64 = 4096;
/// The bits of a BAR that tell its kind.
const KIND: u32 = 0xf;
const IO: u32 = 1;
const WIDTH: u32 = 0b110;
const WIDE: u32 = 0b100;

/// A memory BAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    index: u8,
    kind: u32,
    size: u64,
}

impl Bar {
    /// The BAR with this number, whose register reads `word`, of `size` bytes; `None` when that is no memory BAR of whole
    /// pages.
    pub(super) fn new(index: u8, word: u32, size: u64) -> Option<Self> {
        let kind = word & KIND;
        let (most, last) = match kind & WIDTH {
            0 => (1 << 31, 5),
            WIDE => (1 << 63, 4),
            _ => return None,
        };
        let is_good = kind & IO == 0 && index <= last && size.is_power_of_two() && (PAGE..=most).contains(&size);
        is_good.then_some(Self { index, kind, size })
    }

    /// Its number; a BAR of 64 bits has that of its lower half.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// Its bytes: a power of two, and whole pages.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.size
    }

    pub(super) const fn is_wide(self) -> bool {
        self.kind & WIDTH == WIDE
    }

    /// The offset of its register, or of the lower of two.
    pub(super) const fn register(self) -> usize {
        BAR0 + 4 * self.index as usize
    }

    /// What its registers hold when it is at `address`, and which bits of them can be written.
    pub(super) const fn words(self, address: u64) -> [(u32, u32); 2] {
        let writable = !(self.size - 1);
        [(address as u32 & !KIND | self.kind, writable as u32), ((address >> 32) as u32, (writable >> 32) as u32)]
    }

    fn overlaps(self, at: u64, other: (u64, u64)) -> bool {
        at < other.0 + other.1 && other.0 < at + self.size
    }
}

/// Gives every BAR an address in the window, largest first.
pub(super) fn assign(functions: &mut [Function]) -> Result<(), HostError> {
    let mut order: Vec<(usize, Bar)> = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        order.extend(function.bars().iter().map(|bar| (index, *bar)));
    }
    order.sort_by_key(|(_, bar)| core::cmp::Reverse(bar.size));
    let mut next = PCI_WINDOW.base;
    for (index, bar) in order {
        let at = next.checked_next_multiple_of(bar.size).filter(|at| fits(bar, *at));
        let function = &mut functions[index];
        let at = at.ok_or(HostError::NoRoom { slot: function.slot(), bar: bar.index, bytes: bar.size })?;
        function.assign(bar, at);
        next = at + bar.size;
    }
    Ok(())
}

/// Whether all of a BAR at `at` is in the window.
fn fits(bar: Bar, at: u64) -> bool {
    PCI_WINDOW.offset_of(at).is_some_and(|offset| bar.size <= PCI_WINDOW.size - offset)
}

/// Where the BARs of each function answer: those that decode, are wholly in the window, and overlap none that comes before
/// them in the order of slots and numbers.
pub(super) fn placements(functions: &[Function]) -> Vec<Vec<Option<u64>>> {
    let mut taken: Vec<(u64, u64)> = Vec::new();
    let mut place = |function: &Function, bar: Bar| {
        let at = function.address(bar);
        let is_free = function.is_decoding() && fits(bar, at) && !taken.iter().any(|range| bar.overlaps(at, *range));
        is_free.then(|| taken.push((at, bar.size)))?;
        Some(at)
    };
    functions.iter().map(|function| function.bars().iter().map(|bar| place(function, *bar)).collect()).collect()
}
