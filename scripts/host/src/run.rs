//! Boots a system's image and, when the system says which checks it prints, judges it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::boot::{self, Limits, Transcript};
use crate::build::Kernel;
use crate::disk::{self, Disk};
use crate::expectation;
use crate::keys;
use crate::neighbour::Neighbour;
use crate::platform::Qemu;
use crate::provisions::{Holds, Provisions};
use crate::qemu::{self, Files, Serial};
use crate::report::{self, Tally};
use crate::transcript::Digest;
use crate::tree::{System, Tree};
use crate::verdict::{Findings, judge};

/// The disk to read, as a `.qemu` file names it.
const DISK: &str = "DISK";
/// The disk to write.
const SCRATCH: &str = "SCRATCH";
/// The file in which the peer keeps what a guest sends.
const PEER: &str = "PEER";
/// This program.
const SLUICE: &str = "SLUICE";
/// Every placeholder that a `.qemu` file may have.
pub const PLACEHOLDERS: [&str; 4] = [DISK, SCRATCH, PEER, SLUICE];

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

/// A machine's disks, by the placeholder that stands for each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Disks {
    disk: Option<Disk>,
    scratch: Option<PathBuf>,
    peer: Option<PathBuf>,
    provisions: Provisions,
}

impl Disks {
    fn prepare(tree: &Tree, system: &System, placeholders: &[String], choices: &Choices) -> Result<Self> {
        let provisions = Provisions::of(system)?;
        let mut disks = Self { provisions, ..Self::default() };
        for name in placeholders {
            match name.as_str() {
                DISK => {
                    disks.disk = Some(match &choices.disk {
                        Some(file) => Disk::from_file(tree, file)?,
                        None => Disk::default_for(tree, disks.provisions.disk_mib)?,
                    });
                }
                SCRATCH => disks.scratch = Some(disk::scratch(tree, &system.name, disks.provisions.scratch.mib)?),
                PEER => disks.peer = Some(disk::sent(tree, &system.name)?),
                SLUICE => {}
                other => bail!("{} asks for ${{{other}}}, which nothing makes", system.devices().display()),
            }
        }
        if let (Some(file), None) = (&choices.disk, &disks.disk) {
            bail!("{} has no disk that {} could be", system.name, file.display());
        }
        Ok(disks)
    }

    fn files(&self) -> Result<Files> {
        let disk = self.disk.as_ref().map(|disk| (DISK.to_owned(), disk.path.clone()));
        let scratch = self.scratch.as_ref().map(|path| (SCRATCH.to_owned(), path.clone()));
        let peer = self.peer.as_ref().map(|path| (PEER.to_owned(), path.clone()));
        let sluice = (SLUICE.to_owned(), std::env::current_exe().context("this program is not known")?);
        Ok(disk.into_iter().chain(scratch).chain(peer).chain([sluice]).collect())
    }

    /// What the peer was sent is what the disk begins with.
    fn compare_sent(&self, path: &Path) -> Result<String> {
        let disk = self.disk.as_ref().context("there is no disk that could have been sent")?;
        let wanted = self.provisions.peer_mib << 20;
        let bytes = disk::verify_copy(&disk.path, path, wanted).context("what the peer was sent")?;
        Ok(format!("{bytes} bytes of {} are what the disk begins with", path.display()))
    }

    fn compare_neighbour(&self, neighbour: &Neighbour, lines: &[String]) -> Result<String> {
        let disk = self.disk.as_ref().context("there is no disk that could have been read")?;
        neighbour.compare(lines, &disk.path)
    }

