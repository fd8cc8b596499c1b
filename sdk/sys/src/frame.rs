//! Frames of memory.

use sluice_abi::{CapRights, Label, PhysAddr, VirtAddr, VmAttributes};

use crate::{Failure, Message, VSpace, capability, invoke};

capability! {
    /// The capability to a frame; each is mapped at one place at most.
    Frame
}

impl Frame {
    /// Maps the frame.
    ///
    /// # Errors
    /// `Lookup` with the bits that no table covers yet, `DeleteFirst` when the place is taken, and others as the kernel
    /// refuses.
    pub fn map(self, into: VSpace, at: VirtAddr, rights: CapRights, how: VmAttributes) -> Result<(), Failure> {
        invoke(self.0, &map(into, at, rights, how)).map(drop)
    }

    /// Unmaps the frame; when this returns, no CPU and no device reaches it through this capability.
    ///
    /// # Errors
    /// When the capability is no frame.
    pub fn unmap(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageUnmap, [])).map(drop)
    }

    /// Its physical address.
    ///
    /// # Errors
    /// When the capability is no frame.
    pub fn get_address(self) -> Result<PhysAddr, Failure> {
        invoke(self.0, &Message::invocation(Label::PageGetAddress, [])).map(|reply| PhysAddr(reply.word(0)))
    }

    /// Cleans the data cache for bytes `start..end` of the frame.
    ///
    /// # Errors
    /// When the range is empty or outside the frame, or the frame is not mapped.
    pub fn clean_data(self, start: u64, end: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageCleanData, [start, end])).map(drop)
    }

    /// Invalidates the data cache for bytes `start..end`.
    ///
    /// # Errors
    /// As for [`Frame::clean_data`].
    pub fn invalidate_data(self, start: u64, end: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageInvalidateData, [start, end])).map(drop)
    }

    /// Cleans and invalidates the data cache for bytes `start..end`.
    ///
    /// # Errors
    /// As for [`Frame::clean_data`].
    pub fn clean_invalidate_data(self, start: u64, end: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageCleanInvalidateData, [start, end])).map(drop)
    }

    /// Makes instruction fetches see what was stored to bytes `start..end`.
    ///
    /// # Errors
    /// As for [`Frame::clean_data`].
    pub fn unify_instruction(self, start: u64, end: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageUnifyInstruction, [start, end])).map(drop)
    }
}

fn map(into: VSpace, at: VirtAddr, rights: CapRights, how: VmAttributes) -> Message<3> {
    Message::invocation(Label::PageMap, [at.0, rights.bits(), how.bits()]).with_cap(into.cptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_laid_out_as_the_interface_says() {
        let message = map(VSpace::from(3), VirtAddr(0x7000), CapRights::READ, VmAttributes::EXECUTE_NEVER);
        assert_eq!((message.label(), message.words()), (39 + 1, [0x7000, 2, 4].as_slice()));
        assert_eq!(message.caps(), [VSpace::from(3).cptr()]);
    }
}
