//! Boots a system's image and, when the system says which checks it prints, judges it.

mod disks;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::audit::{self, Exceptions};
use crate::boot::{self, Limits, Transcript};
use crate::build::{self, Kernel};
use crate::expectation;
use crate::keys;
use crate::platform::Qemu;
use crate::qemu::{self, Serial};
use crate::report::{self, Tally};
use crate::symbols::Backtraces;
use crate::tally;
use crate::trace;
use crate::tree::{System, Tree};
use crate::verdict::{Findings, judge};
use disks::Disks;
pub use disks::PLACEHOLDERS;

/// What a user may choose about a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choices {
    /// The disk to read; a default is made when the system wants one.
    pub disk: Option<PathBuf>,
    /// The kernel's command line.
    pub append: Option<String>,
    /// Where the kernel logs what happens to capabilities, if it is to (see [`crate::trace`]).
    pub trace: Option<PathBuf>,
    /// The kernel: one that is not for debugging cannot end the machine.
    pub kernel: Kernel,
    /// The machine, instead of the platform's.
    pub qemu: Option<Qemu>,
    /// Where the image is put into memory, on a machine without firmware, which cannot end itself.
    pub bare_at: Option<u64>,
    /// Where the components' programs are, whose functions are named in backtraces.
    pub programs: Option<PathBuf>,
    /// Print every line as it comes.
    pub show: bool,
    /// A soak run: longer than any other, and told so by its command line.
    pub soak: bool,
}

/// The machine of a root task that comes without a spec.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub struct Machine {
    /// The platform to boot on.
    #[arg(long, default_value = "qemu-virt", conflicts_with = "system")]
    pub platform: String,
    /// End the machine after this many seconds.
    #[arg(long, value_name = "SECONDS", conflicts_with = "system")]
    pub timeout: Option<u64>,
    /// More arguments for QEMU, behind `--`.
    #[arg(last = true, conflicts_with = "system")]
    pub qemu: Vec<String>,
}

/// What a system's machine is started with.
struct Prepared {
    qemu: Qemu,
    disks: Disks,
    /// QEMU's arguments for the system's devices.
    devices: Vec<String>,
}

impl Prepared {
    fn of(tree: &Tree, system: &System, choices: &Choices) -> Result<Self> {
        let qemu = match &choices.qemu {
            Some(qemu) => qemu.clone(),
            None => tree.platform(&system.platform_name()?)?.qemu,
        };
        require_qemu(&qemu)?;
        let devices = match system.devices() {
            path if path.exists() => std::fs::read_to_string(&path)?,
            _ => String::new(),
        };
        let disks = Disks::prepare(tree, system, &qemu::placeholders(&devices)?, choices)?;
        let devices = qemu::arguments(&devices, &disks.files()?)
            .with_context(|| format!("{} is no list of arguments", system.devices().display()))?;
        Ok(Self { qemu, disks, devices })
    }
}

/// Boots `image`. With a list of checks the outcome is theirs, the disks' and the machine's end; without one it is the end
/// alone.
///
/// # Errors
/// When the system's files do not read, or the machine cannot be started.
pub fn run(tree: &Tree, system: &System, image: &Path, choices: &Choices) -> Result<Tally> {
    let name = format!("{} {}", if choices.soak { "soak" } else { "boot" }, system.name);
    let log = tree.log(&name)?;
    let started = if choices.show { std::time::Instant::now() } else { report::begin(&name) };
    let outcome = outcome(tree, system, image, choices, &log)?;
    let Some(Judged { checks, problems }) = outcome.judged else {
        let good = outcome.transcript.end == crate::verdict::End::PoweredOff && !outcome.stopped;
        report::end(&name, &outcome.transcript.end.to_string(), good, started);
        return Ok(Tally::one(good));
    };
    let failed = problems.len() as u64;
    let tally = Tally { passed: checks.saturating_sub(failed), failed };
    report::end(&name, &format!("{} of {checks} checks", tally.passed), failed == 0, started);
    if failed > 0 {
        report::show_log(&log);
        problems.iter().for_each(|problem| println!("      {problem}"));
    }
    Ok(tally)
}

