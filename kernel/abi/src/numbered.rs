//! Enums whose numbers and documentation are data too, so that generated references say what the source says.

/// Declares an enum of numbered variants. The documentation of each is also its [`description`](crate::Label::description).
macro_rules! numbered {
    (
        $(#[$outer:meta])*
        pub enum $name:ident: $repr:ident {
            $($(#[doc = $doc:literal])* $variant:ident = $number:literal,)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr($repr)]
        pub enum $name {
            $($(#[doc = $doc])* $variant = $number,)+
        }

        impl $name {
            /// Every one, in the order of the declaration.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$variant),+];

            /// What the documentation says of it.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc,)* ""),)+
                }
            }
        }
    };
}

/// Declares numbered constants, and all of them with their documentation as `ALL`.
macro_rules! constants {
    (
        $(#[$outer:meta])*
        pub const $all:ident;
        $($(#[doc = $doc:literal])+ pub const $name:ident: u64 = $value:expr;)+
    ) => {
        $($(#[doc = $doc])+ pub const $name: u64 = $value;)+

        $(#[$outer])*
        pub const $all: &[$crate::Constant] =
            &[$($crate::Constant { name: stringify!($name), value: $value, about: concat!($($doc),+) }),+];
    };
}

/// Declares a structure of words in memory, and its fields with their offsets as `FIELDS`.
macro_rules! layout {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$outer])*
        #[repr(C)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $name {
            /// Its fields, in the order of their offsets.
            pub const FIELDS: &[$crate::Field] = &[
                $($crate::Field {
                    name: stringify!($field),
                    offset: core::mem::offset_of!(Self, $field),
                    bytes: size_of::<$type>(),
                    about: concat!($($doc),+),
                }),+
            ];
        }
    };
}

/// Declares flags, and all of them with their documentation as `NAMED`.
macro_rules! flags {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ const $flag:ident = $value:expr;)+
        }
    ) => {
        bitflags::bitflags! {
            $(#[$outer])*
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub struct $name: u64 {
                $($(#[doc = $doc])+ const $flag = $value;)+
            }
        }

        impl $name {
            /// Every flag, ascending.
            pub const NAMED: &[$crate::Constant] =
                &[$($crate::Constant { name: stringify!($flag), value: $value, about: concat!($($doc),+) }),+];
        }
    };
}

pub(crate) use {constants, flags, layout, numbered};

/// A named number of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Constant {
    /// Its name.
    pub name: &'static str,
    /// The number.
    pub value: u64,
    /// What the documentation says of it.
    pub about: &'static str,
}

/// A field of a structure in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Bytes from the structure's start.
    pub offset: usize,
    /// Its bytes.
    pub bytes: usize,
    /// What the documentation says of it.
    pub about: &'static str,
}
