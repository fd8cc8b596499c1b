//! What a guest costs: Debian's kernel boots and reads a disk block by block, on QEMU alone and as a guest, and a plugin counts
//! the instructions of the whole machine. `docs/benchmarks.md` says how, and what the goals are.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::meter;
use crate::boot::{self, Limits};
use crate::build::{self, Kernel};
use crate::disk::Disk;
use crate::guest::{self, Payloads};
use crate::platform::Qemu;
use crate::provisions::{self, Variant, When};
use crate::qemu;
use crate::report::{self, Tally, step};
use crate::run::Choices;
use crate::toolchain::{Toolchain, host_cargo};
use crate::tree::{System, Tree};

const PLATFORM: &str = "qemu-virt";
const SERIES: &str = "6.12";
/// Enough for all reads.
const DISK_MIB: u64 = 64;
/// What the guest has, here and in the systems.
const RAM: &str = "256M";
/// Reads of 4 KiB: in the first run of a configuration, and in each of the others.
const READS: [u64; 2] = [1_000, 11_000];
/// Runs with the greater number: when a disk answers is not the machine's to say.
const ROUNDS: usize = 3;

/// A way to run the kernel.
struct Configuration {
    title: &'static str,
    /// The system, and its variant if it is one; none for QEMU alone.
    system: Option<(&'static str, Option<&'static str>)>,
    /// Thousands of instructions of a read that are aimed at.
    goal: Option<u64>,
}

const TASKS: &str = "sluice.run=boot,disk,io,scratch,log";

/// How much more than QEMU alone a boot may take.
const BOOT_GOAL: &str = "1.15";

const CONFIGURATIONS: [Configuration; 4] = [
    Configuration { title: "QEMU alone", system: None, goal: None },
    Configuration { title: "stage 2", system: Some(("linux-s2", None)), goal: Some(22) },
    Configuration { title: "nested, lazy", system: Some(("linux-nested", Some("lazy"))), goal: Some(22) },
    Configuration { title: "nested, strict", system: Some(("linux-nested", None)), goal: Some(32) },
];

/// What was counted in one run.
#[derive(Clone, Default, Debug)]
struct Counts {
    /// Of the kernel, of the guest's kernel, and of the rest.
    kernel: u64,
    guest: u64,
    low: u64,
    /// How often the guest came back, as its VMM tells it: in all, and why.
    exits: Vec<(String, u64)>,
}

impl Counts {
    const fn total(&self) -> u64 {
        self.kernel + self.guest + self.low
    }
}

/// Measures and prints the table.
///
/// # Errors
/// When a step cannot be started, or a result does not read.
pub fn run(tree: &Tree, toolchain: &Toolchain) -> Result<Tally> {
    let payloads = Payloads::prepare(tree, false)?;
    let Some(programs) = build::programs(tree, toolchain, Kernel::Release)? else { return Ok(Tally::one(false)) };
    let mut plugin = host_cargo(tree, "build");
    plugin.args(["--quiet", "--release", "-p", "sluice-meter"]);
    if !step(tree, "build meter", plugin)?.good {
        return Ok(Tally::one(false));
    }
    let mut rows = Vec::new();
    for configuration in &CONFIGURATIONS {
        let mut runs = Vec::new();
        for reads in [READS[0]].into_iter().chain([READS[1]; ROUNDS]) {
            let found = match configuration.system {
                None => alone(tree, &payloads, reads)?,
                Some((name, variant)) => as_guest(tree, &programs, (name, variant), reads)?,
            };
            let Some(found) = found else { return Ok(Tally::one(false)) };
            runs.push(found);
        }
        let few = runs.remove(0);
        runs.sort_by_key(Counts::total);
        rows.push((configuration, few, runs));
    }
    print!("{}", render(&rows));
    Ok(Tally::one(true))
}

/// The kernel on QEMU alone: no hypervisor, no SMMU.
fn alone(tree: &Tree, payloads: &Payloads, reads: u64) -> Result<Option<Counts>> {
    let platform = tree.platform(PLATFORM)?;
    let machine = platform.qemu.machine.replace(",virtualization=on", "").replace(",iommu=smmuv3", "");
    let qemu = Qemu { machine, memory: RAM.to_owned(), ..platform.qemu };
    let disk = Disk::default_for(tree, DISK_MIB)?;
    let text =
        "-drive\nif=none,id=disk,format=raw,readonly=on,file=${DISK}\n-device\nnvme,drive=disk,serial=disk,dbcs=off\n";
    let devices = qemu::arguments(text, &[("DISK".to_owned(), disk.path)].into())?;
    // Message-signalled interrupts are not there for guests either.
    let line = format!("console=ttyAMA0 quiet panic=-1 pci=nomsi sluice.run=reads sluice.reads={reads}");
    let mut command = qemu::command(&qemu, &payloads.image(SERIES), &devices, Some(&line));
    command.arg("-initrd").arg(payloads.initramfs(SERIES));
    measure(tree, command, &format!("{reads} reads on QEMU alone"), "")
}

fn as_guest(
    tree: &Tree,
    programs: &build::Programs,
    (name, variant): (&str, Option<&str>),
    reads: u64,
) -> Result<Option<Counts>> {
    let mut system = System::at(&tree.root().join(format!("systems/{name}.toml")))?;
    if let Some(variant) = variant {
        system = provisions::variant(tree, &system, variant)?;
    }
    let task = [TASKS.to_owned(), format!("sluice.run=reads sluice.reads={reads}")];
    // A character on the console is two exits, and is not what is measured.
    let quiet = ["earlycon ", "quiet "].map(str::to_owned);
    let variant = Variant { name: format!("{reads}-reads"), when: When::Soak, replace: vec![task, quiet] };
    let system = provisions::write(tree, &system, &variant)?;
    guest::prepare_for(tree, &system)?;
    let Some(image) = build::image(tree, programs, &system)? else { return Ok(None) };
    let choices = Choices { disk: Some(Disk::default_for(tree, DISK_MIB)?.path), ..Choices::default() };
    let command = crate::run::machine(tree, &system, &image, &choices)?;
    measure(tree, command, &system.name, "guest0  | ")
}