/// How a boot went.
struct Outcome {
    transcript: Transcript,
    /// A stop was printed.
    stopped: bool,
    /// Nothing without a list of checks.
    judged: Option<Judged>,
}

/// What a list of checks makes of it.
struct Judged {
    /// How many there are, those of the disks included.
    checks: u64,
    problems: Vec<String>,
}

/// A boot of a system with a list of checks.
pub(crate) struct Booted {
    pub(crate) transcript: Transcript,
    /// What is wrong with it by that list.
    pub(crate) problems: Vec<String>,
}

/// Boots `image` quietly, and judges it by the system's list of checks, which it must have.
///
/// # Errors
/// As [`run`], and when there is no list.
pub(crate) fn judged(tree: &Tree, system: &System, image: &Path, choices: &Choices, log: &Path) -> Result<Booted> {
    let Outcome { transcript, judged, .. } = outcome(tree, system, image, choices, log)?;
    let judged = judged.with_context(|| format!("{} has no list of checks", system.name))?;
    Ok(Booted { transcript, problems: judged.problems })
}

/// What is wrong with a boot by the system's list of checks, which it must have.
///
/// # Errors
/// As [`run`], and when there is no list.
pub fn problems(tree: &Tree, system: &System, image: &Path, log: &Path) -> Result<Vec<String>> {
    Ok(judged(tree, system, image, &Choices::default(), log)?.problems)
}

