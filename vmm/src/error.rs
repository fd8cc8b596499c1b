//! Why a VMM cannot go on.

use alloc::string::String;
use core::fmt;

use sluice_rt::{Missing, RtError};

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    /// The kernel refused something, or the manifest lacks it.
    Runtime(RtError),
    /// The guest cannot be made, or not go on.
    Guest(String),
}

impl From<RtError> for Error {
    fn from(error: RtError) -> Self {
        Self::Runtime(error)
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        Self::Runtime(missing.into())
    }
}

impl From<String> for Error {
    fn from(reason: String) -> Self {
        Self::Guest(reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => error.fmt(f),
            Self::Guest(reason) => f.write_str(reason),
        }
    }
}
