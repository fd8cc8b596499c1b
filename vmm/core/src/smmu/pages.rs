//! The two register pages as the guest reads them.
//!
//! They are the only place where the content of registers is kept, so what the guest reads is what the SMMU acts on.

use super::regs::PAGE_BITS;
use crate::mmio::{Place, Width};

/// Words at the start of each page that registers can be in; the rest reads as zero.
const WORDS: usize = 64;
/// Bytes of a word.
const WORD_BYTES: u64 = 4;

/// Content of the registers, and what of it the guest cannot read yet.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    words: [[u32; WORDS]; 2],
    /// A bit for each word that differs from what was published.
    changed: [u64; 2],
}

impl Pages {
    /// All zero.
    pub(super) const fn new() -> Self {
        Self { words: [[0; WORDS]; 2], changed: [0; 2] }
    }

    /// Page and index of the word at `offset`, where registers can be.
    fn locate(offset: u64) -> Option<(usize, usize)> {
        let index = (offset & ((1 << PAGE_BITS) - 1)) / WORD_BYTES;
        let page = offset >> PAGE_BITS;
        (page < 2 && index < WORDS as u64).then_some((page as usize, index as usize))
    }

    /// The word that contains the byte at `offset`.
    pub(super) fn get(&self, offset: u64) -> u32 {
        Self::locate(offset).map_or(0, |(page, index)| self.words[page][index])
    }

    /// The doubleword at `offset`.
    pub(super) fn get_double(&self, offset: u64) -> u64 {
        u64::from(self.get(offset)) | u64::from(self.get(offset + WORD_BYTES)) << 32
    }

    /// Replaces the word at `offset`.
    pub(super) fn set(&mut self, offset: u64, value: u32) {
        if let Some((page, index)) = Self::locate(offset)
            && self.words[page][index] != value
        {
            self.words[page][index] = value;
            self.changed[page] |= 1 << index;
        }
    }

    /// Replaces everything by zero.
    pub(super) fn clear(&mut self) {
        for (words, changed) in self.words.iter_mut().zip(&mut self.changed) {
            for (word, bit) in words.iter_mut().zip(0..) {
                *changed |= u64::from(*word != 0) << bit;
                *word = 0;
            }
        }
    }

    /// What the guest reads: pages are memory to it, so that any width will do.
    pub(super) fn read(&self, place: Place) -> u64 {
        let byte = |at: u64| u64::from(self.get(at) >> (8 * (at % WORD_BYTES)) & 0xff);
        let Some(end) = place.offset.checked_add(Width::bytes(place.width)) else { return 0 };
        (place.offset..end).rev().fold(0, |value, at| value << 8 | byte(at))
    }

    /// Takes a word that was changed, as its offset and content.
    pub(super) fn take_changed(&mut self) -> Option<(u64, u32)> {
        let page = self.changed.iter().position(|bits| *bits != 0)?;
        let index = self.changed[page].trailing_zeros();
        self.changed[page] &= !(1 << index);
        let offset = ((page as u64) << PAGE_BITS) + u64::from(index) * WORD_BYTES;
        Some((offset, self.words[page][index as usize]))
    }
}