fn outcome(tree: &Tree, system: &System, image: &Path, choices: &Choices, log: &Path) -> Result<Outcome> {
    let Prepared { qemu, disks, devices } = Prepared::of(tree, system, choices)?;
    let (expected, tallies) = match system.checks() {
        path if path.exists() && !disks.root_is_users => {
            (Some(expectation::read_file(&path)?), tally::all(&std::fs::read_to_string(&path)?)?)
        }
        _ => (None, Vec::new()),
    };
    // A system with a command line of its own, as that without protection has one, keeps it.
    // A bare machine gives its kernel none.
    let is_free = choices.bare_at.is_none() && !devices.iter().any(|argument| argument == "-append");
    ensure!(is_free || choices.trace.is_none(), "a system with a command line of its own cannot be traced");
    let is_audited = is_free && expected.is_some() && choices.kernel == Kernel::Debug;
    let options =
        [is_audited.then_some(audit::OPTION), choices.trace.as_ref().map(|_| trace::OPTION), choices.append.as_deref()];
    let append = options.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut command = match choices.bare_at {
        Some(address) => qemu::bare_command(&qemu, image, &devices, address)?,
        None => qemu::command(&qemu, image, &devices, Some(append.as_str()).filter(|text| !text.is_empty())),
    };
    if let Some(log) = &choices.trace {
        trace::attach(&mut command, log)?;
    }
    if let Some(disk) = disks.disk.as_ref().filter(|_| choices.show) {
        println!("      disk {}: {}", disk.path.display(), disk.origin);
    }
    if let Some(root) = disks.root.as_ref().filter(|_| choices.show && disks.root_is_users) {
        println!("      disk {}: the guest writes to it", root.display());
    }
    let limits = match &expected {
        Some(_) if choices.soak => Limits::SOAK,
        Some(_) if !system.guests()?.is_empty() => Limits::GUEST,
        Some(_) => Limits::CHECKED,
        None => Limits::WATCHED,
    };
    let ends_itself = choices.kernel == Kernel::Debug && choices.bare_at.is_none();
    let after_result = (!ends_itself).then_some(boot::AFTER_RESULT);
    let limits = Limits { after_result, ..limits };
    let keys = keys::read_file(&system.keys())?;
    let mut backtraces = match &choices.programs {
        Some(folder) => Backtraces::of(system, folder)?,
        None => Backtraces::default(),
    };
    let transcript = boot::run_typing(command, limits, &keys, &mut |line| {
        if choices.show {
            println!("{}", printable(line));
            backtraces.explain(line).iter().for_each(|line| println!("{line}"));
        }
    })?;
    write_log(log, &transcript)?;
    let guests = system.guests()?;
    let findings = Findings::with_guests(transcript.lines.iter().map(String::as_str), &guests);
    let stopped = !findings.stops.is_empty();
    let Some(expected) = expected else { return Ok(Outcome { transcript, stopped, judged: None }) };
    let mut problems: Vec<String> =
        judge(&expected, &findings, &transcript.end).iter().map(ToString::to_string).collect();
    problems.extend(tally::judge(&tallies, &transcript.lines));
    let mut checks = (expected.len() + tallies.len()) as u64;
    let lines = transcript.lines.iter().map(String::as_str);
    let exceptions = Exceptions { idle: &disks.provisions.idle, lent: &disks.provisions.lent };
    let account = is_audited.then(|| audit::check(&build::audit_of(image), lines, exceptions));
    for comparison in account.into_iter().chain(disks.compare(&findings.digests, &transcript.lines)) {
        checks += 1;
        match comparison {
            Ok(said) if choices.show => println!("host    | {said}"),
            Ok(_) => {}
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    Ok(Outcome { transcript, stopped, judged: Some(Judged { checks, problems }) })
}

/// The command that boots `image`, with the disks the system is given or `choices` name.
///
/// # Errors
/// When the system's files do not read.
pub fn machine(tree: &Tree, system: &System, image: &Path, choices: &Choices) -> Result<Command> {
    let Prepared { qemu, devices, .. } = Prepared::of(tree, system, choices)?;
    Ok(qemu::command(&qemu, image, &devices, choices.append.as_deref()))
}

/// Boots `image` with the terminal as its console and the component `name` attached to it; good when the machine is powered
/// off in the end. Nothing is judged: what is on the screen is the machine's, and goes there as it comes.
///
/// # Errors
/// When the system's files do not read, it has no console, or the machine cannot be started.
pub fn attended(tree: &Tree, system: &System, image: &Path, choices: &Choices, name: &str) -> Result<Tally> {
    let Prepared { qemu, devices, .. } = Prepared::of(tree, system, choices)?;
    let attach = format!("{}.attach={name}", system.console()?);
    let append = choices.append.as_ref().map_or_else(|| attach.clone(), |append| format!("{append} {attach}"));
    let mut command = qemu::command_at(Serial::Terminal, &qemu, image, &devices, Some(&append));
    println!("      Ctrl-] ? says who can have the terminal, Ctrl-A x ends the machine");
    let status = command.status().context("cannot start QEMU; scripts/setup installs it")?;
    println!();
    Ok(Tally::one(status.success()))
}

/// Boots the image of a root task and shows what it prints; good when the machine is powered off in the end.
///
/// # Errors
/// When the platform is unknown, or the machine cannot be started.
pub fn root_task(tree: &Tree, image: &Path, machine: &Machine, append: Option<&str>) -> Result<bool> {
    let platform = tree.platform(&machine.platform)?;
    require_qemu(&platform.qemu)?;
    let command = qemu::command(&platform.qemu, image, &machine.qemu, append);
    let limits = Limits { total: machine.timeout.map_or(Duration::MAX, Duration::from_secs), ..Limits::WATCHED };
    let started = std::time::Instant::now();
    let transcript = boot::run(command, limits, &mut |line| println!("{}", printable(line)))?;
    let name = format!("boot {}", image.file_stem().unwrap_or_default().display());
    write_log(&tree.log(&name)?, &transcript)?;
    let good = transcript.end == crate::verdict::End::PoweredOff;
    report::end(&name, &transcript.end.to_string(), good, started);
    Ok(good)
}

pub(crate) fn require_qemu(qemu: &Qemu) -> Result<()> {
    let output = Command::new(&qemu.program)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot start {}; scripts/setup installs it", qemu.program))?;
    qemu::require_version(&String::from_utf8_lossy(&output.stdout), &qemu.at_least)
}

pub(crate) fn write_log(path: &Path, transcript: &Transcript) -> Result<()> {
    let mut text = transcript.lines.join("\n");
    text.push_str(&format!("\n[{}]\n", transcript.end));
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A system's output is not trusted with the user's terminal.
fn printable(line: &str) -> String {
    line.chars().map(|char| if char.is_control() && char != '\t' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\tc");
    }
}
