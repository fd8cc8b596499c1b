//! Text for the console: lines cut to what one message carries, and packed into its words.

use core::fmt;

use sluice_manifest::console::MAX_BYTES;

/// A line in the making. What does not fit is left out, and said so at its end.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    bytes: [u8; MAX_BYTES],
    length: usize,
    cut: bool,
}

const CUT: &[u8] = b" [...]";

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_BYTES], length: 0, cut: false }
    }

    /// The bytes of the line with its end.
    pub(crate) fn finish(&mut self) -> &[u8] {
        if self.cut {
            self.bytes[self.length..self.length + CUT.len()].copy_from_slice(CUT);
            self.length += CUT.len();
        }
        self.bytes[self.length] = b'\n';
        &self.bytes[..=self.length]
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_BYTES - CUT.len() - 1 - self.length;
        let text = text.as_bytes();
        let fitting = &text[..text.len().min(room)];
        self.bytes[self.length..self.length + fitting.len()].copy_from_slice(fitting);
        self.length += fitting.len();
        self.cut |= fitting.len() < text.len();
        Ok(())
    }
}

/// Words of a console message: the count, then eight bytes to a word, the first lowest.
pub(crate) fn pack(bytes: &[u8]) -> ([u64; 1 + MAX_BYTES / 8], usize) {
    let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
    let mut words = [0; 1 + MAX_BYTES / 8];
    words[0] = bytes.len() as u64;
    for (word, chunk) in words[1..].iter_mut().zip(bytes.chunks(8)) {
        *word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    (words, 1 + bytes.len().div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn lines_end_once_and_fit_a_message() {
        let mut line = Line::new();
        write!(line, "a{}", 1).expect("writing to a line succeeds");
        assert_eq!(line.finish(), b"a1\n");

        let mut line = Line::new();
        for _ in 0..MAX_BYTES {
            line.write_str("xy").expect("writing to a line succeeds");
        }
        let finished = line.finish();
        assert_eq!(finished.len(), MAX_BYTES);
        assert!(finished.ends_with(b"x [...]\n") || finished.ends_with(b"y [...]\n"));
    }

    #[test]
    fn packing_counts_bytes_and_words() {
        let (words, length) = pack(b"abcdefghi");
        assert_eq!((length, words[0], words[1]), (3, 9, u64::from_le_bytes(*b"abcdefgh")));
        assert_eq!(words[2], u64::from(b'i'));
        assert_eq!(pack(b"").1, 1);
        assert_eq!(pack(&[1; MAX_BYTES + 9]).0[0], MAX_BYTES as u64);
    }
}
