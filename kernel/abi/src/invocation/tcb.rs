//! Threads.

use super::Meaning::{Address, Count, Data, Flags, Pointer, Priority, Rest, Value};
use super::{Capability, Invocation, Refusal, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const FAULT_EP: Word = word("fault_ep", Pointer).about("of the fault handler's endpoint, in the thread's own CSpace");
const CSPACE_DATA: Word = word("cspace_root_data", Data).about("0 keeps the capability's");
const VSPACE_DATA: Word = word("vspace_root_data", Value).about("ignored");
const BUFFER: Word = word("buffer", Address).about("of the IPC buffer; 0 takes it away");

const OWN: &[Refusal] = &[refused(Error::IllegalOperation, "the thread is the invoker itself")];
const PRIORITY: &[Refusal] = &[
    refused_for(Error::InvalidCapability, 1, "the authority is no thread"),
    refused(Error::RangeError, "a priority is above the authority's maximum"),
];
const NEW_SPACES: &[Refusal] = &[
    refused(
        Error::IllegalOperation,
        "the roots are no CNode and no VSpace with an ASID, the guard does not fit, or the thread's own roots are the last \
         capability to something that takes long to delete",
    ),
    refused(Error::RevokeFirst, "a root is Untyped with descendants"),
];
const NEW_BUFFER: &[Refusal] = &[
    refused(Error::IllegalOperation, "the buffer is no frame of ordinary memory"),
    refused(Error::AlignmentError, "the buffer is not at a multiple of 1024"),
    refused(Error::RevokeFirst, "the buffer's capability is Untyped with descendants"),
];

const fn invocation(
    label: Label,
    about: &'static str,
    caps: &'static [Capability],
    words: &'static [Word],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object: CapTag::Thread, about, caps, words, results: &[], refusals }
}

pub(super) static READ_REGISTERS: Invocation = Invocation {
    results: &["the registers, in the order of the user context"],
    ..invocation(
        Label::TcbReadRegisters,
        "Reads the thread's first registers.",
        &[],
        &[word("flags", Flags).about("bit 0: suspend it first"), word("count", Count).about("1 to 36")],
        &[OWN, &[refused(Error::RangeError, "the count is not 1 to 36")]],
    )
};

pub(super) static WRITE_REGISTERS: Invocation = invocation(
    Label::TcbWriteRegisters,
    "Writes the thread's first registers. Of SPSR only N, Z, C and V are taken over.",
    &[],
    &[
        word("flags", Flags).about("bit 0: resume it after"),
        word("count", Count),
        word("registers", Rest).about("in the order of the user context"),
    ],
    &[OWN],
);

pub(super) static COPY_REGISTERS: Invocation = invocation(
    Label::TcbCopyRegisters,
    "Copies registers from another thread.",
    &[cap("source", CapTag::Thread)],
    &[word("flags", Flags).about(
        "bit 0: suspend the source; bit 1: resume the thread; bit 2: copy the frame registers; bit 3: copy the others",
    )],
    &[&[refused_for(Error::InvalidCapability, 1, "the source is no thread")]],
);

pub(super) static CONFIGURE: Invocation = invocation(
    Label::TcbConfigure,
    "Sets the thread's fault handler, CSpace, VSpace and IPC buffer.",
    &[cap("cspace_root", CapTag::CNode), cap("vspace_root", CapTag::VSpace), cap("buffer_frame", CapTag::Frame)],
    &[FAULT_EP, CSPACE_DATA, VSPACE_DATA, BUFFER],
    &[NEW_SPACES, NEW_BUFFER],
);

pub(super) static SET_PRIORITY: Invocation = invocation(
    Label::TcbSetPriority,
    "Sets the thread's priority.",
    &[cap("authority", CapTag::Thread)],
    &[word("priority", Priority)],
    &[PRIORITY],
);

pub(super) static SET_MC_PRIORITY: Invocation = invocation(
    Label::TcbSetMcPriority,
    "Sets the highest priority the thread may give.",
    &[cap("authority", CapTag::Thread)],
    &[word("mcp", Priority)],
    &[PRIORITY],
);

pub(super) static SET_SCHED_PARAMS: Invocation = invocation(
    Label::TcbSetSchedParams,
    "Sets both priorities.",
    &[cap("authority", CapTag::Thread)],
    &[word("mcp", Priority), word("priority", Priority)],
    &[PRIORITY],
);

pub(super) static SET_IPC_BUFFER: Invocation = invocation(
    Label::TcbSetIpcBuffer,
    "Sets the thread's IPC buffer.",
    &[cap("buffer_frame", CapTag::Frame)],
    &[BUFFER],
    &[NEW_BUFFER],
);

pub(super) static SET_SPACE: Invocation = invocation(
    Label::TcbSetSpace,
    "Sets the thread's fault handler, CSpace and VSpace.",
    &[cap("cspace_root", CapTag::CNode), cap("vspace_root", CapTag::VSpace)],
    &[FAULT_EP, CSPACE_DATA, VSPACE_DATA],
    &[NEW_SPACES],
);

pub(super) static SUSPEND: Invocation = invocation(Label::TcbSuspend, "Stops the thread.", &[], &[], &[]);

pub(super) static RESUME: Invocation =
    invocation(Label::TcbResume, "Lets the thread go on; a system call it waits in starts over.", &[], &[], &[]);

pub(super) static BIND_NOTIFICATION: Invocation = invocation(
    Label::TcbBindNotification,
    "Lets the thread receive a notification's signals while it waits at an endpoint.",
    &[cap("notification", CapTag::Notification)],
    &[],
    &[&[refused(
        Error::IllegalOperation,
        "the notification is none, cannot be read, is bound, has waiting threads, or the thread has one",
    )]],
);

pub(super) static UNBIND_NOTIFICATION: Invocation = invocation(
    Label::TcbUnbindNotification,
    "Ends that.",
    &[],
    &[],
    &[&[refused(Error::IllegalOperation, "the thread has none")]],
);

pub(super) static SET_TLS_BASE: Invocation =
    invocation(Label::TcbSetTlsBase, "Sets the thread's TPIDR_EL0.", &[], &[word("tls_base", Value)], &[]);

pub(super) static SET_FLAGS: Invocation = Invocation {
    results: &["the flags"],
    ..invocation(
        Label::TcbSetFlags,
        "Changes the thread's flags.",
        &[],
        &[word("clear", Flags), word("set", Flags).about("bit 0: floating point traps")],
        &[],
    )
};
