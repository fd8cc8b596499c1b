//! The kernel's own address space at EL2: its parts with the rights they need, RAM, and the devices it drives.
//!
//! Built in a static pool and switched to once. Level and attribute encodings: DDI 0487, D8.3.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;

use sluice_abi::{PAGE_SIZE, PhysAddr};

use crate::layout;
use crate::phys::WINDOW;

/// Tables in the pool: enough for RAM in some tens of ranges and devices in as many 2 MiB blocks.
const TABLES: usize = 48;
const ENTRIES: usize = 512;

const VALID: u64 = 1;
const TABLE: u64 = 3;
const PAGE: u64 = 3;
const NORMAL: u64 = 1 << 2 | 3 << 8;
const DEVICE: u64 = 0;
const ACCESSED: u64 = 1 << 10;
/// AP[1] is RES1 in a regime with one privilege level.
const AP_RES1: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const EXECUTE_NEVER: u64 = 1 << 54;
const ADDRESS: u64 = 0xffff_ffff_f000;

/// What a mapping is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Code,
    Constants,
    Memory,
    Device,
}

impl Kind {
    const fn attributes(self) -> u64 {
        let common = ACCESSED | AP_RES1;
        match self {
            Self::Code => common | NORMAL | READ_ONLY,
            Self::Constants => common | NORMAL | READ_ONLY | EXECUTE_NEVER,
            Self::Memory => common | NORMAL | EXECUTE_NEVER,
            Self::Device => common | DEVICE | EXECUTE_NEVER,
        }
    }
}

#[repr(C, align(4096))]
struct Pool(UnsafeCell<[[u64; ENTRIES]; TABLES]>);

// SAFETY: only `Tables` touches the pool, and there is one, made at boot on the one core.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([[0; ENTRIES]; TABLES]));

/// The pool is used up: the machine has more ranges than expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooManyRanges;

/// The address space under construction.
pub(crate) struct Tables {
    load: PhysAddr,
    used: usize,
}

impl Tables {
    /// An address space with the kernel, loaded at `load`, and nothing else.
    ///
    /// # Safety
    /// Called once, before anything is mapped through the pool.
    pub(crate) unsafe fn new(load: PhysAddr) -> Result<Self, TooManyRanges> {
        let mut tables = Self { load, used: 1 };
        let parts = layout::parts();
        let base = layout::base();
        let mut from = 0;
        for (end, kind) in [(parts.text, Kind::Code), (parts.rodata, Kind::Constants), (parts.end, Kind::Memory)] {
            tables.map(base + from, load.offset(from), end - from, kind)?;
            from = end;
        }
        // The page that switches, where it is reached with the MMU off.
        let switch = Self::physical_switch(load);
        tables.map(switch.0, switch, PAGE_SIZE, Kind::Code)?;
        Ok(tables)
    }

    fn physical_switch(load: PhysAddr) -> PhysAddr {
        load.offset((sluice_switch_tables as *const () as u64 - layout::base()) & !(PAGE_SIZE - 1))
    }

    /// Maps physical memory in the window; the range is widened to whole pages.
    pub(crate) fn map_window(&mut self, at: PhysAddr, bytes: u64, kind: Kind) -> Result<(), TooManyRanges> {
        let start = at.align_down(12);
        let end = (at.0 + bytes).next_multiple_of(PAGE_SIZE);
        self.map(WINDOW + start.0, start, end - start.0, kind)
    }

    fn map(&mut self, mut vaddr: u64, mut at: PhysAddr, mut bytes: u64, kind: Kind) -> Result<(), TooManyRanges> {
        while bytes > 0 {
            let fits = |bits: u32| bytes >= 1 << bits && (vaddr | at.0) & ((1 << bits) - 1) == 0;
            let bits = [30, 21].into_iter().find(|bits| fits(*bits)).unwrap_or(12);
            self.map_one(vaddr, at, bits, kind)?;
            vaddr += 1 << bits;
            at = at.offset(1 << bits);
            bytes -= 1 << bits;
        }
        Ok(())
    }

    fn map_one(&mut self, vaddr: u64, at: PhysAddr, bits: u32, kind: Kind) -> Result<(), TooManyRanges> {
        let mut table = 0;
        let mut shift = 39;
        while shift > bits {
            let index = (vaddr >> shift) as usize % ENTRIES;
            let entry = self.entry(table, index);
            table = if entry & TABLE == TABLE {
                self.index_of(PhysAddr(entry & ADDRESS))
            } else {
                let next = self.used;
                if next == TABLES {
                    return Err(TooManyRanges);
                }
                self.used += 1;
                self.set_entry(table, index, self.physical(next).0 | TABLE);
                next
            };
            shift -= 9;
        }
        let index = (vaddr >> shift) as usize % ENTRIES;
        let kind_bits = if bits == 12 { PAGE } else { VALID };
        self.set_entry(table, index, at.0 | kind.attributes() | kind_bits);
        Ok(())
    }

    fn entry(&self, table: usize, index: usize) -> u64 {
        // SAFETY: `self` is the only user of the pool; no reference into it is kept.
        unsafe { (*POOL.0.get())[table][index] }
    }

    fn set_entry(&mut self, table: usize, index: usize, value: u64) {
        // SAFETY: as above; the tables are not walked yet.
        unsafe { (*POOL.0.get())[table][index] = value }
    }

    fn physical(&self, table: usize) -> PhysAddr {
        let offset = POOL.0.get() as u64 - layout::base();
        self.load.offset(offset + table as u64 * PAGE_SIZE)
    }

    fn index_of(&self, at: PhysAddr) -> usize {
        ((at.0 - self.physical(0).0) / PAGE_SIZE) as usize
    }

    /// Uses these tables from now on.
    pub(crate) fn activate(self) {
        let root = self.physical(0);
        let target = sluice_switch_tables as *const () as u64 - layout::base() + self.load.0;
        // SAFETY: the tables map everything the current ones do that is still used: code, constants, data and stack at
        // their linked addresses, and the window. The routine runs from its identity mapping, which both have.
        unsafe {
            asm!(
                "blr {target}",
                target = in(reg) target,
                in("x0") root.0,
                out("x2") _, out("x3") _, out("x30") _,
                options(nostack)
            );
        }
    }
}

unsafe extern "C" {
    fn sluice_switch_tables();
}

global_asm!(
    r#"
.section .text.switch, "ax"
.balign 256
// x0 = new root. Sizes of live mappings change, so the MMU is off in between (break-before-make, D8.14.1).
.global sluice_switch_tables
sluice_switch_tables:
    mrs     x2, sctlr_el2
    bic     x3, x2, #1
    dsb     sy
    msr     sctlr_el2, x3
    isb
    msr     ttbr0_el2, x0
    tlbi    alle2
    dsb     sy
    isb
    msr     sctlr_el2, x2
    isb
    ret
"#
);
