//! Virtual processors, and calls of the firmware.

use super::Meaning::{Field, Flags, Interrupt, Value};
use super::{Capability, Invocation, NOT_THERE, Refusal, Word, cap, refused, refused_for, word};
use crate::cap::CapTag;
use crate::{Error, Label};

const fn on_vcpu(
    label: Label,
    about: &'static str,
    caps: &'static [Capability],
    words: &'static [Word],
    results: &'static [&'static str],
    refusals: &'static [&'static [Refusal]],
) -> Invocation {
    Invocation { label, object: CapTag::Vcpu, about, caps, words, results, refusals }
}

pub(super) static SET_TCB: Invocation = on_vcpu(
    Label::VcpuSetTcb,
    "Gives the processor to a thread, and takes each of them from whoever had it.",
    &[cap("tcb", CapTag::Thread)],
    &[],
    &[],
    &[&[refused(Error::IllegalOperation, "the capability is no thread's")]],
);

const INTERRUPT: Word = word("interrupt", Flags)
    .about("bits 15:0: virtual INTID; 23:16: priority; 31:24: group; 39:32: index of the list register");

pub(super) static INJECT_IRQ: Invocation = on_vcpu(
    Label::VcpuInjectIrq,
    "Puts a virtual interrupt into a list register.",
    &[],
    &[INTERRUPT],
    &[],
    &[&[
        refused(Error::RangeError, "INTID, priority, group or index is out of bounds"),
        refused(
            Error::DeleteFirst,
            "the list register holds an interrupt that the guest handles, or is kept for one that is forwarded",
        ),
    ]],
);

pub(super) static FORWARD_IRQ: Invocation = on_vcpu(
    Label::VcpuForwardIrq,
    "Has the kernel put a virtual interrupt into a list register, which is kept for it, whenever an interrupt comes; the \
     guest's end of the one lets the other come again. The interrupt's notification is signalled only while the thread \
     of the processor cannot run.",
    &[cap("handler", CapTag::IrqHandler)],
    &[INTERRUPT],
    &[],
    &[&[
        refused(Error::RangeError, "INTID, priority, group or index is out of bounds"),
        refused_for(Error::InvalidCapability, 1, "the capability is no interrupt handler's"),
        refused(Error::DeleteFirst, "the list register is in use, or the interrupt is forwarded"),
    ]],
);

pub(super) static TAKE_BACK_IRQ: Invocation = on_vcpu(
    Label::VcpuTakeBackIrq,
    "Ends what VCPU_ForwardIRQ has begun. An interrupt that the guest has not taken leaves the list register; one that it \
     handles stays, and its end asks for maintenance. Either waits to be acknowledged by its handler.",
    &[],
    &[word("index", Value).about("index of the list register")],
    &["how far the guest is with it: 0 there is none, 1 it is pending, 2 it is active"],
    &[&[
        refused(Error::RangeError, "there is no such list register"),
        refused_for(Error::InvalidArgument, 0, "the list register is not kept for an interrupt"),
    ]],
);

const NO_REGISTER: &[Refusal] = &[refused_for(Error::InvalidArgument, 1, "there is no such register")];

pub(super) static READ_REG: Invocation =
    on_vcpu(Label::VcpuReadReg, "Reads a register.", &[], &[word("field", Field)], &["the value"], &[NO_REGISTER]);

pub(super) static WRITE_REG: Invocation = on_vcpu(
    Label::VcpuWriteReg,
    "Writes a register.",
    &[],
    &[word("field", Field), word("value", Value)],
    &[],
    &[NO_REGISTER],
);

pub(super) static ACK_VPPI: Invocation = on_vcpu(
    Label::VcpuAckVppi,
    "Lets a private interrupt of the processor, which has been handled, come again.",
    &[],
    &[word("irq", Interrupt)],
    &[],
    &[&[
        refused(Error::RangeError, "there is no such interrupt"),
        refused_for(Error::InvalidArgument, 0, "it is not the virtual timer's"),
    ]],
);

const ARGUMENT: Word = word("argument", Value);

pub(super) static SMC_CALL: Invocation = Invocation {
    label: Label::SmcCall,
    object: CapTag::Null,
    about: "Calls the firmware.",
    caps: &[],
    words: &[ARGUMENT; 8],
    results: &["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"],
    refusals: &[NOT_THERE],
};
