//! Untyped memory.

use sluice_abi::{Label, ObjectType};

use crate::{CNode, Failure, Message, capability, invoke};

capability! {
    /// The capability to Untyped memory.
    Untyped
}

/// Where new capabilities go: consecutive slots of one CNode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Where the lookup of the CNode starts.
    pub root: CNode,
    /// Index of the CNode under `root`; ignored when `depth` is 0.
    pub index: u64,
    /// Bits of `index`; 0 means `root` itself.
    pub depth: u8,
    /// First slot in the CNode.
    pub offset: u64,
}

impl Untyped {
    /// Makes `count` objects. `size_bits` counts for Untyped (log2 of bytes) and CNode (log2 of slots).
    ///
    /// # Errors
    /// As the kernel refuses: no memory left, slots in use, a size or count out of range.
    pub fn retype(self, kind: ObjectType, size_bits: u32, to: Destination, count: u64) -> Result<(), Failure> {
        invoke(self.0, &retype(kind, size_bits, to, count)).map(drop)
    }
}

fn retype(kind: ObjectType, size_bits: u32, to: Destination, count: u64) -> Message<6> {
    let words = [kind as u64, u64::from(size_bits), to.index, u64::from(to.depth), to.offset, count];
    Message::invocation(Label::UntypedRetype, words).with_cap(to.root.cptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retype_is_laid_out_as_the_interface_says() {
        let to = Destination { root: CNode::from(1), index: 2, depth: 64, offset: 3 };
        let message = retype(ObjectType::CNode, 8, to, 5);
        assert_eq!((message.label(), message.words()), (1, [4, 8, 2, 64, 3, 5].as_slice()));
        assert_eq!(message.caps(), [CNode::from(1).cptr()]);
    }
}
