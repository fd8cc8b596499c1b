//! What a fuzzer believes its CSpace to hold.

use sluice_abi::cap::CapTag;
use sluice_abi::invocation::Meaning;
use sluice_abi::{Error, Label, MessageInfo, ObjectType, Syscall};

use crate::call::Call;
use crate::random::Random;
use crate::start::Gift;

/// log2 of the slots of the root CNode.
pub const ROOT_BITS: u32 = 6;
/// log2 of the slots of the CNode in slot [`NODE`] of the root CNode.
pub const NODE_BITS: u32 = 4;
/// Bits of a capability pointer behind the root CNode's: they reach slots of CNodes in its slots.
pub const POINTER_SHIFT: u32 = 8;
/// Depth that resolves a slot of the root CNode; its guard takes what is left, all zero.
pub const ROOT_DEPTH: u64 = 64 - POINTER_SHIFT as u64;
/// Depth that resolves a slot of the inner CNode.
const NODE_DEPTH: u64 = 64;
/// Slot of the inner CNode. It has a guard, zero, that uses up a pointer with its index.
pub const NODE: usize = 0;
/// First of the inner CNode's slots, which are counted behind the root CNode's.
pub const INNER: usize = 1 << ROOT_BITS;
/// Slots of both CNodes.
pub const SLOTS: usize = INNER + (1 << NODE_BITS);

/// The capability pointer of a slot.
///
/// A CNode can be invoked only where nothing is left of a pointer to it, so in the inner one.
#[must_use]
pub const fn pointer(slot: usize) -> u64 {
    if slot < INNER { (slot as u64) << POINTER_SHIFT } else { (NODE as u64) << POINTER_SHIFT | (slot - INNER) as u64 }
}

/// Index and depth that lead from the root CNode to a slot.
#[must_use]
pub const fn index(slot: usize) -> (u64, u64) {
    if slot < INNER { (slot as u64, ROOT_DEPTH) } else { (pointer(slot), NODE_DEPTH) }
}

/// The kind of capability in each slot; [`CapTag::Null`] for empty.
///
/// A belief may be wrong: what other calls delete on the way goes unnoticed until a call on it is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Belief {
    slots: [CapTag; SLOTS],
}

impl Belief {
    /// That these slots hold these kinds, and the others nothing.
    #[must_use]
    pub fn new(start: &[(usize, Gift)]) -> Self {
        let mut belief = Self { slots: [CapTag::Null; SLOTS] };
        for (slot, gift) in start {
            belief.set(Some(*slot), gift.kind());
        }
        belief
    }

    /// What slot `slot` holds.
    #[must_use]
    pub fn kind(&self, slot: usize) -> CapTag {
        self.slots.get(slot).copied().unwrap_or(CapTag::Null)
    }

