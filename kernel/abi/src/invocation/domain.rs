//! Scheduling domains, of which there is one.

use super::Meaning::{Domain, Entry, Value};
use super::{Invocation, cap, refused, refused_for, word};
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
    words: &[
        word("index", Entry),
        word("domain", Domain),
        word("duration", Value).about("in ticks; 0 ends the schedule"),
    ],
    results: &[],
    refusals: &[&[
        refused(Error::RangeError, "there is no such entry or domain; the last entry stays the end"),
        refused_for(Error::InvalidArgument, 2, "the duration is too long, or the schedule would end where it starts"),
    ]],
};

pub(super) static SCHEDULE_SET_START: Invocation = Invocation {
    label: Label::DomainScheduleSetStart,
    object: CapTag::Domain,
    about: "Sets the entry at which the domain schedule starts.",
    caps: &[],
    words: &[word("index", Entry)],
    results: &[],
    refusals: &[&[
        refused(Error::RangeError, "there is no such entry"),
        refused_for(Error::InvalidArgument, 0, "the entry ends the schedule"),
    ]],
};
