//! The report as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use super::meter::Counts;
use super::result::{Line, Report};
use super::rows::{Measured, Part};
use crate::symbols::Symbols;

/// The table and what stands below it.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for (part, heading) in [(Part::OneWay, "one-way, overhead subtracted"), (Part::WithStub, "with user stub")] {
        line(&mut out, &format!("{heading:<38}{:>8}{:>8}{:>8}{:>16}", "seL4", "Sluice", "ratio", "p5..p95"));
        report.rows.iter().filter(|row| row.part == part).for_each(|each| line(&mut out, &row(each)));
        out.push('\n');
    }
    line(
        &mut out,
        &format!("{:<38}{:>10}{:>18}{:>9}{:>6}{:>8}", "devices", "Sluice", "p5..p95", "commands", "syncs", "records"),
    );
    report.rows.iter().filter(|row| row.part == Part::Devices).for_each(|each| line(&mut out, &device(each)));
    out.push('\n');
    let (ours, theirs) = (report.boot_instructions, report.sel4_boot_instructions);
    line(&mut out, &format!("{:<38}{theirs:>8} {ours:>8}", "boot, instructions to the first thread"));
    line(&mut out, &format!("{:<38}{:>8}{:>8}", ".text, bytes", report.sel4_text_bytes, report.text_bytes));
    for (name, bytes) in &report.text_by_crate {
        line(&mut out, &format!("  {name:<44}{bytes:>8}"));
    }
    line(&mut out, "longest without a look for interrupts");
    for place in &report.stretches {
        line(&mut out, &format!("  {:>8} from {} to {}", place.instructions, place.from, place.to));
    }
    out
}

/// A row that no other kernel has.
fn device(row: &Line) -> String {
    let Some(found) = &row.measured else {
        return format!("{:<38}{:>10}  {}", row.title, "-", row.missing.unwrap_or("not measured"));
    };
    let range = format!("{}..{}", found.p5, found.p95);
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let (commands, syncs, records) = (count(found.commands), count(found.syncs), count(found.records));
    format!("{:<38}{:>10}{range:>18}{commands:>9}{syncs:>6}{records:>8}", row.title, found.median)
}

fn row(row: &Line) -> String {
    let before = format!("{:<38}{:>8}", row.title, row.sel4.map_or_else(String::new, |sel4| sel4.to_string()));
    match (&row.measured, row.ratio) {
        (Some(found), Some(ratio)) => {
            format!("{before}{:>8}{ratio:>8.2}{:>16}", found.median, format!("{}..{}", found.p5, found.p95))
        }
        _ => format!("{before}{:>8}  {}", "-", row.missing.unwrap_or("not measured")),
    }
}

/// Where the kernel's instructions of one row are, by function and for each sample.
pub(super) fn profile(name: &str, measured: &[Measured], counts: &Counts, symbols: &Symbols) -> Result<String> {
    let index = measured.iter().position(|one| one.name == name).with_context(|| format!("no row `{name}`"))?;
    let ran = counts.ran.get(index).with_context(|| format!("the meter saw no end of `{name}`"))?;
    ensure!(!ran.is_empty(), "`{name}` is measured together with the row before it: ask for that");
    let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
    for (address, count) in ran {
        *functions.entry(symbols.name(*address)).or_default() += count;
    }
    let mut functions: Vec<(&str, u64)> = functions.into_iter().collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut out = String::new();
    line(&mut out, &format!("kernel instructions of {name}, for each of its samples"));
    for (function, count) in functions.iter().filter(|(_, count)| *count >= measured[index].statistics.runs) {
        line(&mut out, &format!("  {:>8.1} {function}", *count as f64 / measured[index].statistics.runs as f64));
    }
    Ok(out)
}

fn line(out: &mut String, text: &str) {
    // A string takes everything.
    let _: std::fmt::Result = writeln!(out, "      {}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::rows::Statistics;
    use super::*;

    #[test]
    fn a_row_shows_figures_or_a_reason() {
        let statistics = Statistics { runs: 9, min: 1, p5: 2, median: 50, p95: 60, max: 99, ..Statistics::default() };
        let mut shown = Line {
            name: "null",
            title: "Null",
            part: Part::OneWay,
            sel4: Some(100),
            measured: Some(statistics),
            ratio: Some(0.5),
            missing: None,
            most: None,
        };
        let words: Vec<String> = row(&shown).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["Null", "100", "50", "0.50", "2..60"]);
        let counted = Statistics { commands: Some(2), syncs: Some(1), ..statistics };
        shown = Line { measured: Some(counted), part: Part::Devices, sel4: None, ratio: None, ..shown };
        assert_eq!(device(&shown).split_whitespace().collect::<Vec<_>>(), ["Null", "50", "2..60", "2", "1"]);
        shown = Line { measured: None, missing: Some("not there"), ..shown };
        assert!(row(&shown).ends_with("-  not there"));
        assert!(device(&shown).ends_with("-  not there"));
    }
}
