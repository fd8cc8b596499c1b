//! Memory that somebody else may change: volatile accesses at checked offsets.

use alloc::vec::Vec;

use sluice_abi::VirtAddr;
use sluice_manifest::layout;

/// A range of the component's address space that holds no Rust objects.
///
/// Holding one proves that its addresses are where only regions, registers and self-mapped frames are; that something
/// is mapped there is the root task's or the mapper's doing. An access where nothing is mapped faults and ends the
/// component; it corrupts nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    base: usize,
    bytes: usize,
}

impl Window {
    /// The range, when it lies where no Rust object can be.
    pub(crate) fn new(base: VirtAddr, bytes: u64) -> Option<Self> {
        let end = base.0.checked_add(bytes)?;
        let foreign = base.0 >= layout::REGIONS || base.0 >= layout::WINDOW && end <= layout::WINDOW_END;
        (foreign && end <= sluice_abi::USER_TOP && base.is_aligned(3))
            .then_some(Self { base: base.0 as usize, bytes: bytes as usize })
    }

    pub(crate) const fn bytes(self) -> usize {
        self.bytes
    }

    /// The address of a `T` at `offset`.
    ///
    /// # Panics
    /// When it is not inside the range, or not aligned.
    fn at<T>(self, offset: usize) -> *mut T {
        let size = size_of::<T>();
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.bytes);
        assert!(inside && offset.is_multiple_of(size), "{size} bytes at {offset:#x} of {:#x}", self.bytes);
        core::ptr::with_exposed_provenance_mut(self.base + offset)
    }
}

/// Doublewords of a window, one after the other: the range is checked once.
struct Words {
    next: *mut u64,
    end: *mut u64,
}

impl Window {
    /// The `count` doublewords from `offset` on.
    ///
    /// # Panics
    /// When they are not inside the range, or not aligned.
    fn words(self, offset: usize, count: usize) -> Words {
        let end = count.checked_mul(8).and_then(|bytes| offset.checked_add(bytes));
        let inside = end.is_some_and(|end| end <= self.bytes);
        assert!(
            inside && (count == 0 || offset.is_multiple_of(8)),
            "{count} words at {offset:#x} of {:#x}",
            self.bytes
        );
        let at = |offset: usize| core::ptr::with_exposed_provenance_mut(self.base + offset);
        Words { next: at(offset), end: at(offset + 8 * count) }
    }
}

impl Iterator for Words {
    type Item = *mut u64;

    fn next(&mut self) -> Option<*mut u64> {
        let word = self.next;
        if word == self.end {
            return None;
        }
        self.next = word.wrapping_add(1);
        Some(word)
    }
}

/// The integers that one instruction loads or stores.
pub(crate) trait Word: Copy {
    fn load(window: Window, offset: usize) -> Self;
    fn store(self, window: Window, offset: usize);
}

macro_rules! word {
    ($($integer:ty),*) => {$(
        impl Word for $integer {
            fn load(window: Window, offset: usize) -> Self {
                let address = window.at::<Self>(offset);
                // SAFETY: `at` checked bounds and alignment, and `Window::new` that no Rust object is in the range;
                // any bits are a valid integer.
                unsafe { address.read_volatile() }
            }

            fn store(self, window: Window, offset: usize) {
                let address = window.at::<Self>(offset);
                // SAFETY: as for loads; no Rust object is there to be changed.
                unsafe { address.write_volatile(self) }
            }
        }
    )*};
}
word!(u8, u16, u32, u64);

/// The component's view of memory that it shares with devices or other components.
///
/// Every access is a copy made by volatile word accesses: what was checked once cannot change afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory(Window);

