//! Kinds of object that `Untyped_Retype` makes.

use crate::numbered::numbered;

numbered! {
    /// Type argument of `Untyped_Retype`.
    pub enum ObjectType: u64 {
        /// Memory without a type yet.
        Untyped = 0,
        /// A thread.
        Tcb = 1,
        /// A rendezvous for messages.
        Endpoint = 2,
        /// A word of signals.
        Notification = 3,
        /// A table of capability slots.
        CNode = 4,
        /// A 1 GiB frame.
        HugePage = 5,
        /// A root translation table.
        VSpace = 6,
        /// A 4 KiB frame.
        SmallPage = 7,
        /// A 2 MiB frame.
        LargePage = 8,
        /// A translation table below the root.
        PageTable = 9,
        /// A virtual processor.
        Vcpu = 10,
        /// A second-level stream table of an SMMU (Sluice).
        StreamTable = 11,
    }
}

impl ObjectType {
    /// The type with this number.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(word).ok()?).copied()
    }

    /// log2 of the object's bytes; `user_bits` is the size argument, used by Untyped (bytes) and CNode (slots).
    #[must_use]
    pub const fn size_bits(self, user_bits: u32) -> u32 {
        match self {
            Self::Untyped => user_bits,
            Self::Tcb => 11,
            Self::Endpoint => 4,
            Self::Notification => 5,
            Self::CNode => user_bits + crate::SLOT_BITS,
            Self::HugePage => 30,
            Self::LargePage => 21,
            Self::SmallPage | Self::VSpace | Self::PageTable | Self::Vcpu => 12,
            Self::StreamTable => crate::smmu::STREAM_TABLE_BITS,
        }
    }

    /// The frame size, for the three frame types.
    #[must_use]
    pub const fn frame_size(self) -> Option<FrameSize> {
        match self {
            Self::SmallPage => Some(FrameSize::Small),
            Self::LargePage => Some(FrameSize::Large),
            Self::HugePage => Some(FrameSize::Huge),
            Self::Untyped
            | Self::Tcb
            | Self::Endpoint
            | Self::Notification
            | Self::CNode
            | Self::VSpace
            | Self::PageTable
            | Self::Vcpu
            | Self::StreamTable => None,
        }
    }
}

/// The three sizes a frame can have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FrameSize {
    /// 4 KiB, mapped at level 3.
    Small,
    /// 2 MiB, mapped at level 2.
    Large,
    /// 1 GiB, mapped at level 1.
    Huge,
}

impl FrameSize {
    /// Every size, ascending.
    pub const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Huge];

    /// log2 of the bytes.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Small => 12,
            Self::Large => 21,
            Self::Huge => 30,
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.bits()
    }

    /// The object type of a frame of this size.
    #[must_use]
    pub const fn object_type(self) -> ObjectType {
        match self {
            Self::Small => ObjectType::SmallPage,
            Self::Large => ObjectType::LargePage,
            Self::Huge => ObjectType::HugePage,
        }
    }
}
