//! What each stream reaches at this moment: registers, stream tables and translation tables are read as an SMMU reads them, and
//! nothing the kernel remembers beside them is asked. Of a thread the tables that a processor walks while it runs are read in the
//! same way, and so are, of an Untyped, those of every address space that somebody has made of its memory. Debug builds print it, for
//! whoever wants to compare it with what should be.
//!
//! ```text
//! kernel  | AUDIT stream 0:0x0008 entry 0x45000200 stage 2
//! kernel  | AUDIT reach 0:0x0008 0x10000 0x4000 rw 0x48000000
//! kernel  | AUDIT smmu 0 abort 255
//! kernel  | AUDIT processor 0x47f10000 tables 0x47f00000
//! kernel  | AUDIT memory 0x47e00000 0x200000
//! kernel  | AUDIT tables 0x47ff0000
//! kernel  | AUDIT reach space 0x400000 0x3000 rx 0x40100000 normal
//! ```
//!
//! | Words behind `AUDIT` | |
//! |---|---|
//! | `stream` stream `entry` address ... | a stream that does not abort, and what its entry says: `bypass`, `stage 1`, `stage 2`, `stage 1+2`, or `unknown` |
//! | `reach` stream first bytes rights physical | addresses behind which memory is in one piece; rights of `r` and `w`, `-` without any |
//! | `foreign` stream first bytes word | a valid descriptor that the kernel does not write; what an SMMU makes of it is not known |
//! | `incomplete` stream | the tables lead out of memory, or have no end |
//! | `smmu` number `abort` streams | how many entries abort; the last line of an SMMU |
//! | `smmu` number `off` ... | it has no stream table: all streams `abort` or `bypass` |
//! | `processor` address `tables` address, or `none` | a virtual processor that has a thread, and where the tables are that this runs with |
//! | `memory` address bytes | what an Untyped covers; the address spaces that were made of it follow, each as those of a thread |
//! | `tables` address, or `none` | where the tables of a thread are. What follows is as for a stream, with `space` in its place, rights of `r`, `w` and `x`, and `normal` or `device` memory |

use core::cell::Cell;
use core::fmt::{self, Write};

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{MAX_SMMUS, StreamId};
use sluice_paging::{Access, Format, Leaf, MemoryType, TableMemory, valid};
use sluice_smmu::{Entry, Ruling, Smmu, StreamTable, Translation};

use crate::Kernel;
use crate::cap::{Cap, Untyped, VSpace};
use crate::debug::Console;
use crate::hal::Hal;
use crate::object::Tcb;
use crate::store::{Handle, SlotRef};

/// Words looked at for one stream: enough for 32 GiB in pages.
const MOST_WORDS: u32 = 1 << 23;

/// Memory as a walker that believes nothing: outside, and after too many words, it reads zeroes.
struct Doubtful<'a, H> {
    hal: &'a H,
    left: Cell<u32>,
    /// Whether a zero stands for something that was not read.
    incomplete: Cell<bool>,
}

impl<'a, H> Doubtful<'a, H> {
    const fn new(hal: &'a H) -> Self {
        Self { hal, left: Cell::new(MOST_WORDS), incomplete: Cell::new(false) }
    }
}

impl<H: Hal> TableMemory for Doubtful<'_, H> {
    fn load(&self, at: PhysAddr) -> u64 {
        match self.left.get().checked_sub(1) {
            Some(left) if at.is_aligned(3) && self.hal.is_memory(at, 8) => {
                self.left.set(left);
                self.hal.load(at)
            }
            _ => {
                self.incomplete.set(true);
                0
            }
        }
    }

    /// A look changes nothing.
    fn store(&self, _at: PhysAddr, _value: u64) {}
}

/// Whose tables are walked.
#[derive(Clone, Copy)]
enum Walker {
    Stream(StreamId),
    /// A processor.
    Space,
}

