//! The command behind `scripts/demo`, `scripts/test` and `scripts/run`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use sluice_scripts::build::{self, Kernel, RootTask};
use sluice_scripts::report::Tally;
use sluice_scripts::run::{self, Choices, Machine};
use sluice_scripts::suite::Extent;
use sluice_scripts::symbols::Backtraces;
use sluice_scripts::toolchain::Toolchain;
use sluice_scripts::tree::{System, Tree};
use sluice_scripts::{
    audit, bench, conformance, demo, fuzz, guest, machines, mutants, peer, provisions, reference, stops, suite, trace,
};

/// Builds, boots and tests Sluice.
#[derive(Parser)]
#[command(name = "sluice")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the kernel, the root task and the components; with a system, its boot image too.
    Build {
        /// Which kernel.
        #[arg(long = "kernel", value_enum, default_value_t)]
        kernel: Kernel,
        /// A system spec, for example systems/confined-disk.toml.
        #[arg(long)]
        system: Option<PathBuf>,
    },
    /// Make the boot image of a root task that comes without a spec.
    Image {
        #[command(flatten)]
        root_task: RootTask,
        /// Which kernel.
        #[arg(long = "kernel", value_enum, default_value_t)]
        kernel: Kernel,
    },
    /// Boot a system, or a root task without a spec. A system's list of checks decides the exit status when it has one.
    #[command(
        override_usage = "sluice run <SYSTEM> [OPTIONS]\n       sluice run --root-task <ELF> [OPTIONS] [-- <QEMU>...]"
    )]
    Run {
        /// A system spec, for example systems/confined-disk.toml.
        #[arg(required_unless_present = "root_task", conflicts_with = "root_task")]
        system: Option<PathBuf>,
        #[command(flatten)]
        root_task: Option<RootTask>,
        #[command(flatten)]
        machine: Machine,
        /// A variant of the system that its .host file names.
        #[arg(long, conflicts_with = "root_task")]
        variant: Option<String>,
        /// The file that the system reads as a disk; or writes, and boots from, where its root file system is on one.
        #[arg(long, conflicts_with = "root_task")]
        disk: Option<PathBuf>,
        /// Use this terminal as the machine's, with this component or guest attached to it.
        #[arg(long, value_name = "NAME", conflicts_with = "root_task")]
        console: Option<String>,
        /// The kernel's command line.
        #[arg(long)]
        append: Option<String>,
        /// Have the kernel log every invocation, and replay the log against the abstract machine.
        #[arg(long, requires = "system", conflicts_with_all = ["append", "console"])]
        trace: bool,
        /// Which kernel.
        #[arg(long = "kernel", value_enum, default_value_t)]
        kernel: Kernel,
    },
    /// Boot the demonstration and its control.
    Demo {
        /// The file that is read as a disk; by default 64 MiB of a file of this machine.
        #[arg(long)]
        disk: Option<PathBuf>,
    },
    /// Measure the kernel and set its figures beside seL4's.
    Bench {
        /// Also show where the kernel's instructions of this row are.
        #[arg(long, value_name = "ROW")]
        profile: Option<String>,
        /// Measure what a guest costs instead: Debian's kernel on QEMU alone, with stage 2, and nested.
        #[arg(long, conflicts_with = "profile")]
        guests: bool,
    },
    /// Hold the kernel against its interface: boot the conformance task and judge its checks.
    Conformance {
        /// Which kernel; both when it is not given.
        #[arg(long = "kernel", value_enum)]
        kernel: Option<Kernel>,
    },
    /// Have confined threads make random system calls.
    Fuzz {
        /// How many.
        #[arg(long, default_value_t = fuzz::CALLS)]
        calls: u64,
        /// Seed of the first thousand, as a line of the fuzzer names it.
        #[arg(long, value_parser = clap_number)]
        seed: Option<u64>,
    },
    /// Make the boots that must stop.
    Stops,
    /// Boot systems on machines that are not their platform's.
    Machines,
    /// Overwrite stream table entries of a machine from outside and see that it is noticed.
    Tamper,
    /// Fetch the kernels that guests boot, and make an initramfs for each.
    Guest {
        /// Fetch the newest although others are there.
        #[arg(long)]
        refresh: bool,
        /// Boot each on QEMU alone and judge what it reports.
        #[arg(long = "try")]
        trial: bool,
    },
    /// Answer a guest that QEMU connects to input and output; what it sent is kept in a file.
    #[command(hide = true)]
    Peer {
        /// The file.
        kept: PathBuf,
    },
    /// Break a copy of the kernel in many small ways and show which test notices each.
    Mutants {
        /// Only the mutant of this name; can be given again.
        #[arg(long)]
        only: Vec<String>,
        /// Also boot the systems that show the effect of some of them.
        #[arg(long)]
        soak: bool,
        /// Only boot these systems.
        #[arg(long, conflicts_with = "soak")]
        systems: bool,
    },
    /// Copy a log of a system's run from input to output, with the functions of every backtrace below it.
    Symbols {
        /// The system's spec; its programs as they were built last.
        system: PathBuf,
    },
    /// Write docs/reference from kernel/abi.
    Reference,
    /// Run every test.
    Test {
        /// More cases of every property test, and the tests that are too long for every day.
        #[arg(long)]
        soak: bool,
        /// Boot no system with a guest: their kernels have to be fetched from Debian's mirror once.
        #[arg(long)]
        without_guests: bool,
        /// With --soak: no mutants, which take hours; `scripts/mutants --soak` is just those.
        #[arg(long, requires = "soak")]
        without_mutants: bool,
    },
}

