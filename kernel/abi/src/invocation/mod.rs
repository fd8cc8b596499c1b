//! What every invocation takes, what it gives, and what it is refused for: as data.
//!
//! The generated reference prints it, fuzzers make calls of the right shape from it, and tests of the kernel demand that a
//! refusal is one that is listed here.

mod asid;
mod cnode;
mod domain;
mod interrupt;
mod memory;
mod smmu;
mod tcb;
mod untyped;
mod vcpu;

use crate::cap::CapTag;
use crate::numbered::numbered;
use crate::{Error, Label};

/// One invocation.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// Its label.
    pub label: Label,
    /// The capability it is made on; [`CapTag::Null`] when there is none.
    pub object: CapTag,
    /// What it does.
    pub about: &'static str,
    /// Extra capabilities.
    pub caps: &'static [Capability],
    /// Message words.
    pub words: &'static [Word],
    /// Words of the reply.
    pub results: &'static [&'static str],
    /// Why it can be refused, in groups. Beyond these, every invocation can be refused as [`Invocation::common`] says.
    pub refusals: &'static [&'static [Refusal]],
}

/// An extra capability.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: CapTag,
    /// Whether it can be left out.
    pub optional: bool,
}

/// A message word.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub meaning: Meaning,
    /// Details that its meaning does not tell; may be empty.
    pub about: &'static str,
    /// Whether it can be left out, and with it all that follow.
    pub optional: bool,
}

/// Why an invocation is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The error.
    pub error: Error,
    /// What message word 0 of the reply holds: the number of the argument or capability, or for a failed lookup 1 for the
    /// source and 0 for the rest. `None` where that varies, or where there is no such word.
    pub number: Option<u64>,
    /// When.
    pub when: &'static str,
}

numbered! {
    /// What a message word is.
    pub enum Meaning: u8 {
        /// An object type.
        ObjectType = 0,
        /// log2 of a size.
        SizeBits = 1,
        /// Index of a slot, as many bits as the depth says.
        Index = 2,
        /// Bits of the index, 1 to 64.
        Depth = 3,
        /// Number of a slot in a CNode.
        Slot = 4,
        /// How many.
        Count = 5,
        /// Rights.
        Rights = 6,
        /// A badge for endpoints and notifications, guard bits 5:0 and guard 63:6 for CNodes.
        Data = 7,
        /// A virtual address.
        Address = 8,
        /// Attributes of a mapping.
        Attributes = 9,
        /// A priority, 0 to 255.
        Priority = 10,
        /// Flags.
        Flags = 11,
        /// Any value.
        Value = 12,
        /// Offset of the first byte.
        Start = 13,
        /// Offset of the byte after the last.
        End = 14,
        /// A capability pointer.
        Pointer = 15,
        /// An interrupt's INTID.
        Interrupt = 16,
        /// 0 for level, 1 for edge.
        Trigger = 17,
        /// A scheduling domain.
        Domain = 18,
        /// A stream, `smmu << 32 | sid`.
        Stream = 19,
        /// A context, `smmu << 32 | cb`.
        Context = 20,
        /// Number of an SMMU; 0 when the message is empty.
        Smmu = 21,
        /// A register of a virtual processor.
        Field = 22,
        /// As many words as the one before it says.
        Rest = 23,
        /// An entry of the domain schedule.
        Entry = 24,
    }
}

impl Invocation {
    /// Every one, in the order of their labels.
    pub const ALL: &[&Self] = &ALL;

    /// The invocation with this label.
    #[must_use]
    pub const fn of(label: Label) -> &'static Self {
        ALL[label as usize]
    }

    /// Its own refusals.
    pub fn own_refusals(&self) -> impl Iterator<Item = &'static Refusal> {
        self.refusals.iter().copied().flatten()
    }

    /// Message words that cannot be left out.
    #[must_use]
    pub fn required_words(&self) -> usize {
        self.words.iter().take_while(|word| !word.optional && word.meaning != Meaning::Rest).count()
    }

    /// Extra capabilities that cannot be left out.
    #[must_use]
    pub fn required_caps(&self) -> usize {
        self.caps.iter().take_while(|cap| !cap.optional).count()
    }

    /// What every invocation that takes as much as this one can be refused for.
    pub fn common(&self) -> impl Iterator<Item = &'static Refusal> {
        let truncated = self.required_words() + self.required_caps() > 0;
        ANY.iter().chain(if truncated { SHORT } else { &[] })
    }
}

/// On any capability.
const ANY: &[Refusal] = &[
    refused_for(Error::InvalidCapability, 0, "the invoked slot is empty, or its object is being deleted"),
    refused(Error::IllegalOperation, "the invoked capability is one of another kind"),
];

const SHORT: &[Refusal] = &[refused(Error::TruncatedMessage, "words or extra capabilities are missing")];

const fn cap(name: &'static str, kind: CapTag) -> Capability {
    Capability { name, kind, optional: false }
}

const fn word(name: &'static str, meaning: Meaning) -> Word {
    Word { name, meaning, about: "", optional: false }
}

