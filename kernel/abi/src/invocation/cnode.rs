//! CNodes. The destination is always in the invoked CNode.

use super::Meaning::{Data, Depth, Index, Rights};
use super::{Capability, DESTINATION, Invocation, LOOKUP, Refusal, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const SLOT: &[Word] = &[word("index", Index), word("depth", Depth)];
const SOURCE_ROOT: &[Capability] = &[cap("src_root", CapTag::CNode)];
const DEST_INDEX: Word = word("dest_index", Index);
const DEST_DEPTH: Word = word("dest_depth", Depth);
const SRC_INDEX: Word = word("src_index", Index);
const SRC_DEPTH: Word = word("src_depth", Depth);
const RIGHTS: Word = word("rights", Rights).about("those kept");
const BADGE: Word = word("badge", Data);

const SOURCE: &[Refusal] = &[refused_for(Error::FailedLookup, 1, "the source leads to no capability")];
const UNDERIVABLE: &[Refusal] = &[
    refused(
        Error::IllegalOperation,
        "the source cannot be copied (IRQControl, SIDControl, CBControl, reply, or an unmapped table or VSpace)",
    ),
    refused(Error::RevokeFirst, "the source is Untyped with descendants"),
];
const BAD_DATA: &[Refusal] =
    &[refused(Error::IllegalOperation, "the source cannot get this badge, or its guard does not fit")];

const fn on_slot(label: Label, about: &'static str, refusals: &'static [&'static [Refusal]]) -> Invocation {
    Invocation { label, object: CapTag::CNode, about, caps: &[], words: SLOT, results: &[], refusals }
}

const fn from_source(
    label: Label,
    about: &'static str,
    words: &'static [Word],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object: CapTag::CNode, about, caps: SOURCE_ROOT, words, results: &[], refusals }
}

pub(super) static REVOKE: Invocation =
    on_slot(Label::CNodeRevoke, "Deletes every descendant of the capability in the slot.", &[LOOKUP]);

pub(super) static DELETE: Invocation =
    on_slot(Label::CNodeDelete, "Empties the slot. With the last capability its object goes too.", &[LOOKUP]);

pub(super) static CANCEL_BADGED_SENDS: Invocation = on_slot(
    Label::CNodeCancelBadgedSends,
    "Restarts the threads that wait to send with the badge of the endpoint capability in the slot.",
    &[LOOKUP, &[refused(Error::IllegalOperation, "the slot holds no endpoint capability with all rights")]],
);

pub(super) static COPY: Invocation = from_source(
    Label::CNodeCopy,
    "Makes a copy with fewer rights, or the same.",
    &[DEST_INDEX, DEST_DEPTH, SRC_INDEX, SRC_DEPTH, RIGHTS],
    &[DESTINATION, SOURCE, UNDERIVABLE],
);

pub(super) static MINT: Invocation = from_source(
    Label::CNodeMint,
    "Makes a copy with fewer rights, or the same, and a badge or guard.",
    &[DEST_INDEX, DEST_DEPTH, SRC_INDEX, SRC_DEPTH, RIGHTS, BADGE],
    &[DESTINATION, SOURCE, UNDERIVABLE, BAD_DATA],
);

pub(super) static MOVE: Invocation = from_source(
    Label::CNodeMove,
    "Moves a capability; its ancestors and descendants stay so.",
    &[DEST_INDEX, DEST_DEPTH, SRC_INDEX, SRC_DEPTH],
    &[DESTINATION, SOURCE],
);

pub(super) static MUTATE: Invocation = from_source(
    Label::CNodeMutate,
    "Moves a capability and gives it a guard.",
    &[DEST_INDEX, DEST_DEPTH, SRC_INDEX, SRC_DEPTH, BADGE],
    &[DESTINATION, SOURCE, BAD_DATA],
);

pub(super) static ROTATE: Invocation = Invocation {
    label: Label::CNodeRotate,
    object: CapTag::CNode,
    about: "Moves the pivot to the destination and the source to where the pivot was, or exchanges the two when the \
            source is the destination.",
    caps: &[cap("pivot_root", CapTag::CNode), cap("src_root", CapTag::CNode)],
    words: &[
        DEST_INDEX,
        DEST_DEPTH,
        word("dest_badge", Data).about("of the pivot"),
        word("pivot_index", Index),
        word("pivot_depth", Depth),
        word("pivot_badge", Data).about("of the source"),
        SRC_INDEX,
        SRC_DEPTH,
    ],
    results: &[],
    refusals: &[
        DESTINATION,
        SOURCE,
        BAD_DATA,
        &[
            refused_for(Error::FailedLookup, 0, "the pivot is empty"),
            refused(Error::IllegalOperation, "the pivot is the source or the destination"),
        ],
    ],
};

pub(super) static SAVE_CALLER: Invocation = on_slot(
    Label::CNodeSaveCaller,
    "Moves the capability to answer the invoker's last caller into the slot, if there is one.",
    &[DESTINATION],
);
