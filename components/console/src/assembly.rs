//! Text of one client, put together to lines.

/// Longest line that is printed in one piece; longer ones are split.
pub const LINE_MAX: usize = 256;

/// The unfinished line of one client.
#[derive(Clone, Debug)]
pub struct Assembly {
    bytes: [u8; LINE_MAX],
    length: usize,
    /// The last line was split here, so that an end that follows at once ends it and starts no empty one.
    split: bool,
    /// The byte before, as it came.
    last: u8,
}

impl Default for Assembly {
    fn default() -> Self {
        Self { bytes: [0; LINE_MAX], length: 0, split: false, last: 0 }
    }
}

impl Assembly {
    /// Adds a byte; calls `print` with each line that is complete, without its end.
    pub fn push(&mut self, byte: u8, print: &mut impl FnMut(&[u8])) {
        let last = core::mem::replace(&mut self.last, byte);
        if byte == b'\n' {
            if !self.split {
                self.flush(print);
            }
            self.split = false;
            return;
        }
        self.split = false;
        self.bytes[self.length] = printable(last, byte);
        self.length += 1;
        if self.length == LINE_MAX {
            self.flush(print);
            self.split = true;
        }
    }

    /// What has come of the line that is not finished, fit to be shown.
    #[must_use]
    pub fn unfinished(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn flush(&mut self, print: &mut impl FnMut(&[u8])) {
        print(&self.bytes[..self.length]);
        self.length = 0;
    }
}

/// A byte that cannot move the cursor: a carriage return or an escape would let a client overwrite the name before its
/// line. Bytes above 0x7f are parts of UTF-8 characters; those of 0xc2 and up to 0x9f are control characters again, among
/// them one that starts a line and one that is an escape.
const fn printable(last: u8, byte: u8) -> u8 {
    match (last, byte) {
        (_, b'\t') => b' ',
        (_, 0..0x20 | 0x7f) | (0xc2, 0x80..0xa0) => b'?',
        (_, 0x20..0x7f | 0x80..=0xff) => byte,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn lines(assembly: &mut Assembly, text: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in text {
            assembly.push(*byte, &mut |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines
    }

    #[test]
    fn lines_appear_when_they_are_complete() {
        let mut assembly = Assembly::default();
        assert_eq!(lines(&mut assembly, b"one"), Vec::<String>::new());
        assert_eq!(lines(&mut assembly, b" line\n\ntw"), ["one line", ""]);
        assert_eq!(lines(&mut assembly, b"o\n"), ["two"]);
    }

    #[test]
    fn long_lines_are_split_and_nothing_is_lost() {
        let mut assembly = Assembly::default();
        let exact = vec![b'x'; LINE_MAX];
        assert_eq!(lines(&mut assembly, &exact).len(), 1, "a full buffer is printed at once");
        assert_eq!(lines(&mut assembly, b"\n"), Vec::<String>::new(), "and its end starts no empty line");
        assert_eq!(lines(&mut assembly, b"\n"), [""]);
        let printed = lines(&mut assembly, &[vec![b'y'; 2 * LINE_MAX + 5].as_slice(), b"\n"].concat());
        assert_eq!(printed.iter().map(String::len).collect::<Vec<_>>(), [LINE_MAX, LINE_MAX, 5]);
    }

    #[test]
    fn a_client_cannot_write_over_its_name() {
        let mut assembly = Assembly::default();
        let forged = lines(&mut assembly, b"\rroot    | RESULT\x1b[2K\x08\x7f\t.\n");
        assert_eq!(forged, ["?root    | RESULT?[2K?? ."]);
        let mut shown = Vec::new();
        let text = "\u{85}root\u{9b}2K \u{c5}\u{a0}\u{df}\n";
        for byte in text.bytes() {
            assembly.push(byte, &mut |line| shown.push(line.to_vec()));
        }
        let expected = [b"\xc2?root\xc2?2K ".as_slice(), "\u{c5}\u{a0}\u{df}".as_bytes()].concat();
        assert_eq!(shown, [expected]);
    }
}
