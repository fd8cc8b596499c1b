//! One type per address space, so that an address of one cannot be taken for an address of another.

use core::fmt;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The address `bytes` further on, wrapping at 2^64.
            #[must_use]
            pub const fn offset(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }

            /// Whether the address is a multiple of 2^`bits`.
            #[must_use]
            pub const fn is_aligned(self, bits: u32) -> bool {
                self.0 & ((1u64 << bits) - 1) == 0
            }

            /// The largest multiple of 2^`bits` that is not above the address.
            #[must_use]
            pub const fn align_down(self, bits: u32) -> Self {
                Self(self.0 & !((1u64 << bits) - 1))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address! {
    /// An address of the machine's physical address space.
    PhysAddr
}
address! {
    /// An address a thread uses: the input of its VSpace's stage-2 tables.
    VirtAddr
}
address! {
    /// An address a device emits: the input of its stream's translation.
    Iova
}
address! {
    /// A capability pointer: an index into a CSpace, resolved from its most significant bit.
    CPtr
}
