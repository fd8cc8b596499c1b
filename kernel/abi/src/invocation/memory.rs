//! Frames, page tables and VSpaces.

use super::Meaning::{Address, Attributes, End, Rights, Start};
use super::{Capability, Invocation, Refusal, STALE_VSPACE, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const VSPACE: &[Capability] = &[cap("vspace", CapTag::VSpace)];
const VADDR: Word = word("vaddr", Address);
const ATTRIBUTES: Word = word("attr", Attributes);
const RANGE: &[Word] = &[word("start", Start), word("end", End)];

const NO_VSPACE: &[Refusal] = &[refused_for(Error::InvalidCapability, 1, "the VSpace is none, or has no ASID")];

const fn on(
    label: Label,
    object: CapTag,
    about: &'static str,
    words: &'static [Word],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object, about, caps: &[], words, results: &[], refusals }
}

pub(super) static PAGE_TABLE_MAP: Invocation = Invocation {
    caps: VSPACE,
    ..on(
        Label::PageTableMap,
        CapTag::PageTable,
        "Puts the table at the highest level at which the address has none yet.",
        &[VADDR, ATTRIBUTES.about("ignored")],
        &[
            NO_VSPACE,
            STALE_VSPACE,
            &[
                refused_for(Error::InvalidCapability, 0, "the table is mapped"),
                refused_for(Error::InvalidArgument, 0, "the address is beyond the end of a VSpace"),
                refused(Error::DeleteFirst, "all tables are there, or a frame is in the way"),
            ],
        ],
    )
};

pub(super) static PAGE_TABLE_UNMAP: Invocation = on(
    Label::PageTableUnmap,
    CapTag::PageTable,
    "Takes the table out and clears it.",
    &[],
    &[&[refused(Error::RevokeFirst, "there is another capability to the table")]],
);

pub(super) static PAGE_MAP: Invocation = Invocation {
    caps: VSPACE,
    ..on(
        Label::PageMap,
        CapTag::Frame,
        "Maps the frame, in place of another of its size if there is one; where it is mapped already, changes rights and \
         attributes.",
        &[VADDR, word("rights", Rights).about("those of them that the capability has"), ATTRIBUTES],
        &[
            NO_VSPACE,
            STALE_VSPACE,
            &[
                refused_for(Error::InvalidCapability, 1, "the frame is mapped in another VSpace"),
                refused_for(
                    Error::InvalidArgument,
                    0,
                    "the frame is mapped elsewhere, or the address is beyond the end of a VSpace",
                ),
                refused(Error::AlignmentError, "the address is no multiple of the frame's size"),
                refused_for(Error::FailedLookup, 0, "a page table is missing; the bits left are its coverage"),
            ],
        ],
    )
};

pub(super) static PAGE_UNMAP: Invocation =
    on(Label::PageUnmap, CapTag::Frame, "Takes the frame out of where this capability mapped it.", &[], &[]);

pub(super) static PAGE_GET_ADDRESS: Invocation = Invocation {
    results: &["physical address"],
    ..on(Label::PageGetAddress, CapTag::Frame, "Tells where the frame is.", &[], &[])
};

const PAGE_RANGE: &[Refusal] = &[
    refused(Error::IllegalOperation, "the frame is not mapped, or is no ordinary memory"),
    refused_for(Error::InvalidArgument, 1, "the end is not above the start"),
    refused_for(Error::InvalidArgument, 0, "the range goes beyond the frame"),
];

const fn on_page(label: Label, about: &'static str) -> Invocation {
    on(label, CapTag::Frame, about, RANGE, &[STALE_VSPACE, PAGE_RANGE])
}

pub(super) static PAGE_CLEAN: Invocation =
    on_page(Label::PageCleanData, "Writes the range back to the point of coherency.");
pub(super) static PAGE_INVALIDATE: Invocation = on_page(
    Label::PageInvalidateData,
    "Writes the range back and discards it from caches: what memory held before must not be seen.",
);
pub(super) static PAGE_CLEAN_INVALIDATE: Invocation =
    on_page(Label::PageCleanInvalidateData, "Writes the range back and discards it from caches.");
pub(super) static PAGE_UNIFY: Invocation =
    on_page(Label::PageUnifyInstruction, "Makes what was written to the range visible to instruction fetches.");

const VSPACE_RANGE: &[Refusal] = &[
    refused_for(Error::InvalidCapability, 0, "the VSpace has no ASID"),
    refused_for(Error::InvalidArgument, 1, "the end is not above the start"),
    refused(Error::IllegalOperation, "the end is beyond that of a VSpace, or the range is no ordinary memory"),
    refused(Error::RangeError, "the range leaves the page of its start"),
];

const fn on_vspace(label: Label, about: &'static str) -> Invocation {
    on(label, CapTag::VSpace, about, RANGE, &[STALE_VSPACE, VSPACE_RANGE])
}

pub(super) static VSPACE_CLEAN: Invocation = on_vspace(
    Label::VSpaceCleanData,
    "As the frame's; of addresses that are not mapped, or to Device memory, does nothing.",
);
pub(super) static VSPACE_INVALIDATE: Invocation = on_vspace(Label::VSpaceInvalidateData, "Likewise.");
pub(super) static VSPACE_CLEAN_INVALIDATE: Invocation = on_vspace(Label::VSpaceCleanInvalidateData, "Likewise.");
pub(super) static VSPACE_UNIFY: Invocation = on_vspace(Label::VSpaceUnifyInstruction, "Likewise.");
