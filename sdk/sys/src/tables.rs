//! Address spaces and the tables below their roots.

use sluice_abi::{Label, VirtAddr, VmAttributes};

use crate::{Failure, Message, capability, invoke};

capability! {
    /// The capability to an address space: the root table, for CPU or device.
    VSpace
}

capability! {
    /// The capability to a translation table.
    PageTable
}

impl PageTable {
    /// Installs the table at the first level that lacks one on the way to `at`.
    ///
    /// # Errors
    /// `DeleteFirst` when no level lacks one.
    pub fn map(self, into: VSpace, at: VirtAddr, how: VmAttributes) -> Result<(), Failure> {
        invoke(self.0, &map(into, at, how)).map(drop)
    }

    /// Takes the table out.
    ///
    /// # Errors
    /// When the capability is no table, or others to it exist.
    pub fn unmap(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::PageTableUnmap, [])).map(drop)
    }
}

fn map(into: VSpace, at: VirtAddr, how: VmAttributes) -> Message<2> {
    Message::invocation(Label::PageTableMap, [at.0, how.bits()]).with_cap(into.cptr())
}

impl VSpace {
    /// Cleans the data cache for addresses `start..end`.
    ///
    /// # Errors
    /// When the range is empty or crosses a page, or nothing is mapped there.
    pub fn clean_data(self, start: VirtAddr, end: VirtAddr) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::VSpaceCleanData, [start.0, end.0])).map(drop)
    }

    /// Makes instruction fetches see what was stored to `start..end`.
    ///
    /// # Errors
    /// As for [`VSpace::clean_data`].
    pub fn unify_instruction(self, start: VirtAddr, end: VirtAddr) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::VSpaceUnifyInstruction, [start.0, end.0])).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_laid_out_as_the_interface_says() {
        let message = map(VSpace::from(3), VirtAddr(0x20_0000), VmAttributes::DEFAULT);
        assert_eq!((message.label(), message.words()), (38, [0x20_0000, 3].as_slice()));
        assert_eq!(message.caps(), [VSpace::from(3).cptr()]);
    }
}
