//! CNodes, and the operations on the slots they hold.

use sluice_abi::{CapRights, Label, WORD_BITS};

use crate::{Destination, Failure, Message, capability, invoke};

capability! {
    /// The capability to a CNode.
    CNode
}

impl CNode {
    /// The slot that all 64 bits of `index` lead to, for a CNode whose guard fills the rest.
    #[must_use]
    pub const fn slot(self, index: u64) -> Slot {
        self.slot_at(index, WORD_BITS as u8)
    }

    /// The slot that `depth` bits of `index` lead to.
    #[must_use]
    pub const fn slot_at(self, index: u64, depth: u8) -> Slot {
        Slot { root: self, index, depth }
    }

    /// The CNode's slots from `offset` on, as the destination of new objects.
    #[must_use]
    pub const fn from_offset(self, offset: u64) -> Destination {
        Destination { root: self, index: 0, depth: 0, offset }
    }
}

/// The place of a capability: a path from a CNode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Where the lookup starts.
    pub root: CNode,
    /// The path.
    pub index: u64,
    /// Bits of the path.
    pub depth: u8,
}

/// The middle of a rotation: its capability goes to the destination and gets `destination_badge`; the source's
/// capability takes its place and gets `pivot_badge`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pivot {
    /// The pivot's slot.
    pub slot: Slot,
    /// Badge or guard for the capability that leaves the pivot.
    pub destination_badge: u64,
    /// Badge or guard for the capability that comes to the pivot.
    pub pivot_badge: u64,
}

impl Slot {
    /// Copies the capability of `source` here, with at most `rights`.
    ///
    /// # Errors
    /// When this slot is in use, the source is empty, or its capability cannot be copied.
    pub fn copy_from(self, source: Slot, rights: CapRights) -> Result<(), Failure> {
        invoke(self.root.cptr(), &copy(self, source, rights)).map(drop)
    }

    /// Copies the capability of `source` here with a badge (endpoint, notification) or guard (CNode).
    ///
    /// # Errors
    /// As for a copy, and when the source has a badge already.
    pub fn mint_from(self, source: Slot, rights: CapRights, badge: u64) -> Result<(), Failure> {
        invoke(self.root.cptr(), &mint(self, source, rights, badge)).map(drop)
    }

    /// Moves the capability of `source` here.
    ///
    /// # Errors
    /// When this slot is in use or the source is empty.
    pub fn move_from(self, source: Slot) -> Result<(), Failure> {
        invoke(self.root.cptr(), &move_message(self, source)).map(drop)
    }

    /// Moves the capability of `source` here and gives it a badge or guard.
    ///
    /// # Errors
    /// As for a move, and when the source's capability takes none.
    pub fn mutate_from(self, source: Slot, badge: u64) -> Result<(), Failure> {
        invoke(self.root.cptr(), &mutate(self, source, badge)).map(drop)
    }

    /// Moves the pivot's capability here and the source's to the pivot.
    ///
    /// # Errors
    /// When a capability is missing where one must be, or one is where none may be.
    pub fn rotate_from(self, pivot: Pivot, source: Slot) -> Result<(), Failure> {
        invoke(self.root.cptr(), &rotate(self, pivot, source)).map(drop)
    }

    /// Deletes the capability; an object without a capability is gone.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn delete(self) -> Result<(), Failure> {
        invoke(self.root.cptr(), &self.alone(Label::CNodeDelete)).map(drop)
    }

    /// Deletes every capability derived from this one.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn revoke(self) -> Result<(), Failure> {
        invoke(self.root.cptr(), &self.alone(Label::CNodeRevoke)).map(drop)
    }

    /// Cancels what is being sent with the endpoint capability's badge.
    ///
    /// # Errors
    /// When the slot holds no badged endpoint capability with all rights.
    pub fn cancel_badged_sends(self) -> Result<(), Failure> {
        invoke(self.root.cptr(), &self.alone(Label::CNodeCancelBadgedSends)).map(drop)
    }

    /// Keeps the right to answer the last caller here.
    ///
    /// # Errors
    /// When the slot is in use.
    pub fn save_caller(self) -> Result<(), Failure> {
        invoke(self.root.cptr(), &self.alone(Label::CNodeSaveCaller)).map(drop)
    }

    /// The words of the path.
    const fn path(self) -> [u64; 2] {
        [self.index, self.depth as u64]
    }

    const fn alone(self, label: Label) -> Message<2> {
        Message::invocation(label, self.path())
    }
}

