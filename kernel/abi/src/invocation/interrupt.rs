//! Interrupts.

use super::Meaning::{Depth, Index, Interrupt, Trigger, Value};
use super::{Capability, DESTINATION, Invocation, Refusal, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const IRQ: Word = word("irq", Interrupt);
const INDEX: Word = word("index", Index);
const DEPTH: Word = word("depth", Depth);
const ROOT: &[Capability] = &[cap("root", CapTag::CNode)];

const ISSUE: &[Refusal] = &[
    refused(Error::RangeError, "there is no such interrupt, or the depth is not 1 to 64"),
    refused(Error::RevokeFirst, "the interrupt has a handler, or is the kernel's"),
];

pub(super) static GET: Invocation = Invocation {
    label: Label::IrqControlGet,
    object: CapTag::IrqControl,
    about: "Makes the handler capability of an interrupt, and enables the interrupt.",
    caps: ROOT,
    words: &[IRQ, INDEX, DEPTH],
    results: &[],
    refusals: &[ISSUE, DESTINATION],
};

pub(super) static GET_TRIGGER: Invocation = Invocation {
    label: Label::IrqControlGetTrigger,
    object: CapTag::IrqControl,
    about: "Makes the handler capability of an interrupt with a trigger mode, and enables the interrupt.",
    caps: ROOT,
    words: &[IRQ, word("trigger", Trigger), INDEX, DEPTH],
    results: &[],
    refusals: &[ISSUE, DESTINATION],
};

pub(super) static ISSUE_SGI_SIGNAL: Invocation = Invocation {
    label: Label::IrqControlIssueSgiSignal,
    object: CapTag::IrqControl,
    about: "Makes a capability that sends a software-generated interrupt.",
    caps: ROOT,
    words: &[
        word("irq", Value).about("INTID, 0 to 15"),
        word("target", Value).about("the core's affinity, 32 bits"),
        INDEX,
        DEPTH,
    ],
    results: &[],
    refusals: &[
        &[
            refused(Error::RangeError, "the INTID is not 0 to 15"),
            refused_for(Error::InvalidArgument, 1, "the target has more than 32 bits"),
        ],
        DESTINATION,
    ],
};

const fn on_handler(
    label: Label,
    about: &'static str,
    caps: &'static [Capability],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object: CapTag::IrqHandler, about, caps, words: &[], results: &[], refusals }
}

pub(super) static ACK: Invocation =
    on_handler(Label::IrqHandlerAck, "Lets the interrupt, which has been handled, come again.", &[], &[]);

pub(super) static SET_NOTIFICATION: Invocation = on_handler(
    Label::IrqHandlerSetNotification,
    "Has the interrupt signal a notification.",
    &[cap("notification", CapTag::Notification)],
    &[&[refused_for(Error::InvalidCapability, 0, "the notification is none, or without the right to write")]],
);

pub(super) static CLEAR: Invocation = on_handler(Label::IrqHandlerClear, "Has the interrupt signal nobody.", &[], &[]);
