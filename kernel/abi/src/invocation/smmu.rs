//! Streams and contexts. Labels from 68 on are Sluice's own.

use super::Meaning::{Address, Context, Count, Depth, Flags, Index, Rest, Smmu, Stream, Value};
use super::{Capability, DESTINATION, Invocation, Refusal, STALE_VSPACE, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const INDEX: Word = word("index", Index);
const DEPTH: Word = word("depth", Depth);
const SMMU: Word = word("smmu", Smmu);
const ROOT: &[Capability] = &[cap("root", CapTag::CNode)];
const RECORD: &[&str] = &["event type", "stream", "IOVA", "IPA", "flags", "records dropped"];

const NO_SMMU: &[Refusal] = &[refused_for(Error::InvalidArgument, 0, "there is no such SMMU")];
const NO_STREAM: &[Refusal] = &[
    refused_for(Error::InvalidArgument, 0, "there is no such SMMU"),
    refused(Error::RangeError, "the SMMU has no such stream, or a depth is not 1 to 64"),
];
const NO_TABLE: &[Refusal] = &[refused_for(Error::InvalidCapability, 0, "the stream's table is gone")];

const fn on(
    label: Label,
    object: CapTag,
    about: &'static str,
    words: &'static [Word],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object, about, caps: &[], words, results: &[], refusals }
}

pub(super) static GET_SID: Invocation = Invocation {
    caps: ROOT,
    ..on(
        Label::SidControlGetSid,
        CapTag::SidControl,
        "Makes the one capability to a stream.",
        &[word("sid", Stream), INDEX, DEPTH],
        &[
            NO_STREAM,
            DESTINATION,
            &[
                refused_for(Error::FailedLookup, 0, "no stream table covers the stream"),
                refused(Error::RevokeFirst, "there is one"),
            ],
        ],
    )
};

pub(super) static GET_GLOBAL_FAULT: Invocation = Invocation {
    results: &[
        "bits of GERROR that are active, or were since they were last acknowledged",
        "CMDQ_CONS.ERR for the command that was rejected last, 0 for none",
        "its index in the queue",
        "how often event records were lost since that was last acknowledged",
        "what the SMMU does with streams: 0 each stream's entry decides, 1 all abort, 2 all bypass",
    ],
    ..on(
        Label::SidControlGetFault,
        CapTag::SidControl,
        "Reads an SMMU's global errors.",
        &[SMMU.optional()],
        &[NO_SMMU],
    )
};

pub(super) static CLEAR_GLOBAL_FAULT: Invocation =
    on(Label::SidControlClearFault, CapTag::SidControl, "Acknowledges them.", &[SMMU.optional()], &[NO_SMMU]);

pub(super) static MAP_STREAM_TABLE: Invocation = Invocation {
    caps: &[cap("table", CapTag::StreamTable)],
    ..on(
        Label::SidControlMapStreamTable,
        CapTag::SidControl,
        "Installs a stream table, whose streams abort, for a range of streams.",
        &[word("first", Stream).about("a multiple of the streams of a table")],
        &[
            NO_STREAM,
            &[
                refused_for(Error::InvalidCapability, 1, "the table is none, or installed"),
                refused(Error::AlignmentError, "the first stream is no multiple of a table's"),
                refused(Error::DeleteFirst, "a table covers the streams"),
                refused(Error::RevokeFirst, "a capability to one of the streams has outlived an earlier table"),
            ],
        ],
    )
};

pub(super) static GET_EVENTQ: Invocation = Invocation {
    results: RECORD,
    ..on(
        Label::SidControlGetEventq,
        CapTag::SidControl,
        "Takes the oldest event that no stream's fault handler claims; an empty reply when there is none.",
        &[SMMU],
        &[NO_SMMU],
    )
};

pub(super) static SKIP_CMDQ_ERROR: Invocation = Invocation {
    results: &["first word of the command", "its second word"],
    ..on(
        Label::SidControlSkipCmdqError,
        CapTag::SidControl,
        "Takes the command that the SMMU rejected last. The kernel has stepped over it when that happened, and has had \
         everything forgotten in its place; no queue waits for this call.",
        &[SMMU],
        &[NO_SMMU, &[refused(Error::IllegalOperation, "no command was rejected since the last call")]],
    )
};

pub(super) static INIT_SMMU: Invocation = on(
    Label::SidControlInitSmmu,
    CapTag::SidControl,
    "Brings an SMMU up: each stream does what its entry says.",
    &[SMMU],
    &[NO_SMMU, &[refused(Error::IllegalOperation, "it is up, or did not come up and aborts everything")]],
);

pub(super) static DISABLE_SMMU: Invocation = on(
    Label::SidControlDisableSmmu,
    CapTag::SidControl,
    "Takes an SMMU down; it aborts everything. Bindings stay and can be changed meanwhile.",
    &[SMMU],
    &[NO_SMMU],
);

pub(super) static BIND_CB: Invocation = Invocation {
    caps: &[cap("cb", CapTag::Cb)],
    ..on(
        Label::SidBindCb,
        CapTag::Sid,
        "Has the stream translate with a context.",
        &[],
        &[
            NO_TABLE,
            &[
                refused_for(Error::InvalidCapability, 1, "the context is none, of another SMMU, or has no VSpace"),
                refused(Error::DeleteFirst, "the stream is bound, or bypasses"),
            ],
        ],
    )
};

pub(super) static UNBIND_CB: Invocation = on(
    Label::SidUnbindCb,
    CapTag::Sid,
    "Has the stream, bound or bypassing, abort.",
    &[],
    &[NO_TABLE, &[refused(Error::IllegalOperation, "the stream is not bound, and does not bypass")]],
);

pub(super) static SET_FAULT_HANDLER: Invocation = Invocation {
    caps: &[Capability { name: "notification", kind: CapTag::Notification, optional: true }],
    ..on(
        Label::SidSetFaultHandler,
        CapTag::Sid,
        "Has the stream's events signal a notification, or nobody. Beyond the budget the stream aborts in silence until \
         its faults are cleared.",
        &[word("budget", Value).about("in records; 0 is unlimited")],
        &[
            NO_TABLE,
            &[refused_for(Error::InvalidCapability, 1, "the notification is none, or without the right to write")],
        ],
    )
};

pub(super) static SID_GET_FAULT: Invocation = Invocation {
    results: RECORD,
    ..on(
        Label::SidGetFault,
        CapTag::Sid,
        "Takes the stream's oldest record; an empty reply when there is none.",
        &[],
        &[NO_TABLE],
    )
};

pub(super) static SID_CLEAR_FAULT: Invocation = on(
    Label::SidClearFault,
    CapTag::Sid,
    "Drops the stream's record and its counts, and ends its quarantine.",
    &[],
    &[NO_TABLE],
);

pub(super) static GET_CB: Invocation = Invocation {
    caps: ROOT,
    ..on(
        Label::CbControlGetCb,
        CapTag::CbControl,
        "Makes the one capability to a context.",
        &[word("cb", Context), INDEX, DEPTH],
        &[
            &[
                refused_for(Error::InvalidArgument, 0, "there is no such SMMU"),
                refused(Error::RangeError, "the SMMU has no such context, or the depth is not 1 to 64"),
                refused(Error::RevokeFirst, "there is one"),
            ],
            DESTINATION,
        ],
    )
};

pub(super) static TLB_INVALIDATE_ALL: Invocation = on(
    Label::CbControlTlbInvalidateAll,
    CapTag::CbControl,
    "Has an SMMU forget every translation.",
    &[SMMU.optional()],
    &[NO_SMMU],
);

pub(super) static ASSIGN_VSPACE: Invocation = Invocation {
    caps: &[cap("vspace", CapTag::VSpace)],
    ..on(
        Label::CbAssignVspace,
        CapTag::Cb,
        "Has the context translate with a VSpace.",
        &[],
        &[
            STALE_VSPACE,
            &[
                refused_for(
                    Error::InvalidCapability,
                    1,
                    "the VSpace is none, has no ASID, or its tables are not of the format the SMMU walks: without stage 2 it \
                     must be empty and no thread have run in it, and is of no use to threads from then on",
                ),
                refused(Error::DeleteFirst, "the context has one"),
                refused(Error::IllegalOperation, "the SMMU makes every faulting transaction stall"),
            ],
        ],
    )
};

const UNASSIGNED: &[Refusal] = &[refused(Error::IllegalOperation, "the context has no VSpace")];

pub(super) static UNASSIGN_VSPACE: Invocation =
    on(Label::CbUnassignVspace, CapTag::Cb, "Takes the VSpace away; bound streams abort.", &[], &[UNASSIGNED]);

pub(super) static TLB_INVALIDATE: Invocation =
    on(Label::CbTlbInvalidate, CapTag::Cb, "Has the SMMU forget the context's translations.", &[], &[UNASSIGNED]);

pub(super) static CB_GET_FAULT: Invocation = Invocation {
    results: &["type of the latest event of any bound stream, 0 for none", "its IOVA"],
    ..on(Label::CbGetFault, CapTag::Cb, "Reads the context's latest event.", &[], &[])
};

pub(super) static CB_CLEAR_FAULT: Invocation = on(Label::CbClearFault, CapTag::Cb, "Forgets it.", &[], &[]);

pub(super) static ASSIGN_CD_TABLE: Invocation = on(
    Label::CbAssignCdTable,
    CapTag::Cb,
    "Has the context translate with context descriptors of the holder's own, under its VSpace.",
    &[
        word("table", Address).about("of the descriptors, translated by the VSpace"),
        word("format", Flags)
            .about("S1CDMax in bits 4:0, S1Fmt in 9:8, S1DSS in 17:16, S1CIR in 25:24, S1COR in 27:26, S1CSH in 29:28"),
    ],
    &[
        UNASSIGNED,
        &[
            refused_for(Error::InvalidArgument, 0, "the address is beyond what a VSpace translates"),
            refused_for(Error::InvalidArgument, 1, "a field has a reserved value, or another bit is set"),
            refused(Error::AlignmentError, "the table is not aligned to its size"),
            refused(Error::RangeError, "more descriptors than the SMMU has substreams"),
            refused(Error::DeleteFirst, "the context has descriptors"),
            refused(
                Error::IllegalOperation,
                "the SMMU lacks a stage, makes every faulting transaction stall, or the table has two levels",
            ),
        ],
    ],
);

const NO_DESCRIPTORS: &[Refusal] =
    &[refused(Error::IllegalOperation, "the context has no descriptors of the holder's")];

pub(super) static UNASSIGN_CD_TABLE: Invocation = on(
    Label::CbUnassignCdTable,
    CapTag::Cb,
    "Takes the context descriptors away: bound streams translate with the VSpace alone.",
    &[],
    &[NO_DESCRIPTORS],
);

pub(super) static INVALIDATE_STAGE1: Invocation = on(
    Label::CbInvalidateStage1,
    CapTag::Cb,
    "Issues invalidations of the holder's own context descriptors and tables, and waits for all of them: TLBI_NH_ALL, \
     _ASID, _VA, _VAA, TLBI_NSNH_ALL (as NH_ALL), CFGI_CD and CFGI_CD_ALL (for every stream of the context). VMIDs and \
     streams that the commands name are replaced. Of a batch that is refused nothing is issued.",
    &[word("count", Count).about("of commands, 1 to 59"), word("commands", Rest).about("of two words each")],
    &[
        NO_DESCRIPTORS,
        &[
            refused(Error::RangeError, "none, or more than 59 commands"),
            refused(
                Error::InvalidArgument,
                "a command is not allowed, or has reserved bits set; message word 0 is its index",
            ),
        ],
    ],
);

pub(super) static BYPASS_STREAM: Invocation = Invocation {
    caps: &[cap("sid", CapTag::Sid)],
    ..on(
        Label::SidControlBypassStream,
        CapTag::SidControl,
        "Has a stream reach all memory, untranslated, until it is unbound or nobody holds it.",
        &[],
        &[&[
            refused_for(Error::InvalidCapability, 1, "the stream is none, or its table is gone"),
            refused(Error::DeleteFirst, "the stream is bound, or bypasses"),
        ]],
    )
};
