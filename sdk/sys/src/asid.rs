//! Address-space identifiers.

use sluice_abi::Label;

use crate::{Failure, Message, Slot, Untyped, VSpace, capability, invoke};

capability! {
    /// Authority to make ASID pools.
    AsidControl
}

capability! {
    /// The capability to a pool of ASIDs.
    AsidPool
}

impl AsidControl {
    /// Makes a pool of a 4 KiB Untyped.
    ///
    /// # Errors
    /// When the Untyped has another size or descendants, or there is no pool left.
    pub fn make_pool(self, memory: Untyped, to: Slot) -> Result<(), Failure> {
        invoke(self.0, &make_pool(memory, to)).map(drop)
    }
}

impl AsidPool {
    /// Gives an ASID to a VSpace, which needs one before anything is mapped in it.
    ///
    /// # Errors
    /// When the VSpace has one, or the pool is empty.
    pub fn assign(self, vspace: VSpace) -> Result<(), Failure> {
        let message = Message::invocation(Label::AsidPoolAssign, []).with_cap(vspace.cptr());
        invoke(self.0, &message).map(drop)
    }
}

fn make_pool(memory: Untyped, to: Slot) -> Message<2> {
    Message::invocation(Label::AsidControlMakePool, [to.index, u64::from(to.depth)])
        .with_cap(memory.cptr())
        .with_cap(to.root.cptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CNode;

    #[test]
    fn make_pool_names_memory_then_root() {
        let message = make_pool(Untyped::from(8), CNode::from(2).slot(40));
        assert_eq!((message.label(), message.words()), (47, [40, 64].as_slice()));
        assert_eq!(message.caps(), [Untyped::from(8).cptr(), CNode::from(2).cptr()]);
    }
}
