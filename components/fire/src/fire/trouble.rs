//! What ends the component before its rounds are over.

use core::fmt;

use sluice_rt::{Missing, RtError};

/// Why it cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    Rt(RtError),
    Disk(sluice_nvme::Error),
    /// The spec gave a device another number of streams than one.
    Streams,
    /// Commands did not end, and the controller is not in a fatal state either.
    Stuck,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rt(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
            Self::Streams => f.write_str("a device has not exactly one stream"),
            Self::Stuck => f.write_str("the disk neither ends its commands nor fails"),
        }
    }
}

impl From<RtError> for Trouble {
    fn from(error: RtError) -> Self {
        Self::Rt(error)
    }
}

impl From<Missing> for Trouble {
    fn from(error: Missing) -> Self {
        Self::Rt(error.into())
    }
}

impl From<sluice_nvme::Error> for Trouble {
    fn from(error: sluice_nvme::Error) -> Self {
        Self::Disk(error)
    }
}