fn copy(to: Slot, from: Slot, rights: CapRights) -> Message<5> {
    let ([index, depth], [from_index, from_depth]) = (to.path(), from.path());
    Message::invocation(Label::CNodeCopy, [index, depth, from_index, from_depth, rights.bits()])
        .with_cap(from.root.cptr())
}

fn mint(to: Slot, from: Slot, rights: CapRights, badge: u64) -> Message<6> {
    let ([index, depth], [from_index, from_depth]) = (to.path(), from.path());
    Message::invocation(Label::CNodeMint, [index, depth, from_index, from_depth, rights.bits(), badge])
        .with_cap(from.root.cptr())
}

fn move_message(to: Slot, from: Slot) -> Message<4> {
    let ([index, depth], [from_index, from_depth]) = (to.path(), from.path());
    Message::invocation(Label::CNodeMove, [index, depth, from_index, from_depth]).with_cap(from.root.cptr())
}

fn mutate(to: Slot, from: Slot, badge: u64) -> Message<5> {
    let ([index, depth], [from_index, from_depth]) = (to.path(), from.path());
    Message::invocation(Label::CNodeMutate, [index, depth, from_index, from_depth, badge]).with_cap(from.root.cptr())
}

fn rotate(to: Slot, pivot: Pivot, from: Slot) -> Message<8> {
    let ([index, depth], [from_index, from_depth]) = (to.path(), from.path());
    let [pivot_index, pivot_depth] = pivot.slot.path();
    let words =
        [index, depth, pivot.destination_badge, pivot_index, pivot_depth, pivot.pivot_badge, from_index, from_depth];
    Message::invocation(Label::CNodeRotate, words).with_cap(pivot.slot.root.cptr()).with_cap(from.root.cptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: Slot = CNode(sluice_abi::CPtr(2)).slot(100);
    const FROM: Slot = CNode(sluice_abi::CPtr(9)).slot_at(7, 12);

    #[test]
    fn operations_on_two_slots_name_the_source_root_as_capability() {
        let rights = CapRights::READ | CapRights::GRANT;
        let cases: [(Label, &[u64], Message<8>); 4] = [
            (Label::CNodeCopy, &[100, 64, 7, 12, 6], widen(copy(TO, FROM, rights))),
            (Label::CNodeMint, &[100, 64, 7, 12, 6, 0xbad], widen(mint(TO, FROM, rights, 0xbad))),
            (Label::CNodeMove, &[100, 64, 7, 12], widen(move_message(TO, FROM))),
            (Label::CNodeMutate, &[100, 64, 7, 12, 0xbad], widen(mutate(TO, FROM, 0xbad))),
        ];
        for (label, words, message) in cases {
            assert_eq!((message.label(), message.words()), (label as u64, words), "{label:?}");
            assert_eq!(message.caps(), [FROM.root.cptr()], "{label:?}");
        }
    }

    #[test]
    fn rotation_orders_destination_pivot_source() {
        let pivot = Pivot { slot: CNode::from(5).slot_at(50, 10), destination_badge: 1, pivot_badge: 2 };
        let message = rotate(TO, pivot, FROM);
        assert_eq!(message.words(), [100, 64, 1, 50, 10, 2, 7, 12]);
        assert_eq!(message.caps(), [CNode::from(5).cptr(), FROM.root.cptr()]);
    }

    #[test]
    fn operations_on_one_slot_have_its_path_only() {
        let message = TO.alone(Label::CNodeRevoke);
        assert_eq!((message.label(), message.words(), message.caps().len()), (17, [100, 64].as_slice(), 0));
    }

    fn widen<const WORDS: usize>(message: Message<WORDS>) -> Message<8> {
        let mut words = [0; 8];
        words[..WORDS].copy_from_slice(message.words());
        let wide = Message::new(message.label(), words).shortened(WORDS);
        message.caps().iter().fold(wide, |wide, cap| wide.with_cap(*cap))
    }
}
