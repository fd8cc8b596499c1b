//! Tables of context descriptors, as `CB_AssignCDTable` names them.

/// A table of context descriptors that belongs to the holder of a context (IHI 0070, 5.2: the `S1*` fields of a stream
/// table entry, with the values of that document).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CdTable {
    /// Its address inside stage 2.
    pub ipa: u64,
    /// log2 of its descriptors (`S1CDMax`, 5 bits); 0 for one, without substreams.
    pub max: u8,
    /// Its format (`S1Fmt`, 2 bits).
    pub format: u8,
    /// What a transaction without a substream does (`S1DSS`, 2 bits).
    pub default_substream: u8,
    /// Inner cacheability of its fetches (`S1CIR`, 2 bits).
    pub inner: u8,
    /// Outer cacheability of its fetches (`S1COR`, 2 bits).
    pub outer: u8,
    /// Shareability of its fetches (`S1CSH`, 2 bits).
    pub shareability: u8,
}

impl CdTable {
    /// Position and bits of each field in message word 1, in the order of the structure.
    const FIELDS: [(u32, u64); 6] = [(0, 0x1f), (8, 3), (16, 3), (24, 3), (26, 3), (28, 3)];

    /// The message words: the address, and the fields.
    #[must_use]
    pub fn words(&self) -> [u64; 2] {
        let values = [self.max, self.format, self.default_substream, self.inner, self.outer, self.shareability];
        let fields = Self::FIELDS.iter().zip(values).map(|((low, mask), value)| (u64::from(value) & mask) << low);
        [self.ipa, fields.fold(0, |word, field| word | field)]
    }

    /// The table that message words name; `None` when bits outside the fields are set.
    #[must_use]
    pub fn from_words([ipa, fields]: [u64; 2]) -> Option<Self> {
        let [max, format, default_substream, inner, outer, shareability] =
            Self::FIELDS.map(|(low, mask)| (fields >> low & mask) as u8);
        let table = Self { ipa, max, format, default_substream, inner, outer, shareability };
        (table.words() == [ipa, fields]).then_some(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_places_and_no_others() {
        let table =
            CdTable { ipa: 0x4000, max: 1, format: 2, default_substream: 3, inner: 1, outer: 2, shareability: 3 };
        let fields = 1 | 2 << 8 | 3 << 16 | 1 << 24 | 2 << 26 | 3 << 28;
        assert_eq!(table.words(), [0x4000, fields]);
        assert_eq!(CdTable::from_words([0x4000, fields]), Some(table));
        let used: u64 = 0x1f | 3 << 8 | 3 << 16 | 0x3f << 24;
        for bit in 0..64 {
            assert_eq!(CdTable::from_words([0, 1 << bit]).is_some(), used >> bit & 1 == 1, "bit {bit}");
        }
    }
}
