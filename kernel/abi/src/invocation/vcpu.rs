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

pub(super) static INJECT_IRQ: Invocation = on_vcpu(
    Label::VcpuInjectIrq,
    "Puts a virtual interrupt into a list register.",
    &[],
    &[word("interrupt", Flags)
        .about("bits 15:0: virtual INTID; 23:16: priority; 31:24: group; 39:32: index of the list register")],
    &[],
    &[&[
        refused(Error::RangeError, "INTID, priority, group or index is out of bounds"),
        refused(Error::DeleteFirst, "the list register holds an interrupt that the guest handles"),
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
