//! The rows: what the program prints, what each is, and seL4's figure for it.

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

/// Last line of a run that came to its end.
pub(super) const END: &str = "end";

/// How a row is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Part {
    /// From just before the system call to just after it, wherever that is; overhead subtracted.
    OneWay,
    /// With the user's stubs.
    WithStub,
    /// With the user's stubs; a device's stream, context or address space is concerned.
    Devices,
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
    /// As the program prints it.
    pub(super) name: &'static str,
    /// As people read it.
    pub(super) title: &'static str,
    pub(super) part: Part,
    /// Instructions of seL4 16.0 (hypervisor mode, not MCS), by the same method on the same machine; none where it has no
    /// such operation.
    pub(super) sel4: Option<u64>,
    /// Most SMMU commands it may take (CMD_SYNC included), and most CMD_SYNCs.
    pub(super) most: Option<[u64; 2]>,
}

const fn row(name: &'static str, title: &'static str, part: Part, sel4: u64) -> Row {
    Row { name, title, part, sel4: Some(sel4), most: None }
}

const fn device(name: &'static str, title: &'static str, most: Option<[u64; 2]>) -> Row {
    Row { name, title, part: Part::Devices, sel4: None, most }
}

/// Every row, in the order of the table.
pub(super) const ROWS: [Row; 32] = [
    row("call-0", "Call, 0 words", Part::OneWay, 208),
    row("reply-recv-0", "ReplyRecv, 0 words", Part::OneWay, 232),
    row("call-10", "Call, 10 words", Part::OneWay, 719),
    row("reply-recv-10", "ReplyRecv, 10 words", Part::OneWay, 699),
    row("send-0", "Send", Part::OneWay, 647),
    row("signal-lower", "Signal to lower priority", Part::OneWay, 377),
    row("yield", "Yield with switch", Part::OneWay, 365),
    row("fault", "Fault round trip", Part::OneWay, 1173),
    row("null", "Null system call", Part::OneWay, 91),
    row("round-trip-0", "Call/ReplyRecv round trip, 0 words", Part::WithStub, 564),
    row("round-trip-10", "Round trip with a 10-word call", Part::WithStub, 1076),
    row("signal-wait", "Signal + Wait, same thread", Part::WithStub, 556),
    row("page-map", "Page_Map 4K", Part::WithStub, 547),
    row("page-unmap", "Page_Unmap 4K", Part::WithStub, 500),
    row("retype", "Retype one frame, no reset", Part::WithStub, 1063),
    row("retype-reset", "Retype one frame, 4K reset", Part::WithStub, 2854),
    row("cnode-copy", "CNode_Copy", Part::WithStub, 648),
    row("cnode-delete", "CNode_Delete", Part::WithStub, 591),
    row("interrupt", "Interrupt to higher-priority thread", Part::WithStub, 718),
    row("vcpu-hvc", "vCPU exit and resume, hvc", Part::WithStub, 1498),
    row("vcpu-smc", "vCPU exit and resume, smc", Part::WithStub, 1275),
    device("smmu-bind", "SID_BindCB", Some([4, 2])),
    device("smmu-unbind", "SID_UnbindCB", Some([2, 1])),
    device("smmu-map-1", "Page_Map, 1 page", Some([0, 0])),
    device("smmu-map-16", "Page_Map, 16 times", Some([0, 0])),
    device("smmu-map-512", "Page_Map, 512 times", Some([0, 0])),
    device("smmu-unmap-1", "Page_Unmap, 1 page", Some([2, 1])),
    device("smmu-revoke-16", "Revoke of 16 pages", Some([4, 1])),
    device("smmu-revoke-512", "Revoke of 512 pages", Some([4, 1])),
    device("smmu-unmap-table", "PageTable_Unmap of 512 pages", Some([4, 1])),
    device("smmu-event", "Fault of a device to its handler", None),
    device("smmu-storm", "Storm, until it is quarantined", Some([2, 1])),
];

/// Rows that are not measured, and why.
pub(super) const MISSING: [(&str, &str); 0] = [];

/// Order statistics of a row, in instructions, and what else was counted for one operation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(super) struct Statistics {
    pub(super) runs: u64,
    pub(super) min: u64,
    pub(super) p5: u64,
    pub(super) median: u64,
    pub(super) p95: u64,
    pub(super) max: u64,
    /// Commands given to the SMMU, CMD_SYNC included.
    pub(super) commands: Option<u64>,
    /// CMD_SYNCs among them.
    pub(super) syncs: Option<u64>,
    /// Event records of the SMMU.
    pub(super) records: Option<u64>,
}

