//! The message information word.

/// Length, capabilities and label of a message, packed as `x1` carries them.
///
/// Bits 6:0 length, 8:7 extra capabilities, 11:9 unwrapped, 63:12 label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageInfo(u64);

impl MessageInfo {
    /// Most words in a message.
    pub const MAX_LENGTH: u64 = 120;
    /// Most capabilities sent with a message.
    pub const MAX_EXTRA_CAPS: u64 = 3;
    /// Message words that travel in registers (`x2`..`x5`).
    pub const REGISTERS: usize = 4;

    /// A message word; fields wider than their bits are truncated.
    #[must_use]
    pub const fn new(label: u64, caps_unwrapped: u64, extra_caps: u64, length: u64) -> Self {
        Self(label << 12 | (caps_unwrapped & 7) << 9 | (extra_caps & 3) << 7 | (length & 0x7f))
    }

    /// The word a user passed, its length clamped to the maximum.
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        let length = word & 0x7f;
        let length = if length > Self::MAX_LENGTH { Self::MAX_LENGTH } else { length };
        Self(word & !0x7f | length)
    }

    /// The word a user passed, if its message words all travel in registers and no capabilities come along; with the
    /// bits cleared that mean nothing from a sender.
    #[must_use]
    pub const fn short(word: u64) -> Option<Self> {
        const LENGTH_AND_CAPS: u64 = MessageInfo::new(0, 0, 3, 0x7f).word();
        const UNWRAPPED: u64 = MessageInfo::new(0, 7, 0, 0).word();
        if word & LENGTH_AND_CAPS <= Self::REGISTERS as u64 { Some(Self(word & !UNWRAPPED)) } else { None }
    }

    /// The packed word.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// What the message says: an invocation, an error, or the user's own.
    #[must_use]
    pub const fn label(self) -> u64 {
        self.0 >> 12
    }

    /// Number of message words.
    #[must_use]
    pub const fn length(self) -> u64 {
        self.0 & 0x7f
    }

    /// Number of capabilities sent, or received.
    #[must_use]
    pub const fn extra_caps(self) -> u64 {
        self.0 >> 7 & 3
    }

    /// Bit `i` set: capability `i` arrived as a badge instead.
    #[must_use]
    pub const fn caps_unwrapped(self) -> u64 {
        self.0 >> 9 & 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_have_their_words_in_registers() {
        for length in 0..0x80 {
            for caps in 0..4 {
                let word = MessageInfo::new(0x1234, 5, caps, length).word();
                let expected = (length <= 4 && caps == 0).then(|| MessageInfo::new(0x1234, 0, 0, length));
                assert_eq!(MessageInfo::short(word), expected);
            }
        }
    }
}
