//! ASID pools.

use super::Meaning::{Depth, Index};
use super::{DESTINATION, Invocation, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

pub(super) static MAKE_POOL: Invocation = Invocation {
    label: Label::AsidControlMakePool,
    object: CapTag::AsidControl,
    about: "Makes an ASID pool of an Untyped of 4 KiB.",
    caps: &[cap("untyped", CapTag::Untyped), cap("root", CapTag::CNode)],
    words: &[word("index", Index), word("depth", Depth)],
    results: &[],
    refusals: &[
        &[
            refused_for(Error::InvalidCapability, 1, "the Untyped is none of 4 KiB of ordinary memory"),
            refused(Error::RevokeFirst, "the Untyped has descendants"),
            refused(Error::DeleteFirst, "there are 128 pools"),
        ],
        DESTINATION,
    ],
};

pub(super) static ASSIGN: Invocation = Invocation {
    label: Label::AsidPoolAssign,
    object: CapTag::AsidPool,
    about: "Gives a VSpace an ASID, without which nothing can be mapped in it.",
    caps: &[cap("vspace", CapTag::VSpace)],
    words: &[],
    results: &[],
    refusals: &[&[
        refused_for(Error::InvalidCapability, 1, "the VSpace is none, or has an ASID"),
        refused(Error::DeleteFirst, "the pool is full"),
    ]],
};