impl Memory {
    /// Memory at `base`; `None` where Rust objects may be (below the regions, outside the window of the manifest's
    /// layout), or when not aligned to eight bytes.
    #[must_use]
    pub fn at(base: VirtAddr, bytes: u64) -> Option<Self> {
        Window::new(base, bytes).map(Self)
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.bytes()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Address of its first byte, for mapping calls and messages.
    #[must_use]
    pub const fn address(&self) -> VirtAddr {
        VirtAddr(self.0.base as u64)
    }

    /// `bytes` of it from `offset` on; `None` when that is not inside, or not aligned to eight.
    #[must_use]
    pub fn part(&self, offset: usize, bytes: usize) -> Option<Self> {
        let end = offset.checked_add(bytes)?;
        let fits = end <= self.len() && offset.is_multiple_of(8);
        fits.then_some(Self(Window { base: self.0.base + offset, bytes }))
    }

    /// The byte at `offset`.
    ///
    /// # Panics
    /// Outside the memory, as do all accesses here; wider ones also when not aligned.
    #[must_use]
    pub fn read8(&self, offset: usize) -> u8 {
        u8::load(self.0, offset)
    }

    /// The 32-bit word at `offset`.
    #[must_use]
    pub fn read32(&self, offset: usize) -> u32 {
        u32::load(self.0, offset)
    }

    /// The 64-bit word at `offset`.
    #[must_use]
    pub fn read64(&self, offset: usize) -> u64 {
        u64::load(self.0, offset)
    }

    /// Stores a byte.
    pub fn write8(&self, offset: usize, value: u8) {
        value.store(self.0, offset);
    }

    /// Stores a 32-bit word.
    pub fn write32(&self, offset: usize, value: u32) {
        value.store(self.0, offset);
    }

    /// Stores a 64-bit word.
    pub fn write64(&self, offset: usize, value: u64) {
        value.store(self.0, offset);
    }

    /// Stores `value` in each 64-bit word.
    pub fn fill64(&self, value: u64) {
        /// Words written in a row: a guest's memory has millions.
        const ROW: usize = 8;
        let count = self.len() / 8;
        let mut words = self.0.words(0, count);
        for _ in 0..count / ROW {
            for index in 0..ROW {
                let word = words.next.wrapping_add(index);
                // SAFETY: `words` checked bounds and alignment of all `count` words, and `Window::new` that no Rust object
                // is in the range.
                unsafe { word.write_volatile(value) };
            }
            words.next = words.next.wrapping_add(ROW);
        }
        for word in words {
            // SAFETY: as above.
            unsafe { word.write_volatile(value) };
        }
    }

    /// Copies `bytes` bytes from the start of `from` to `offset`, whole words at a time where `offset` is a multiple of eight.
    ///
    /// # Panics
    /// When they are not inside both.
    pub fn copy_from(&self, offset: usize, from: &Self, bytes: usize) {
        let words = if offset.is_multiple_of(8) { bytes / 8 } else { 0 };
        for (to, from) in self.0.words(offset, words).zip(from.0.words(0, words)) {
            // SAFETY: as in `fill64`; any bits are a valid integer.
            let word = unsafe { from.read_volatile() };
            // SAFETY: as in `fill64`.
            unsafe { to.write_volatile(word) };
        }
        for index in 8 * words..bytes {
            self.write8(offset + index, from.read8(index));
        }
    }

    /// Copies out what is at `offset`, in words where both sides allow.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        let head = (offset.wrapping_neg() & 7).min(into.len());
        let (bytes, rest) = into.split_at_mut(head);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.read8(offset + index);
        }
        let at = offset + head;
        let (words, tail) = rest.as_chunks_mut::<8>();
        let end = at + 8 * words.len();
        let from = self.0.words(at, words.len());
        for (to, from) in words.iter_mut().zip(from) {
            // SAFETY: as in `fill64`; any bits are a valid integer.
            *to = unsafe { from.read_volatile() }.to_le_bytes();
        }
        for (index, byte) in tail.iter_mut().enumerate() {
            *byte = self.read8(end + index);
        }
    }

    /// Copies `from` to `offset`.
    pub fn write(&self, offset: usize, from: &[u8]) {
        let head = (offset.wrapping_neg() & 7).min(from.len());
        let (bytes, rest) = from.split_at(head);
        for (index, byte) in bytes.iter().enumerate() {
            self.write8(offset + index, *byte);
        }
        let (words, tail) = rest.as_chunks::<8>();
        let at = offset + head;
        for (from, to) in words.iter().zip(self.0.words(at, words.len())) {
            // SAFETY: as in `fill64`.
            unsafe { to.write_volatile(u64::from_le_bytes(*from)) };
        }
        for (index, byte) in tail.iter().enumerate() {
            self.write8(at + 8 * words.len() + index, *byte);
        }
    }

    /// A copy of `bytes` bytes from `offset` on.
    #[must_use]
    pub fn to_vec(&self, offset: usize, bytes: usize) -> Vec<u8> {
        let mut copy = alloc::vec![0; bytes];
        self.read(offset, &mut copy);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window on memory of the test, which the constructor would refuse.
    fn over(memory: &mut [u64]) -> Memory {
        let base = memory.as_mut_ptr().expose_provenance();
        Memory(Window { base, bytes: size_of_val(memory) })
    }

    #[test]
    fn only_addresses_without_rust_objects_are_accepted() {
        let at = |base: u64, bytes: u64| Memory::at(VirtAddr(base), bytes).is_some();
        assert!(at(layout::REGIONS, 0x1000));
        assert!(at(layout::FREE, 1 << 30));
        assert!(at(layout::WINDOW, layout::WINDOW_END - layout::WINDOW));
        for (base, bytes) in [
            (0x40_0000, 0x1000),
            (layout::HEAP, 0x1000),
            (layout::STACK_TOP - 0x1000, 0x1000),
            (layout::IPC_BUFFER, 0x1000),
            (layout::WINDOW, layout::WINDOW_END - layout::WINDOW + 1),
            (layout::REGIONS + 4, 0x1000),
            (u64::MAX - 7, 0x1000),
            (sluice_abi::USER_TOP - 7, 0x1000),
        ] {
            assert!(!at(base, bytes), "{base:#x}+{bytes:#x}");
        }
    }

    #[test]
    fn filling_reaches_every_word() {
        for words in 0..20 {
            let mut memory = alloc::vec![u64::MAX; words];
            over(&mut memory).fill64(7);
            assert_eq!(memory, alloc::vec![7; words]);
        }
    }

    #[test]
    fn memory_is_copied_to_memory_at_every_offset_and_length() {
        let mut from = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908, 0x1716_1514_1312_1110];
        for offset in 0..10 {
            for bytes in 0..=24 {
                let mut to = [u64::MAX; 5];
                over(&mut to).copy_from(offset, &over(&mut from), bytes);
                let mut expected = [0xff; 40];
                for (index, byte) in expected[offset..offset + bytes].iter_mut().enumerate() {
                    *byte = index as u8;
                }
                assert_eq!(over(&mut to).to_vec(0, 40), expected, "{bytes} bytes at {offset}");
            }
        }
    }

    #[test]
    fn copies_are_exact_at_every_offset_and_length() {
        let pattern: Vec<u8> = (1..=40).collect();
        for offset in 0..16 {
            for length in 0..=24 {
                let mut words = [0u64; 6];
                let memory = over(&mut words);
                memory.write(offset, &pattern[..length]);
                assert_eq!(memory.to_vec(offset, length), pattern[..length]);
                let all = memory.to_vec(0, 48);
                let outside = all[..offset].iter().chain(&all[offset + length..]);
                assert!(outside.into_iter().all(|byte| *byte == 0), "{length} bytes at {offset} spilled");
            }
        }
    }

    #[test]
    fn parts_stay_inside() {
        let mut words = [0u64; 4];
        let memory = over(&mut words);
        let part = memory.part(8, 16).expect("inside");
        part.fill64(7);
        assert_eq!([0, 8, 16, 24].map(|offset| memory.read64(offset)), [0, 7, 7, 0]);
        assert!(memory.part(8, 32).is_none() && memory.part(4, 8).is_none() && memory.part(usize::MAX, 8).is_none());
    }

    #[test]
    #[should_panic(expected = "8 bytes at 0x20 of 0x20")]
    fn accesses_outside_panic() {
        let mut words = [0u64; 4];
        let _word = over(&mut words).read64(32);
    }

    #[test]
    #[should_panic(expected = "4 bytes at 0x2 of 0x20")]
    fn unaligned_accesses_panic() {
        let mut words = [0u64; 4];
        over(&mut words).write32(2, 0);
    }
}
