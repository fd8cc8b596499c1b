//! Messages to frames, tables, address spaces and pools.

use sluice_abi::{Error, Label, VirtAddr, VmAttributes};
use sluice_abstract::Invocation;

use super::{Demand, Demanded, Message};
use crate::initial::rights;

/// Cache maintenance, whose labels frames and address spaces share.
pub(super) const MAINTENANCE: [Label; 8] = [
    Label::VSpaceCleanData,
    Label::VSpaceInvalidateData,
    Label::VSpaceCleanInvalidateData,
    Label::VSpaceUnifyInstruction,
    Label::PageCleanData,
    Label::PageInvalidateData,
    Label::PageCleanInvalidateData,
    Label::PageUnifyInstruction,
];

impl Message<'_> {
    pub(super) fn of_frame(&self) -> Demanded {
        match self.label {
            Some(Label::PageUnmap) => Ok(Demand::Step(Invocation::PageUnmap(self.slot))),
            Some(Label::PageGetAddress) => self.only(&[Label::PageGetAddress]),
            Some(Label::PageMap) => {
                self.expect(3, 1)?;
                let attributes = VmAttributes::from_bits_truncate(self.words[2]);
                Ok(Demand::Step(Invocation::PageMap {
                    frame: self.slot,
                    vspace: self.extra(0)?,
                    at: VirtAddr(self.words[0]),
                    rights: rights(self.words[1]),
                    execute: !attributes.contains(VmAttributes::EXECUTE_NEVER),
                    cacheable: attributes.contains(VmAttributes::CACHEABLE),
                }))
            }
            _ => self.only(&MAINTENANCE),
        }
    }

    pub(super) fn of_page_table(&self) -> Demanded {
        match self.label {
            Some(Label::PageTableUnmap) => Ok(Demand::Step(Invocation::TableUnmap(self.slot))),
            Some(Label::PageTableMap) => {
                self.expect(2, 1)?;
                let at = VirtAddr(self.words[0]);
                Ok(Demand::Step(Invocation::TableMap { table: self.slot, vspace: self.extra(0)?, at }))
            }
            _ => Err(Error::IllegalOperation),
        }
    }

    pub(super) fn of_asid_control(&self) -> Demanded {
        if self.label != Some(Label::AsidControlMakePool) {
            return Err(Error::IllegalOperation);
        }
        self.expect(2, 2)?;
        let untyped = self.extra(0)?;
        self.with_late_dest(self.path(1, 0), |dest| Invocation::MakePool { control: self.slot, untyped, dest })
    }

    pub(super) fn of_asid_pool(&self) -> Demanded {
        if self.label != Some(Label::AsidPoolAssign) {
            return Err(Error::IllegalOperation);
        }
        Ok(Demand::Step(Invocation::AssignAsid { pool: self.slot, vspace: self.extra(0)? }))
    }
}
