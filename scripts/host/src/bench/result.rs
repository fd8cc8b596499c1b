//! Everything measured, as the JSON file has it.

use serde::Serialize;

use super::meter::Counts;
use super::rows::{MISSING, Measured, Part, ROWS, Statistics};
use crate::symbols::Symbols;

/// Bytes of seL4's release `.text`, and instructions of its boot.
const SEL4_TEXT: u64 = 34_960;
const SEL4_BOOT: u64 = 2_420_000;

/// The report.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) method: &'static str,
    pub(super) rows: Vec<Line>,
    /// Instructions from the kernel's entry to the first of a thread.
    pub(super) boot_instructions: u64,
    pub(super) sel4_boot_instructions: u64,
    pub(super) text_bytes: u64,
    pub(super) sel4_text_bytes: u64,
    pub(super) text_by_crate: Vec<(String, u64)>,
    /// Longest runs of instructions between two looks for interrupts, while the rows were measured.
    pub(super) stretches: Vec<Place>,
}

/// A row with its figures.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) part: Part,
    pub(super) sel4: Option<u64>,
    pub(super) measured: Option<Statistics>,
    /// Ours by seL4's.
    pub(super) ratio: Option<f64>,
    /// Why there is no figure.
    pub(super) missing: Option<&'static str>,
    /// Most SMMU commands, and most syncs among them.
    pub(super) most: Option<[u64; 2]>,
}

/// A stretch by the functions it starts and ends in.
#[derive(Serialize)]
pub(super) struct Place {
    pub(super) instructions: u64,
    pub(super) from: String,
    pub(super) to: String,
}

impl Report {
    pub(super) fn new(
        measured: &[Measured],
        counts: &Counts,
        text_by_crate: &[(String, u64)],
        symbols: &Symbols,
    ) -> Self {
        let rows = ROWS.iter().map(|row| {
            let statistics = measured.iter().find(|one| one.name == row.name).map(|one| one.statistics);
            let missing = MISSING.iter().find(|(name, _)| *name == row.name).map(|(_, why)| *why);
            Line {
                name: row.name,
                title: row.title,
                part: row.part,
                sel4: row.sel4,
                measured: statistics,
                ratio: statistics.zip(row.sel4).map(|(statistics, sel4)| statistics.median as f64 / sel4 as f64),
                missing: missing.filter(|_| statistics.is_none()),
                most: row.most,
            }
        });
        let stretches = counts.stretches.iter().take(5).map(|stretch| Place {
            instructions: stretch.count,
            from: symbols.name(stretch.start).to_owned(),
            to: symbols.name(stretch.end).to_owned(),
        });
        Self {
            method: "instructions, QEMU -icount shift=0, PMCCNTR_EL0 counting at EL0 and EL2",
            rows: rows.collect(),
            boot_instructions: counts.boot,
            sel4_boot_instructions: SEL4_BOOT,
            text_bytes: text_by_crate.iter().map(|(_, bytes)| bytes).sum(),
            sel4_text_bytes: SEL4_TEXT,
            text_by_crate: text_by_crate.to_vec(),
            stretches: stretches.collect(),
        }
    }

    /// Whether every row has a figure, or a reason for having none.
    pub(super) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.measured.is_some() != row.missing.is_some())
    }

    /// The rows that took more SMMU commands than they may.
    pub(super) fn excesses(&self) -> impl Iterator<Item = &Line> {
        self.rows.iter().filter(|row| row.measured.is_some_and(|found| !found.is_within(row.most)))
    }
}