impl Walker {
    /// What of a leaf is told of: no device fetches instructions.
    const fn told(self, leaf: Leaf) -> (Access, MemoryType) {
        match self {
            Self::Stream(_) => (Access { execute: false, ..leaf.access }, MemoryType::Normal),
            Self::Space => (leaf.access, leaf.memory),
        }
    }
}

impl fmt::Display for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(stream) => stream.fmt(f),
            Self::Space => f.write_str("space"),
        }
    }
}

/// Neighbouring addresses with the same rights, behind which memory is in one piece.
#[derive(Clone, Copy)]
struct Piece {
    iova: u64,
    bytes: u64,
    told: (Access, MemoryType),
    physical: u64,
}

impl Piece {
    fn continues(&self, next: &Self) -> bool {
        let same = self.told == next.told;
        same && self.iova + self.bytes == next.iova && self.physical + self.bytes == next.physical
    }

    const fn rights(&self) -> &'static str {
        let Access { read, write, execute } = self.told.0;
        match (read, write, execute) {
            (true, true, true) => "rwx",
            (true, true, false) => "rw",
            (true, false, true) => "rx",
            (true, false, false) => "r",
            (false, true, true) => "wx",
            (false, true, false) => "w",
            (false, false, true) => "x",
            (false, false, false) => "-",
        }
    }
}

impl<H: Hal> Kernel<H> {
    /// Prints what every stream reaches, and which tables each virtual processor runs with.
    pub(crate) fn print_reach(&self) {
        self.print_streams_of_all();
        self.each_capability(|cap| {
            if let Cap::Vcpu(vcpu) = cap
                && let Some(thread) = self.get(vcpu).thread.get()
            {
                // The console never fails, so neither does formatting to it.
                let _: fmt::Result = match self.tables_of(thread) {
                    Some(root) => {
                        writeln!(Console(&self.hal), "kernel  | AUDIT processor {} tables {root}", vcpu.at())
                    }
                    None => writeln!(Console(&self.hal), "kernel  | AUDIT processor {} tables none", vcpu.at()),
                };
            }
        });
    }

    fn print_streams_of_all(&self) {
        let mut console = Console(&self.hal);
        for smmu in 0..MAX_SMMUS as u8 {
            let Some(unit) = self.smmus.unit(smmu) else { continue };
            // As above.
            let _: fmt::Result = match unit.driver.ruling(&self.hal) {
                Ruling::Table(table) => self.print_streams(smmu, &unit.driver, table),
                Ruling::Abort => writeln!(console, "kernel  | AUDIT smmu {smmu} off abort"),
                Ruling::Bypass => writeln!(console, "kernel  | AUDIT smmu {smmu} off bypass"),
            };
        }
    }

    fn print_streams(&self, smmu: u8, driver: &Smmu, table: StreamTable) -> fmt::Result {
        let memory = Doubtful::new(&self.hal);
        let mut console = Console(&self.hal);
        let mut aborting = 0u64;
        for Entry { sid, at, words } in table.entries(&memory) {
            let stream = StreamId { smmu, sid };
            let translation = Translation::of(driver.features(), words);
            let stages = match translation {
                Translation::Abort => {
                    aborting += 1;
                    continue;
                }
                Translation::Bypass => "bypass",
                Translation::Unknown => "unknown",
                Translation::Stage1(_) => "stage 1",
                Translation::Stage2 { nested: false, .. } => "stage 2",
                Translation::Stage2 { nested: true, .. } => "stage 1+2",
            };
            writeln!(console, "kernel  | AUDIT stream {stream} entry {at} {stages}")?;
            match translation {
                Translation::Abort | Translation::Bypass | Translation::Unknown => {}
                Translation::Stage1(descriptor) => match driver.stage1_root(&Doubtful::new(&self.hal), descriptor) {
                    Some(root) => self.print_table(Walker::Stream(stream), Format::STAGE1, root)?,
                    None => writeln!(console, "kernel  | AUDIT incomplete {stream}")?,
                },
                Translation::Stage2 { root, .. } => {
                    self.print_table(Walker::Stream(stream), Format::STAGE2, root)?;
                }
            }
        }
        if memory.incomplete.get() {
            writeln!(console, "kernel  | AUDIT smmu {smmu} incomplete")?;
        }
        writeln!(console, "kernel  | AUDIT smmu {smmu} abort {aborting}")
    }