fn main() -> ExitCode {
    match act(Arguments::parse().action) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(action: Action) -> Result<bool> {
    let tree = Tree::of_this_program()?;
    let toolchain = || Toolchain::find(&tree);
    match action {
        Action::Build { kernel, system } => {
            let Some(programs) = build::programs(&tree, &toolchain()?, kernel)? else { return Ok(false) };
            let Some(system) = system else { return Ok(true) };
            let image = build::image(&tree, &programs, &System::at(&system)?)?;
            if let Some(image) = &image {
                println!("{}", image.display());
            }
            Ok(image.is_some())
        }
        Action::Image { root_task, kernel } => {
            let Some(kernel) = build::kernel(&tree, &toolchain()?, kernel)? else { return Ok(false) };
            let image = build::root_task_image(&tree, &kernel, &root_task)?;
            if let Some(image) = &image {
                println!("{}", image.display());
            }
            Ok(image.is_some())
        }
        Action::Run { root_task: Some(root_task), machine, append, kernel, .. } => {
            let Some(kernel) = build::kernel(&tree, &toolchain()?, kernel)? else { return Ok(false) };
            let Some(image) = build::root_task_image(&tree, &kernel, &root_task)? else { return Ok(false) };
            run::root_task(&tree, &image, &machine, append.as_deref())
        }
        Action::Run { system, variant, disk, console, append, trace, kernel, .. } => {
            let mut system = System::at(&system.context("no system is named")?)?;
            if let Some(name) = variant {
                system = provisions::variant(&tree, &system, &name)?;
            }
            guest::prepare_for(&tree, &system)?;
            let Some(programs) = build::programs(&tree, &toolchain()?, kernel)? else { return Ok(false) };
            let Some(image) = build::image(&tree, &programs, &system)? else { return Ok(false) };
            let log = trace.then(|| trace::log(&tree, &system));
            let folder = Some(programs.components().to_owned());
            let choices = Choices {
                disk,
                append,
                kernel,
                trace: log.clone(),
                show: true,
                programs: folder,
                ..Choices::default()
            };
            let mut tally = match console {
                Some(name) => run::attended(&tree, &system, &image, &choices, &name)?,
                None => run::run(&tree, &system, &image, &choices)?,
            };
            if let Some(log) = log {
                tally.add(trace::replay(&tree, &system, &log)?);
            }
            Ok(tally.is_good())
        }
        Action::Conformance { kernel } => {
            let kernels = kernel.map_or_else(|| vec![Kernel::Debug, Kernel::Release], |kernel| vec![kernel]);
            let (toolchain, mut tally) = (toolchain()?, Tally::default());
            let Some(programs) = build::programs(&tree, &toolchain, Kernel::Debug)? else { return Ok(false) };
            for kernel in kernels {
                let Some(elf) = build::kernel(&tree, &toolchain, kernel)? else { return Ok(false) };
                tally.add(conformance::run(&tree, &programs.with_kernel(elf), kernel)?);
            }
            closing_line(tally)
        }
        Action::Fuzz { calls, seed } => {
            let Some(programs) = build::programs(&tree, &toolchain()?, Kernel::Debug)? else { return Ok(false) };
            closing_line(fuzz::run(&tree, &programs, fuzz::Choices { calls, seed, show: true })?)
        }
        Action::Peer { kept } => {
            peer::serve(&mut std::io::stdin().lock(), &mut std::io::stdout().lock(), &kept).map(|()| true)
        }
        Action::Stops => {
            let Some(programs) = build::programs(&tree, &toolchain()?, Kernel::Debug)? else { return Ok(false) };
            closing_line(stops::run(&tree, &programs)?)
        }
        Action::Machines => {
            let Some(programs) = build::programs(&tree, &toolchain()?, Kernel::Debug)? else { return Ok(false) };
            closing_line(machines::run(&tree, &programs)?)
        }
        Action::Tamper => {
            let Some(programs) = build::programs(&tree, &toolchain()?, Kernel::Debug)? else { return Ok(false) };
            closing_line(audit::tamper::run(&tree, &programs)?)
        }
        Action::Guest { refresh, trial } => {
            let payloads = guest::Payloads::prepare(&tree, refresh)?;
            if trial { closing_line(guest::try_all(&tree, &payloads)?) } else { Ok(true) }
        }
        Action::Bench { guests: true, .. } => Ok(bench::guests(&tree, &toolchain()?)?.is_good()),
        Action::Bench { profile, .. } => Ok(bench::run(&tree, &toolchain()?, profile.as_deref())?.is_good()),
        Action::Demo { disk } => closing_line(demo::demo(&tree, &toolchain()?, disk)?),
        Action::Mutants { only, soak, systems } => {
            let extent = match (soak, systems) {
                (false, false) => mutants::Extent::Tests,
                (true, _) => mutants::Extent::TestsAndSystems,
                (false, true) => mutants::Extent::Systems,
            };
            closing_line(mutants::run(&tree, &toolchain()?, &only, extent)?)
        }
        Action::Symbols { system } => {
            let folder = toolchain()?.programs(&tree, "release");
            let mut backtraces = Backtraces::of(&System::at(&system)?, &folder)?;
            for line in std::io::stdin().lines() {
                let line = line.context("the log is no text")?;
                println!("{line}");
                backtraces.explain(&line).iter().for_each(|line| println!("{line}"));
            }
            Ok(true)
        }
        Action::Reference => reference::write(&tree).map(|()| true),
        Action::Test { soak, without_guests, without_mutants } => {
            let toolchain = toolchain()?;
            suite::introduce(&toolchain);
            closing_line(suite::suite(&tree, &toolchain, Extent { soak, without_guests, without_mutants })?)
        }
    }
}

/// A number in decimal, or in hexadecimal behind `0x`.
fn clap_number(text: &str) -> Result<u64, std::num::ParseIntError> {
    text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16))
}

fn closing_line(tally: Tally) -> Result<bool> {
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally.is_good())
}