impl Statistics {
    /// Whether it took no more commands than a row may.
    pub(super) fn is_within(&self, most: Option<[u64; 2]>) -> bool {
        let Some([commands, syncs]) = most else { return true };
        self.commands.is_some_and(|found| found <= commands) && self.syncs.is_some_and(|found| found <= syncs)
    }
}

/// A row that the program printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) statistics: Statistics,
}

/// What the program printed, in its order.
pub(super) fn measured(output: &str) -> Result<Vec<Measured>> {
    let mut all: Vec<Measured> = Vec::new();
    for line in output.lines().filter(|line| *line != END) {
        let one = read(line).with_context(|| format!("`{line}`"))?;
        ensure!(ROWS.iter().any(|row| row.name == one.name), "`{}` is no row", one.name);
        ensure!(!all.iter().any(|known| known.name == one.name), "`{}` comes twice", one.name);
        all.push(one);
    }
    Ok(all)
}

/// Names and medians.
pub(super) fn medians(output: &str) -> Result<Vec<(String, u64)>> {
    Ok(measured(output)?.into_iter().map(|one| (one.name, one.statistics.median)).collect())
}

fn read(line: &str) -> Result<Measured> {
    let mut words = line.split_whitespace();
    ensure!(words.next() == Some("row"), "is no row");
    let name = words.next().context("has no name")?.to_owned();
    let mut statistics = Statistics::default();
    for word in words {
        let (key, value) = word.split_once('=').context("a value has no name")?;
        let value = value.parse().with_context(|| format!("`{word}`"))?;
        match key {
            "runs" => statistics.runs = value,
            "min" => statistics.min = value,
            "p5" => statistics.p5 = value,
            "median" => statistics.median = value,
            "p95" => statistics.p95 = value,
            "max" => statistics.max = value,
            "commands" => statistics.commands = Some(value),
            "syncs" => statistics.syncs = Some(value),
            "records" => statistics.records = Some(value),
            _ => bail!("`{key}` is unknown"),
        }
    }
    ensure!(statistics.runs > 0, "has no runs");
    Ok(Measured { name, statistics })
}

/// The name of the row that `wanted` is the name or the title of.
///
/// # Errors
/// When there is none; all names are told then.
pub(super) fn named(wanted: &str) -> Result<&'static str> {
    let found = ROWS.iter().find(|row| row.name == wanted || row.title == wanted);
    let names = || ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    Ok(found.with_context(|| format!("no row is called `{wanted}`; there are {}", names()))?.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "row null runs=1000 min=1 p5=2 median=3 p95=4 max=5";

    #[test]
    fn a_line_reads_whole_or_not_at_all() {
        let statistics = Statistics { runs: 1000, min: 1, p5: 2, median: 3, p95: 4, max: 5, ..Statistics::default() };
        let output = format!("{LINE}\n{END}\n");
        assert_eq!(measured(&output).unwrap(), [Measured { name: "null".to_owned(), statistics }]);
        for bad in ["row nul runs=1", "row null", "null runs=1", "row null runs=x", "row null mean=3 runs=1"] {
            assert!(measured(bad).is_err(), "{bad}");
        }
        assert!(measured(&format!("{LINE}\n{LINE}")).is_err());
    }

    #[test]
    fn commands_count_where_a_row_has_a_limit() {
        let of = |line: &str| measured(&format!("row smmu-bind runs=1 {line}")).unwrap()[0].statistics;
        assert_eq!(of("commands=4 syncs=2 records=9").records, Some(9));
        for (line, within) in
            [("commands=4 syncs=2", true), ("commands=5 syncs=2", false), ("commands=4 syncs=3", false)]
        {
            assert_eq!(of(line).is_within(Some([4, 2])), within, "{line}");
        }
        assert!(!of("").is_within(Some([4, 2])), "not counted is not within");
        assert!(of("").is_within(None));
    }

    #[test]
    fn rows_that_are_missing_are_rows() {
        for (name, why) in MISSING {
            assert!(ROWS.iter().any(|row| row.name == name) && !why.is_empty());
        }
    }

    #[test]
    fn a_row_goes_by_its_name_or_its_title() {
        assert_eq!(named("null").unwrap(), "null");
        assert_eq!(named("Null system call").unwrap(), "null");
        let error = named("nul").unwrap_err().to_string();
        assert!(error.contains("`nul`") && error.contains(" null,"), "{error}");
    }
}