    /// Prints what is mapped where a thread runs.
    pub(crate) fn print_space(&self, thread: Handle<Tcb>) {
        let mut console = Console(&self.hal);
        // As above.
        let _: fmt::Result = match self.tables_of(thread) {
            Some(root) => writeln!(console, "kernel  | AUDIT tables {root}")
                .and_then(|()| self.print_table(Walker::Space, Format::STAGE2, root)),
            None => writeln!(console, "kernel  | AUDIT tables none"),
        };
    }

    /// Prints what is mapped in every address space that was made of an Untyped, whoever made it, and that a processor can run in.
    pub(crate) fn print_made(&self, slot: SlotRef, untyped: Untyped) {
        let mut console = Console(&self.hal);
        // As above.
        let _: fmt::Result = writeln!(console, "kernel  | AUDIT memory {} {:#x}", untyped.base, untyped.size());
        let mut before = None;
        let mut next = self.first_descendant(slot);
        while let Some(made) = next {
            let root = self.read(made).and_then(|vspace: VSpace| self.walked_by_processors(vspace));
            // Capabilities of the same address space stand together.
            if let Some(root) = root.filter(|root| before != Some(*root)) {
                let _: fmt::Result = writeln!(console, "kernel  | AUDIT tables {root}")
                    .and_then(|()| self.print_table(Walker::Space, Format::STAGE2, root));
            }
            before = root;
            next = self.slot(made).links().next.filter(|next| self.is_ancestor(slot, *next));
        }
    }

    fn print_table(&self, walker: Walker, format: Format, root: PhysAddr) -> fmt::Result {
        let memory = Doubtful::new(&self.hal);
        let mut console = Console(&self.hal);
        let mut piece: Option<Piece> = None;
        for found in valid(&memory, format, root) {
            let Some(leaf) = found.leaf else {
                let (iova, bytes, word) = (found.va, 1u64 << found.coverage_bits, found.word);
                writeln!(console, "kernel  | AUDIT foreign {walker} {iova:#x} {bytes:#x} {word:#x}")?;
                // What is no table of this kernel's may be full of them.
                memory.left.set(memory.left.get().saturating_sub(MOST_WORDS >> 8));
                continue;
            };
            let (iova, bytes, physical) = (found.va, leaf.size.bytes(), leaf.address.0);
            let next = Piece { iova, bytes, told: walker.told(leaf), physical };
            match &mut piece {
                Some(piece) if piece.continues(&next) => piece.bytes += bytes,
                _ => self.print_piece(walker, piece.replace(next))?,
            }
        }
        self.print_piece(walker, piece)?;
        if memory.incomplete.get() {
            writeln!(console, "kernel  | AUDIT incomplete {walker}")?;
        }
        Ok(())
    }

    fn print_piece(&self, walker: Walker, piece: Option<Piece>) -> fmt::Result {
        let Some(piece) = piece else { return Ok(()) };
        let Piece { iova, bytes, physical, .. } = piece;
        let rights = piece.rights();
        let memory = match (walker, piece.told.1) {
            (Walker::Stream(_), _) => "",
            (Walker::Space, MemoryType::Normal) => " normal",
            (Walker::Space, MemoryType::Device) => " device",
        };
        writeln!(
            Console(&self.hal),
            "kernel  | AUDIT reach {walker} {iova:#x} {bytes:#x} {rights} {physical:#x}{memory}"
        )
    }
}