    /// How many slots hold something.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.slots.iter().filter(|kind| **kind != CapTag::Null).count()
    }

    fn set(&mut self, slot: Option<usize>, kind: CapTag) {
        if let Some(known) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            *known = kind;
        }
    }

    fn at(&self, slot: Option<usize>) -> CapTag {
        slot.map_or(CapTag::Null, |slot| self.kind(slot))
    }

    /// A slot that holds `kind`, if one does.
    pub(crate) fn find(&self, random: &mut Random, kind: CapTag) -> Option<usize> {
        // Of CNodes only the inner ones can be named.
        let first = if kind == CapTag::CNode { INNER } else { 0 };
        let start = random.below(SLOTS as u64) as usize;
        (0..SLOTS).map(|offset| (start + offset) % SLOTS).find(|slot| *slot >= first && self.slots[*slot] == kind)
    }

    /// Takes over what a call's answer shows: `x0` and `x1` after it, as far as it was answered.
    pub fn learn(&mut self, call: &Call, x0: u64, x1: u64) {
        let invoked = slot_of_pointer(call.pointer);
        if call.number == Syscall::DebugCapIdentify.word() {
            if let Some(tag) = CapTag::ALL.into_iter().find(|tag| *tag as u64 == x0) {
                self.set(invoked, tag);
            }
            return;
        }
        if call.number != Syscall::Call.word() {
            return;
        }
        let Some(label) = Label::from_word(call.info.label()) else { return };
        match Error::from_label(MessageInfo::from_word(x1).label()) {
            None => self.learn_success(label, call),
            Some(Error::DeleteFirst) => {
                // Something is there; which kind will show when it is used.
                let dest = destination(label, call);
                if self.at(dest) == CapTag::Null {
                    self.set(dest, CapTag::Zombie);
                }
            }
            Some(Error::InvalidCapability) if call.info.extra_caps() == 0 => self.set(invoked, CapTag::Null),
            Some(_) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few invocations put something into a slot")]
    fn learn_success(&mut self, label: Label, call: &Call) {
        let dest = destination(label, call);
        let source = slot_of_index(call.words[2], call.words[3]);
        match label {
            Label::UntypedRetype => {
                let Some(kind) = ObjectType::from_word(call.words[0]).map(kind_of) else { return };
                {
                    let first = call.words[4] as usize;
                    let into_root = call.words[3] == 0 && call.caps[0] == pointer(INNER);
                    for slot in first..first.saturating_add(call.words[5] as usize).min(INNER) {
                        self.set(into_root.then_some(slot), kind);
                    }
                }
            }
            Label::CNodeCopy | Label::CNodeMint => self.set(dest, self.at(source)),
            Label::CNodeMove | Label::CNodeMutate => {
                self.set(dest, self.at(source));
                self.set(source, CapTag::Null);
            }
            Label::CNodeRotate => {
                let pivot = slot_of_index(call.words[3], call.words[4]);
                let source = slot_of_index(call.words[6], call.words[7]);
                let (moved, came) = (self.at(pivot), self.at(source));
                self.set(source, CapTag::Null);
                self.set(dest, moved);
                self.set(pivot, came);
            }
            Label::CNodeDelete => self.set(dest, CapTag::Null),
            _ => {
                if let Some(kind) = result_of(label) {
                    self.set(dest, kind);
                }
            }
        }
    }
}

/// The slot of the root CNode that a call names as its destination.
fn destination(label: Label, call: &Call) -> Option<usize> {
    let words = sluice_abi::invocation::Invocation::of(label).words;
    let index = words.iter().position(|word| word.meaning == Meaning::Index)?;
    slot_of_index(call.words[index], call.words[index + 1])
}

/// The slot that a capability pointer of [`pointer`] names.
#[must_use]
pub fn slot_of_pointer(at: u64) -> Option<usize> {
    // Where the pointer to the inner CNode leads on to one of its slots, that one counts.
    (0..SLOTS).rev().find(|slot| pointer(*slot) == at)
}

fn slot_of_index(at: u64, depth: u64) -> Option<usize> {
    (0..SLOTS).find(|slot| index(*slot) == (at, depth))
}

/// The kind of capability a retype makes.
const fn kind_of(object: ObjectType) -> CapTag {
    match object {
        ObjectType::Untyped => CapTag::Untyped,
        ObjectType::Tcb => CapTag::Thread,
        ObjectType::Endpoint => CapTag::Endpoint,
        ObjectType::Notification => CapTag::Notification,
        ObjectType::CNode => CapTag::CNode,
        ObjectType::HugePage | ObjectType::SmallPage | ObjectType::LargePage => CapTag::Frame,
        ObjectType::VSpace => CapTag::VSpace,
        ObjectType::PageTable => CapTag::PageTable,
        ObjectType::Vcpu => CapTag::Vcpu,
        ObjectType::StreamTable => CapTag::StreamTable,
    }
}

/// The kind of capability an invocation other than those of CNodes puts into its destination.
fn result_of(label: Label) -> Option<CapTag> {
    [
        (Label::CNodeSaveCaller, CapTag::Reply),
        (Label::IrqControlGet, CapTag::IrqHandler),
        (Label::IrqControlGetTrigger, CapTag::IrqHandler),
        (Label::IrqControlIssueSgiSignal, CapTag::SgiSignal),
        (Label::AsidControlMakePool, CapTag::AsidPool),
        (Label::SidControlGetSid, CapTag::Sid),
        (Label::CbControlGetCb, CapTag::Cb),
    ]
    .into_iter()
    .find_map(|(known, kind)| (known == label).then_some(kind))
}
