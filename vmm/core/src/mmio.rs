//! Accesses to registers that are emulated.

/// How much an access moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
    /// Eight bytes.
    Double,
}

impl Width {
    /// Every width.
    pub const ALL: [Self; 4] = [Self::Byte, Self::Half, Self::Word, Self::Double];

    /// Bytes moved.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// The bits of a value that the access moves.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }
}

/// One access to a device's registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Bytes from the start of the device's registers; need not be aligned.
    pub offset: u64,
    /// Width.
    pub width: Width,
}

impl Place {
    /// Whether the access is aligned to its width.
    #[must_use]
    pub const fn is_aligned(self) -> bool {
        self.offset.is_multiple_of(self.width.bytes())
    }
}