    fn compare_scratch(&self, path: &Path) -> Result<String> {
        let scratch = &self.provisions.scratch;
        let bytes = match scratch.holds {
            Holds::Pattern => disk::verify_scratch(path)?,
            Holds::Disk => {
                let disk = self.disk.as_ref().context("there is no disk that could have been copied")?;
                disk::verify_copy(&disk.path, path, scratch.first_mib << 20)?
            }
        };
        Ok(format!("{bytes} bytes of {} hold what was written", path.display()))
    }
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
    let mut command = qemu::command(&qemu, image, &devices, choices.append.as_deref());
    if let Some(log) = &choices.trace {
        crate::trace::attach(&mut command, log)?;
    }
    let expected = match system.checks() {
        path if path.exists() => Some(expectation::read_file(&path)?),
        _ => None,
    };
    if let Some(disk) = disks.disk.as_ref().filter(|_| choices.show) {
        println!("      disk {}: {}", disk.path.display(), disk.origin);
    }
    let limits = match &expected {
        Some(_) if choices.soak => Limits::SOAK,
        Some(_) if !system.guests()?.is_empty() => Limits::GUEST,
        Some(_) => Limits::CHECKED,
        None => Limits::WATCHED,
    };
    let after_result = (choices.kernel != Kernel::Debug).then_some(boot::AFTER_RESULT);
    let limits = Limits { after_result, ..limits };
    let keys = keys::read_file(&system.keys())?;
    let transcript = boot::run_typing(command, limits, &keys, &mut |line| {
        if choices.show {
            println!("{}", printable(line));
        }
    })?;
    write_log(log, &transcript)?;
    let guests = system.guests()?;
    let findings = Findings::with_guests(transcript.lines.iter().map(String::as_str), &guests);
    let stopped = !findings.stops.is_empty();
    let Some(expected) = expected else { return Ok(Outcome { transcript, stopped, judged: None }) };
    let mut problems: Vec<String> =
        judge(&expected, &findings, &transcript.end).iter().map(ToString::to_string).collect();
    let mut checks = expected.len() as u64;
    let comparisons = [
        disks.disk.as_ref().map(|disk| compare_digest(disk, disks.provisions.digests, &findings.digests)),
        disks.scratch.as_deref().map(|scratch| disks.compare_scratch(scratch)),
        disks.peer.as_deref().map(|peer| disks.compare_sent(peer)),
        disks.provisions.neighbour.as_ref().map(|neighbour| disks.compare_neighbour(neighbour, &transcript.lines)),
    ];
    for comparison in comparisons.into_iter().flatten() {
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

/// Every time the disk was read, it was read right: `times` when that is said, at least once.
fn compare_digest(disk: &Disk, times: Option<usize>, printed: &[Digest]) -> Result<String> {
    let wanted = disk.digest()?;
    match printed.iter().find(|found| **found != wanted) {
        None if printed.is_empty() => bail!("the system printed no SHA256 of its disk"),
        None if times.is_none_or(|times| times == printed.len()) => {
            Ok(format!("SHA256 {} {} is that of {}", wanted.hex, wanted.bytes, disk.path.display()))
        }
        None => bail!("the system printed {} digests of its disk", printed.len()),
        Some(found) => bail!(
            "the system read SHA256 {} over {} bytes; {} has {} over {}",
            found.hex,
            found.bytes,
            disk.path.display(),
            wanted.hex,
            wanted.bytes
        ),
    }
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

    fn disk() -> (Disk, PathBuf) {
        let path = std::env::temp_dir().join(format!("sluice-run-{}", std::process::id()));
        std::fs::write(&path, b"abc").unwrap();
        (Disk { path: path.clone(), origin: String::new() }, path)
    }

    #[test]
    fn one_digest_equal_to_the_disks_is_needed() {
        let (disk, path) = disk();
        let good = disk.digest().unwrap();
        let short = Digest { bytes: 2, ..good.clone() };
        let other = Digest { hex: "0".repeat(64), bytes: 3 };
        assert!(compare_digest(&disk, Some(1), std::slice::from_ref(&good)).is_ok());
        assert!(compare_digest(&disk, None, &[good.clone(), good.clone()]).is_ok());
        for (printed, message) in [
            (vec![], "printed no SHA256"),
            (vec![short], "over 2 bytes"),
            (vec![other], "read SHA256 0000"),
            (vec![good.clone(), good], "2 digests"),
        ] {
            let error = compare_digest(&disk, Some(1), &printed).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\tc");
    }
}
