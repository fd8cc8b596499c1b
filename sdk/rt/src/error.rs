//! What goes wrong between a component and its manifest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sluice_manifest::supervisor::ServerEnd;
use sluice_sys::Failure;

/// A name that the manifest does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    kind: &'static str,
    name: String,
    there_are: Vec<String>,
}

impl Missing {
    /// `name` is no `kind`; the names of those that exist are `there_are`.
    pub(crate) fn new<'a>(kind: &'static str, name: &str, there_are: impl IntoIterator<Item = &'a str>) -> Self {
        Self { kind, name: name.into(), there_are: there_are.into_iter().map(String::from).collect() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} `{}`", self.kind, self.name)?;
        if self.there_are.is_empty() {
            f.write_str("; there are none")
        } else {
            write!(f, "; there are: {}", self.there_are.join(", "))
        }
    }
}

impl core::error::Error for Missing {}

/// Why the runtime could not do something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RtError {
    /// The spec lacks it.
    Missing(Missing),
    /// The kernel refused it.
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        failure: Failure,
    },
    /// A server answered with an error.
    Answer {
        /// The channel to it.
        of: &'static str,
        /// The label of its answer.
        label: u64,
    },
    /// A server died before it answered.
    Server {
        /// The channel to it.
        of: &'static str,
        /// What follows.
        end: ServerEnd,
    },
    /// The component's CNode is full.
    NoSlots,
    /// The address is not where a component may have memory.
    Address(u64),
}

impl From<Missing> for RtError {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl RtError {
    /// What an answer says whose label is not 0: the server's error, or that there is no server any more.
    #[must_use]
    pub const fn answered(of: &'static str, label: u64) -> Self {
        match ServerEnd::from_label(label) {
            Some(end) => Self::Server { of, end },
            None => Self::Answer { of, label },
        }
    }

    /// Whether the call was made to a life of the server that has ended, and the next one can be asked.
    #[must_use]
    pub const fn can_ask_again(&self) -> bool {
        matches!(self, Self::Server { end: ServerEnd::Died, .. })
    }

    /// Says what the kernel refused.
    pub fn refused(what: &'static str) -> impl Fn(Failure) -> Self {
        move |failure| Self::Refused { what, failure }
    }
}

impl fmt::Display for RtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::Refused { what, failure } => write!(f, "{what}: {failure}"),
            Self::Answer { of, label } => write!(f, "the server of channel {of} answers with error {label}"),
            Self::Server { of, end: ServerEnd::Died } => {
                write!(f, "the server of channel {of} died before it answered")
            }
            Self::Server { of, end: ServerEnd::Gone } => write!(f, "the server of channel {of} is gone for good"),
            Self::NoSlots => f.write_str("no free capability slot is left"),
            Self::Address(address) => write!(f, "{address:#x} is no address for a component's memory"),
        }
    }
}

impl core::error::Error for RtError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_server_that_died_is_told_from_one_that_refuses() {
        assert_eq!(RtError::answered("block", 3), RtError::Answer { of: "block", label: 3 });
        for end in [ServerEnd::Died, ServerEnd::Gone] {
            let error = RtError::answered("block", end as u64);
            assert_eq!(error, RtError::Server { of: "block", end });
            assert_eq!(error.can_ask_again(), end == ServerEnd::Died);
        }
        assert!(!RtError::answered("block", 3).can_ask_again());
    }

    #[test]
    fn a_missing_name_comes_with_those_there_are() {
        assert_eq!(Missing::new("region", "x", ["a", "b"]).to_string(), "no region `x`; there are: a, b");
        assert_eq!(Missing::new("region", "x", []).to_string(), "no region `x`; there are none");
    }
}
