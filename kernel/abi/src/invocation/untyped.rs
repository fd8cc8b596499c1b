//! Untyped.

use super::Meaning::{Count, Depth, Index, ObjectType, SizeBits, Slot};
use super::{Invocation, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

pub(super) static RETYPE: Invocation = Invocation {
    label: Label::UntypedRetype,
    object: CapTag::Untyped,
    about: "Makes objects in the memory, the capabilities to them in consecutive empty slots of a CNode. An Untyped \
            without descendants starts over at its first byte, and its memory is cleared.",
    caps: &[cap("root", CapTag::CNode)],
    words: &[
        word("type", ObjectType),
        word("size_bits", SizeBits).about("of Untyped in bytes, of CNode in slots; else ignored"),
        word("node_index", Index).about("of the CNode below the root"),
        word("node_depth", Depth).about("or 0: the root itself"),
        word("node_offset", Slot).about("the first"),
        word("num_objects", Count).about("1 to 256"),
    ],
    results: &[],
    refusals: &[&[
        refused_for(Error::InvalidArgument, 0, "there is no such type"),
        refused_for(
            Error::InvalidArgument,
            1,
            "the size is too small, or the memory is no ordinary memory and the objects are neither frames nor Untyped",
        ),
        refused(Error::RangeError, "size, depth, offset or number of objects is out of bounds"),
        refused_for(Error::FailedLookup, 0, "node_index and node_depth lead to no CNode"),
        refused(Error::DeleteFirst, "a slot is in use"),
        refused(Error::NotEnoughMemory, "the objects do not fit"),
    ]],
};