impl Word {
    const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

const fn refused(error: Error, when: &'static str) -> Refusal {
    Refusal { error, number: None, when }
}

const fn refused_for(error: Error, number: u64, when: &'static str) -> Refusal {
    Refusal { error, number: Some(number), when }
}

/// Index and depth lead to no slot.
const LOOKUP: &[Refusal] = &[
    refused_for(Error::FailedLookup, 0, "index and depth lead to no slot"),
    refused(Error::RangeError, "the depth is not 1 to 64"),
];

/// Index and depth do not lead to an empty slot.
const DESTINATION: &[Refusal] = &[
    refused_for(Error::FailedLookup, 0, "index and depth of the destination lead to no slot"),
    refused(Error::RangeError, "a depth is not 1 to 64"),
    refused(Error::DeleteFirst, "the destination is in use"),
];

/// A VSpace that has lost its ASID.
const STALE_VSPACE: &[Refusal] = &[refused_for(Error::FailedLookup, 0, "the VSpace's ASID is nobody's any more")];

/// The kernel gives no capability for it out in this configuration, or does not do it.
const NOT_THERE: &[Refusal] = &[refused(Error::IllegalOperation, "always: it is not there")];

static NONE: Invocation = Invocation {
    label: Label::InvalidInvocation,
    object: CapTag::Null,
    about: "Nothing: no object takes it.",
    caps: &[],
    words: &[],
    results: &[],
    refusals: &[NOT_THERE],
};

static ALL: [&Invocation; Label::ALL.len()] = [
    &NONE,
    &untyped::RETYPE,
    &tcb::READ_REGISTERS,
    &tcb::WRITE_REGISTERS,
    &tcb::COPY_REGISTERS,
    &tcb::CONFIGURE,
    &tcb::SET_PRIORITY,
    &tcb::SET_MC_PRIORITY,
    &tcb::SET_SCHED_PARAMS,
    &tcb::SET_IPC_BUFFER,
    &tcb::SET_SPACE,
    &tcb::SUSPEND,
    &tcb::RESUME,
    &tcb::BIND_NOTIFICATION,
    &tcb::UNBIND_NOTIFICATION,
    &tcb::SET_TLS_BASE,
    &tcb::SET_FLAGS,
    &cnode::REVOKE,
    &cnode::DELETE,
    &cnode::CANCEL_BADGED_SENDS,
    &cnode::COPY,
    &cnode::MINT,
    &cnode::MOVE,
    &cnode::MUTATE,
    &cnode::ROTATE,
    &cnode::SAVE_CALLER,
    &interrupt::GET,
    &interrupt::ACK,
    &interrupt::SET_NOTIFICATION,
    &interrupt::CLEAR,
    &domain::SET,
    &domain::SCHEDULE_CONFIGURE,
    &domain::SCHEDULE_SET_START,
    &memory::VSPACE_CLEAN,
    &memory::VSPACE_INVALIDATE,
    &memory::VSPACE_CLEAN_INVALIDATE,
    &memory::VSPACE_UNIFY,
    &vcpu::SMC_CALL,
    &memory::PAGE_TABLE_MAP,
    &memory::PAGE_TABLE_UNMAP,
    &memory::PAGE_MAP,
    &memory::PAGE_UNMAP,
    &memory::PAGE_CLEAN,
    &memory::PAGE_INVALIDATE,
    &memory::PAGE_CLEAN_INVALIDATE,
    &memory::PAGE_UNIFY,
    &memory::PAGE_GET_ADDRESS,
    &asid::MAKE_POOL,
    &asid::ASSIGN,
    &vcpu::SET_TCB,
    &vcpu::INJECT_IRQ,
    &vcpu::READ_REG,
    &vcpu::WRITE_REG,
    &vcpu::ACK_VPPI,
    &interrupt::GET_TRIGGER,
    &interrupt::ISSUE_SGI_SIGNAL,
    &smmu::GET_SID,
    &smmu::GET_GLOBAL_FAULT,
    &smmu::CLEAR_GLOBAL_FAULT,
    &smmu::BIND_CB,
    &smmu::UNBIND_CB,
    &smmu::GET_CB,
    &smmu::TLB_INVALIDATE_ALL,
    &smmu::ASSIGN_VSPACE,
    &smmu::UNASSIGN_VSPACE,
    &smmu::TLB_INVALIDATE,
    &smmu::CB_GET_FAULT,
    &smmu::CB_CLEAR_FAULT,
    &smmu::MAP_STREAM_TABLE,
    &smmu::GET_EVENTQ,
    &smmu::SKIP_CMDQ_ERROR,
    &smmu::INIT_SMMU,
    &smmu::DISABLE_SMMU,
    &smmu::SET_FAULT_HANDLER,
    &smmu::SID_GET_FAULT,
    &smmu::SID_CLEAR_FAULT,
    &smmu::ASSIGN_CD_TABLE,
    &smmu::UNASSIGN_CD_TABLE,
    &smmu::INVALIDATE_STAGE1,
    &smmu::BYPASS_STREAM,
    &vcpu::FORWARD_IRQ,
    &vcpu::TAKE_BACK_IRQ,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_entry() {
        for label in Label::ALL {
            assert_eq!(Invocation::of(label).label, label);
        }
    }

    #[test]
    fn optional_arguments_come_last() {
        for invocation in Invocation::ALL {
            assert!(
                invocation.words[invocation.required_words()..]
                    .iter()
                    .all(|word| word.optional || word.meaning == Meaning::Rest)
            );
            assert!(invocation.caps[invocation.required_caps()..].iter().all(|cap| cap.optional));
        }
    }

    #[test]
    fn records_are_described_whole() {
        for label in [Label::SidGetFault, Label::SidControlGetEventq] {
            assert_eq!(Invocation::of(label).results.len(), crate::smmu::Record::WORDS);
        }
    }

    #[test]
    fn numbers_go_with_the_errors_that_have_them() {
        for invocation in Invocation::ALL {
            for refusal in invocation.own_refusals().chain(invocation.common()) {
                let numbered =
                    matches!(refusal.error, Error::InvalidArgument | Error::InvalidCapability | Error::FailedLookup);
                // The number of one of many words is not a constant.
                let varies = invocation.words.last().is_some_and(|word| word.meaning == Meaning::Rest);
                let right = refusal.number.is_some() == numbered || numbered && varies;
                assert!(right, "{:?}: {refusal:?}", invocation.label);
            }
        }
    }
}
