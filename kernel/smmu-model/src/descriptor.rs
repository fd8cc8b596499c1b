//! What a translation table descriptor means (DDI 0487, D8.3 and D8.4).

use sluice_abi::smmu::event;

use crate::regime::{Regime, Stage};

const VALID: u64 = 1 << 0;
/// A table below level 3, a page at level 3.
const TABLE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
/// Stage 1: AP[1] opens to unprivileged accesses, AP[2] closes to writes.
const AP_UNPRIVILEGED: u64 = 1 << 6;
const AP_READ_ONLY: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
/// Stage 2: S2AP and the two bits of XN, of which the upper denies both levels unless the lower is set too.
const S2AP_READ: u64 = 1 << 6;
const S2AP_WRITE: u64 = 1 << 7;
/// Stage 1, in tables: APTable, XNTable, PXNTable.
const TABLE_NO_WRITE: u64 = 1 << 62;
const TABLE_NO_UNPRIVILEGED: u64 = 1 << 61;
const TABLE_UXN: u64 = 1 << 60;
const TABLE_PXN: u64 = 1 << 59;
/// Bits 47:12; the granule decides how many low ones are used.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What an access wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access {
    pub(crate) write: bool,
    pub(crate) instruction: bool,
    pub(crate) privileged: bool,
}

/// What one privilege level may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Permission {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

/// What a leaf permits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Rights {
    pub(crate) privileged: Permission,
    pub(crate) unprivileged: Permission,
}

impl Rights {
    pub(crate) fn allows(&self, access: Access) -> bool {
        let permission = if access.privileged { self.privileged } else { self.unprivileged };
        match access {
            Access { write: true, .. } => permission.write,
            Access { instruction: true, .. } => permission.execute,
            Access { .. } => permission.read,
        }
    }

    /// Reads at either privilege, execution included.
    pub(crate) fn reads(&self) -> bool {
        [self.privileged, self.unprivileged].iter().any(|permission| permission.read || permission.execute)
    }

    pub(crate) fn writes(&self) -> bool {
        self.privileged.write || self.unprivileged.write
    }
}

/// What the tables above a descriptor take away from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Limits {
    no_write: bool,
    no_unprivileged: bool,
    uxn: bool,
    pxn: bool,
}

impl Limits {
    fn below(self, table: u64) -> Self {
        Self {
            no_write: self.no_write || table & TABLE_NO_WRITE != 0,
            no_unprivileged: self.no_unprivileged || table & TABLE_NO_UNPRIVILEGED != 0,
            uxn: self.uxn || table & TABLE_UXN != 0,
            pxn: self.pxn || table & TABLE_PXN != 0,
        }
    }
}

/// A block or page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Leaf {
    /// First byte of the output.
    pub(crate) output: u64,
    pub(crate) rights: Rights,
    /// It serves every ASID (stage 1).
    pub(crate) global: bool,
    /// Device memory (stage 2).
    pub(crate) device: bool,
}

/// What a descriptor leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Table {
        address: u64,
        limits: Limits,
    },
    Leaf(Leaf),
    /// The event that it gives.
    Fault(u64),
}

impl Regime {
    /// What `word` means at `level`, below tables with `limits`.
    pub(crate) fn meaning(&self, level: u32, limits: Limits, word: u64) -> Meaning {
        let shift = self.shift(level);
        let address = word & ADDRESS & !((1 << self.granule) - 1);
        if word & VALID == 0 {
            return Meaning::Fault(event::F_TRANSLATION);
        }
        if level < 3 && word & TABLE != 0 {
            if address >> self.output_bits != 0 {
                return Meaning::Fault(event::F_ADDR_SIZE);
            }
            let limits = if self.hierarchical { limits.below(word) } else { limits };
            return Meaning::Table { address, limits };
        }
        if !(level == 3 && word & TABLE != 0 || self.has_blocks(level)) {
            return Meaning::Fault(event::F_TRANSLATION);
        }
        let output = address & !((1 << shift) - 1);
        if output >> self.output_bits != 0 {
            return Meaning::Fault(event::F_ADDR_SIZE);
        }
        if word & ACCESSED == 0 && !self.ignore_access_flag {
            return Meaning::Fault(event::F_ACCESS);
        }
        Meaning::Leaf(Leaf {
            output,
            rights: match self.stage {
                Stage::One => self.stage1_rights(limits, word),
                Stage::Two => stage2_rights(word),
            },
            global: self.stage == Stage::One && word & NOT_GLOBAL == 0,
            device: self.stage == Stage::Two && word >> 4 & 3 == 0,
        })
    }

    /// Blocks of 1 GiB and 2 MiB, 32 MiB, or 512 MiB.
    fn has_blocks(&self, level: u32) -> bool {
        level == 2 || level == 1 && self.granule == 12
    }

    fn stage1_rights(&self, limits: Limits, word: u64) -> Rights {
        let unprivileged = word & AP_UNPRIVILEGED != 0 && !limits.no_unprivileged;
        let writable = word & AP_READ_ONLY == 0 && !limits.no_write;
        // Never executable with privilege: what is writable without.
        let pxn = word & PXN != 0 || limits.pxn || unprivileged && writable || self.write_excludes_execute && writable;
        let uxn = word & UXN != 0 || limits.uxn || self.write_excludes_execute && unprivileged && writable;
        let privileged_data = !(self.privileged_never && unprivileged);
        Rights {
            privileged: Permission { read: privileged_data, write: privileged_data && writable, execute: !pxn },
            unprivileged: Permission { read: unprivileged, write: unprivileged && writable, execute: !uxn },
        }
    }
}

/// XN[1:0] with FEAT_XNX: 0 all, 1 unprivileged only, 2 none, 3 privileged only.
fn stage2_rights(word: u64) -> Rights {
    let (read, write) = (word & S2AP_READ != 0, word & S2AP_WRITE != 0);
    let never = word >> 53 & 3;
    let executable = |excluded: u64| read && never != 2 && never != excluded;
    Rights {
        privileged: Permission { read, write, execute: executable(1) },
        unprivileged: Permission { read, write, execute: executable(3) },
    }
}