/// Runs a machine with the plugin.
fn measure(tree: &Tree, mut command: Command, name: &str, prefix: &str) -> Result<Option<Counts>> {
    // Timers go by instructions: how busy this machine is makes no difference.
    command.args(["-icount", "shift=0"]);
    command.args(["-plugin", &meter::Plugin::of(tree).totals()?]);
    let output = tree.build().join(meter::OUTPUT);
    let _ = std::fs::remove_file(&output);
    let started = report::begin(name);
    let limits = Limits { after_result: Some(boot::AFTER_RESULT), ..Limits::GUEST };
    let transcript = boot::run(command, limits, &mut |_| {})?;
    let said = |what: &str| transcript.lines.iter().any(|line| line.starts_with(&format!("{prefix}{what}")));
    let good = said("CHECK pass reads");
    report::end(name, "", good, started);
    if !good {
        transcript.lines.iter().rev().take(20).rev().for_each(|line| println!("      | {line}"));
        return Ok(None);
    }
    let exits = transcript.lines.iter().find_map(|line| exits(line.strip_prefix(prefix)?));
    let counts = read(&output)?;
    ensure!(counts.total() > 0, "the meter counted nothing");
    Ok(Some(Counts { exits: exits.unwrap_or_default(), ..counts }))
}

/// `N exits: register N call N …`, as the VMM prints it.
fn exits(line: &str) -> Option<Vec<(String, u64)>> {
    let (all, by_reason) = line.split_once(" exits: ")?;
    let words: Vec<&str> = by_reason.split_whitespace().collect();
    let mut exits = vec![("all".to_owned(), all.parse().ok()?)];
    for pair in words.chunks(2) {
        let [reason, count] = pair else { return None };
        exits.push(((*reason).to_owned(), count.parse().ok()?));
    }
    Some(exits)
}

fn read(output: &Path) -> Result<Counts> {
    let text = std::fs::read_to_string(output).context("the meter wrote nothing")?;
    let mut counts = Counts::default();
    for line in text.lines() {
        let Some((what, count)) = line.split_once(' ') else { continue };
        let place = match what {
            "kernel" => &mut counts.kernel,
            "guest" => &mut counts.guest,
            "low" => &mut counts.low,
            _ => continue,
        };
        *place = count.parse().with_context(|| format!("`{line}` is malformed"))?;
    }
    Ok(counts)
}

fn render(rows: &[(&Configuration, Counts, Vec<Counts>)]) -> String {
    let more = (READS[1] - READS[0]) as f64;
    let per_read = |few: u64, many: u64| (many as f64 - few as f64) / more;
    // What is left without the reads.
    let boot = |few: u64, many: u64| few as f64 - per_read(few, many) * READS[0] as f64;
    let median = |many: &'_ [Counts]| many.get(many.len() / 2).cloned().unwrap_or_default();
    let bare = rows.first().map_or(1.0, |(_, few, many)| boot(few.total(), median(many).total()));
    let mut out = format!(
        "{:<16}{:>28}{:>7}{:>6}{:>28}{:>6}\n{:<16}{:>7}{:>7}{:>7}{:>7}{:>13}{:>7}{:>7}{:>7}{:>7}{:>6}\n",
        "",
        "boot, millions",
        "ratio",
        "goal",
        "per read, thousands",
        "goal",
        "",
        "all",
        "kernel",
        "guest",
        "rest",
        "",
        "all",
        "kernel",
        "guest",
        "rest",
        ""
    );
    for (configuration, few, all) in rows {
        let many = &median(all);
        let parts: [fn(&Counts) -> u64; 4] = [Counts::total, |of| of.kernel, |of| of.guest, |of| of.low];
        out += &format!("{:<16}", configuration.title);
        for part in parts {
            out += &format!("{:>7.0}", boot(part(few), part(many)) / 1e6);
        }
        let goals =
            configuration.goal.map_or([String::new(), String::new()], |goal| [BOOT_GOAL.to_owned(), goal.to_string()]);
        out += &format!("{:>7.2}{:>6}", boot(few.total(), many.total()) / bare, goals[0]);
        for part in parts {
            out += &format!("{:>7.1}", per_read(part(few), part(many)) / 1000.0);
        }
        let ends = [all.first(), all.last()].map(|of| of.map_or(0, Counts::total));
        let [least, most] = ends.map(|total| per_read(few.total(), total) / 1000.0);
        out += &format!("{:>6}  {least:.1}..{most:.1}\n", goals[1]);
        let exits: Vec<String> = many
            .exits
            .iter()
            .zip(&few.exits)
            .map(|((reason, many), (_, few))| format!("{reason} {:.2}", per_read(*few, *many)))
            .collect();
        if !exits.is_empty() {
            out += &format!("{:<16}exits per read: {}\n", "", exits.join(", "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_read_as_the_vmm_prints_them() {
        let line = "12 exits: register 7 call 5";
        let expected = [("all", 12), ("register", 7), ("call", 5)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(exits(line), Some(expected.to_vec()));
        assert_eq!(exits("12 exits: register"), None);
        assert_eq!(exits("no exits"), None);
    }
}
