//! A message to send, as a value.

use sluice_abi::{CPtr, Label, MessageInfo};

/// Label, words and capabilities of a message of at most `WORDS` words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<const WORDS: usize> {
    label: u64,
    words: [u64; WORDS],
    length: usize,
    caps: [CPtr; MessageInfo::MAX_EXTRA_CAPS as usize],
    cap_count: usize,
}

impl<const WORDS: usize> Message<WORDS> {
    const FITS: () = assert!(WORDS <= MessageInfo::MAX_LENGTH as usize);

    /// A message with all of `words`.
    #[must_use]
    pub const fn new(label: u64, words: [u64; WORDS]) -> Self {
        let () = Self::FITS;
        Self { label, words, length: WORDS, caps: [CPtr(0); 3], cap_count: 0 }
    }

    /// An invocation.
    #[must_use]
    pub(crate) const fn invocation(label: Label, words: [u64; WORDS]) -> Self {
        Self::new(label as u64, words)
    }

    /// The message with one capability more.
    ///
    /// # Panics
    /// When it has three already.
    #[must_use]
    pub const fn with_cap(mut self, cap: CPtr) -> Self {
        self.caps[self.cap_count] = cap;
        self.cap_count += 1;
        self
    }

    /// The message with only its first `length` words.
    #[must_use]
    pub const fn shortened(mut self, length: usize) -> Self {
        if length < self.length {
            self.length = length;
        }
        self
    }

    /// The label.
    #[must_use]
    pub const fn label(&self) -> u64 {
        self.label
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words[..self.length]
    }

    /// The capabilities.
    #[must_use]
    pub fn caps(&self) -> &[CPtr] {
        &self.caps[..self.cap_count]
    }

    /// The message information word.
    #[must_use]
    pub const fn info(&self) -> MessageInfo {
        MessageInfo::new(self.label, 0, self.cap_count as u64, self.length as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_counts_words_and_capabilities() {
        let message = Message::new(0x200, [1, 2, 3, 4, 5]).with_cap(CPtr(7)).with_cap(CPtr(9));
        assert_eq!(message.info().word(), 0x200 << 12 | 2 << 7 | 5);
        assert_eq!(message.caps(), [CPtr(7), CPtr(9)]);
        let short = message.shortened(2);
        assert_eq!((short.words(), short.info().length()), ([1, 2].as_slice(), 2));
        assert_eq!(short.shortened(4).info().length(), 2, "shortening never lengthens");
    }

    #[test]
    #[should_panic]
    fn a_fourth_capability_is_refused() {
        let cap = CPtr(1);
        let _message = Message::new(0, []).with_cap(cap).with_cap(cap).with_cap(cap).with_cap(cap);
    }
}
