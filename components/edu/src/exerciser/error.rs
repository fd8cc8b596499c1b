//! What keeps the exerciser from going on; a check that fails does not.

use core::fmt;

use sluice_canary::VaultError;
use sluice_dma::DmaError;
use sluice_rt::{Missing, RtError};

/// Why the exerciser stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    Rt(RtError),
    Dma(DmaError),
    Vault(VaultError),
    /// The device did not finish a transfer in time.
    Timeout,
    /// The spec gave the device no stream.
    NoStream,
    /// The object has fewer pages.
    NoExtent,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rt(error) => error.fmt(f),
            Self::Dma(error) => error.fmt(f),
            Self::Vault(error) => error.fmt(f),
            Self::Timeout => f.write_str("the device did not finish a transfer"),
            Self::NoStream => f.write_str("the device has no stream"),
            Self::NoExtent => f.write_str("the object has fewer pages"),
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

impl From<DmaError> for Trouble {
    fn from(error: DmaError) -> Self {
        Self::Dma(error)
    }
}

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}
