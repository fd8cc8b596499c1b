//! Scheduling domains, of which there is one.

use super::Meaning::{Domain, Value};
use super::{Invocation, NOT_THERE, cap, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

pub(super) static SET: Invocation = Invocation {
    label: Label::DomainSetSet,
    object: CapTag::Domain,
    about: "Puts a thread into a domain.",
    caps: &[cap("thread", CapTag::Thread)],
    words: &[word("domain", Domain)],
    results: &[],
    refusals: &[&[
        refused_for(Error::InvalidArgument, 0, "there is no such domain"),
        refused_for(Error::InvalidArgument, 1, "the capability is no thread's"),
    ]],
};

pub(super) static SCHEDULE_CONFIGURE: Invocation = Invocation {
    label: Label::DomainScheduleConfigure,
    object: CapTag::Domain,
    about: "Changes an entry of the domain schedule.",
    caps: &[],
    words: &[word("index", Value), word("domain", Domain), word("duration", Value)],
    results: &[],
    refusals: &[NOT_THERE],
};

pub(super) static SCHEDULE_SET_START: Invocation = Invocation {
    label: Label::DomainScheduleSetStart,
    object: CapTag::Domain,
    about: "Sets the entry at which the domain schedule starts.",
    caps: &[],
    words: &[word("index", Value)],
    results: &[],
    refusals: &[NOT_THERE],
};
