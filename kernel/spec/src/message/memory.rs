//! Messages to frames, tables, address spaces and pools.

use sluice_abi::{Label, VirtAddr, VmAttributes};

use super::{Decoded, Request, rights};
use crate::{Invocation, Refused};

impl Request<'_> {
    pub(super) fn of_frame(&self) -> Decoded {
        match self.label {
            Some(Label::PageUnmap) => Ok(Invocation::PageUnmap(self.slot)),
            Some(Label::PageGetAddress) => Ok(Invocation::GetAddress(self.slot)),
            Some(Label::PageMap) => {
                self.expect(3, 1)?;
                let attributes = VmAttributes::from_bits_truncate(self.words[2]);
                Ok(Invocation::PageMap {
                    frame: self.slot,
                    vspace: self.extra(0)?,
                    at: VirtAddr(self.words[0]),
                    rights: rights(self.words[1]),
                    execute: !attributes.contains(VmAttributes::EXECUTE_NEVER),
                    cacheable: attributes.contains(VmAttributes::CACHEABLE),
                })
            }
            Some(
                Label::PageCleanData
                | Label::PageInvalidateData
                | Label::PageCleanInvalidateData
                | Label::PageUnifyInstruction,
            ) => {
                self.expect(2, 0)?;
                Ok(Invocation::PageMaintain { frame: self.slot, start: self.words[0], end: self.words[1] })
            }
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_vspace(&self) -> Decoded {
        match self.label {
            Some(
                Label::VSpaceCleanData
                | Label::VSpaceInvalidateData
                | Label::VSpaceCleanInvalidateData
                | Label::VSpaceUnifyInstruction,
            ) => {
                self.expect(2, 0)?;
                Ok(Invocation::SpaceMaintain { vspace: self.slot, start: self.words[0], end: self.words[1] })
            }
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_page_table(&self) -> Decoded {
        match self.label {
            Some(Label::PageTableUnmap) => Ok(Invocation::TableUnmap(self.slot)),
            Some(Label::PageTableMap) => {
                self.expect(2, 1)?;
                let at = VirtAddr(self.words[0]);
                Ok(Invocation::TableMap { table: self.slot, vspace: self.extra(0)?, at })
            }
            _ => Err(Refused::IllegalOperation),
        }
    }

    pub(super) fn of_asid_control(&self) -> Decoded {
        if self.label != Some(Label::AsidControlMakePool) {
            return Err(Refused::IllegalOperation);
        }
        self.expect(2, 2)?;
        let untyped = self.extra(0)?;
        self.with_late_dest(self.path(1, 0), |dest| Invocation::MakePool { control: self.slot, untyped, dest })
    }

    pub(super) fn of_asid_pool(&self) -> Decoded {
        if self.label != Some(Label::AsidPoolAssign) {
            return Err(Refused::IllegalOperation);
        }
        Ok(Invocation::AssignAsid { pool: self.slot, vspace: self.extra(0)? })
    }
}
