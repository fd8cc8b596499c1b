//! Objects and capabilities by name.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, ObjectType};
use sluice_core::cap::Cap;

use super::{Reply, System, ok};

/// Depth that resolves a slot of the root CNode.
pub(crate) const DEPTH: u64 = 64;
const ALL_RIGHTS: u64 = 0xf;

impl System {
    /// A slot of the root CNode nobody uses.
    pub(crate) fn free_slot(&mut self) -> u64 {
        self.next_slot += 1;
        self.next_slot - 1
    }

    /// `Untyped_Retype` into the root CNode.
    pub(crate) fn retype(&mut self, untyped: u64, object: ObjectType, bits: u64, dest: u64, count: u64) -> Reply {
        let words = [object as u64, bits, 0, 0, dest, count];
        self.call(untyped, Label::UntypedRetype, &[slot::INIT_CNODE], &words)
    }

    /// A new object from the Untyped in slot `untyped`.
    #[track_caller]
    pub(crate) fn make_from(&mut self, untyped: u64, object: ObjectType, bits: u64) -> u64 {
        let dest = self.free_slot();
        assert_eq!(self.retype(untyped, object, bits, dest, 1), ok());
        dest
    }

    /// A new object.
    #[track_caller]
    pub(crate) fn make(&mut self, object: ObjectType, bits: u64) -> u64 {
        self.make_from(self.untyped, object, bits)
    }

    pub(crate) fn copy(&mut self, source: u64, dest: u64, rights: u64) -> Reply {
        let words = [dest, DEPTH, source, DEPTH, rights];
        self.call(slot::INIT_CNODE, Label::CNodeCopy, &[slot::INIT_CNODE], &words)
    }

    pub(crate) fn mint(&mut self, source: u64, dest: u64, rights: u64, data: u64) -> Reply {
        let words = [dest, DEPTH, source, DEPTH, rights, data];
        self.call(slot::INIT_CNODE, Label::CNodeMint, &[slot::INIT_CNODE], &words)
    }

    pub(crate) fn move_to(&mut self, source: u64, dest: u64) -> Reply {
        let words = [dest, DEPTH, source, DEPTH];
        self.call(slot::INIT_CNODE, Label::CNodeMove, &[slot::INIT_CNODE], &words)
    }

    pub(crate) fn delete(&mut self, at: u64) -> Reply {
        self.call(slot::INIT_CNODE, Label::CNodeDelete, &[], &[at, DEPTH])
    }

    pub(crate) fn revoke(&mut self, at: u64) -> Reply {
        self.call(slot::INIT_CNODE, Label::CNodeRevoke, &[], &[at, DEPTH])
    }

    /// A copy with all rights in a new slot.
    #[track_caller]
    pub(crate) fn copied(&mut self, source: u64) -> u64 {
        let dest = self.free_slot();
        assert_eq!(self.copy(source, dest, ALL_RIGHTS), ok());
        dest
    }

    /// A copy with these rights and this data in a new slot.
    #[track_caller]
    pub(crate) fn minted(&mut self, source: u64, rights: u64, data: u64) -> u64 {
        let dest = self.free_slot();
        assert_eq!(self.mint(source, dest, rights, data), ok());
        dest
    }

    /// An object's memory.
    #[track_caller]
    pub(crate) fn base(&self, cptr: u64) -> u64 {
        let cap = self.cap(cptr);
        let base = if let Cap::Untyped(untyped) = cap {
            Some(untyped.base)
        } else if let Cap::Frame(frame) = cap {
            Some(frame.base)
        } else if let Cap::PageTable(table) = cap {
            Some(table.base)
        } else if let Cap::VSpace(vspace) = cap {
            Some(vspace.root)
        } else {
            None
        };
        base.unwrap_or_else(|| panic!("{cap:?} in slot {cptr}")).0
    }

    /// Puts a new object's capability into slot `index` of the CNode (with radix `radix`, no guard) in slot `node`.
    #[track_caller]
    pub(crate) fn move_into(&mut self, source: u64, node: u64, index: u64, radix: u64) {
        let words = [index, radix, source, DEPTH];
        self.done(node, Label::CNodeMove, &[slot::INIT_CNODE], &words);
    }
}
