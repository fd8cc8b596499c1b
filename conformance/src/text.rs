//! Text of bounded length, without a heap.

use core::fmt;

/// At most `N` bytes of text; what does not fit is cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match core::str::from_utf8(&self.bytes[..self.len]) {
            Ok(text) => text,
            // A character was cut in two: everything before it is text.
            Err(error) => core::str::from_utf8(&self.bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // A line of the transcript ends at the first line break, so none may be inside.
        for byte in text.bytes().map(|byte| if byte == b'\n' { b' ' } else { byte }) {
            let Some(place) = self.bytes.get_mut(self.len) else { break };
            *place = byte;
            self.len += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_off_between_characters() {
        let mut text = Text::<5>::new();
        write!(text, "ab\n{}", 12).unwrap();
        assert_eq!(text.as_str(), "ab 12");
        let mut text = Text::<4>::new();
        write!(text, "abcé").unwrap();
        assert_eq!(text.as_str(), "abc");
    }
}
