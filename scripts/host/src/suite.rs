//! Every test there is, one line a step.

use std::process::Command;

use anyhow::Result;

use crate::audit::tamper;
use crate::build::{self, Kernel, Workspace};
use crate::conformance;
use crate::fuzz;
use crate::guest::{self, Payloads};
use crate::host_tests;
use crate::machines;
use crate::mutants;
use crate::provisions;
use crate::report::{self, Tally, step};
use crate::run::{self, Choices};
use crate::stops;
use crate::toolchain::{TARGET, Toolchain, host_cargo};
use crate::trace;
use crate::tree::{System, Tree};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Also what is too long for every day.
    pub soak: bool,
    /// No systems with guests: their kernels come from the network.
    pub without_guests: bool,
    /// No mutants, which take most of a soak's time.
    pub without_mutants: bool,
}

impl Extent {
    /// Whether the tests are tested too: in a soak that does not leave it out.
    const fn mutants(self) -> bool {
        self.soak && !self.without_mutants
    }
}

/// Runs everything and counts: a step, a test or a check of a booted system is one each.
///
/// # Errors
/// When a step cannot be started.
pub fn suite(tree: &Tree, toolchain: &Toolchain, extent: Extent) -> Result<Tally> {
    let Extent { soak, .. } = extent;
    let mut tally = Tally::default();
    let mut format = host_cargo(tree, "fmt");
    format.args(["--all", "--check"]);
    tally.add(Tally::one(step(tree, "format", format)?.good));
    let mut lints = host_cargo(tree, "clippy");
    lints.args(["--quiet", "--all-targets", "--", "-D", "warnings"]);
    tally.add(Tally::one(step(tree, "lints for the host", lints)?.good));
    tally.add(lints_for_the_target(tree, toolchain)?);
    tally.add(host_tests::run(tree, soak)?);
    if extent.mutants() {
        tally.add(mutants::run(tree, toolchain, &[], mutants::Extent::TestsAndSystems)?);
    }
    let programs = build::programs(tree, toolchain, Kernel::Debug)?;
    tally.add(Tally::one(programs.is_some()));
    let Some(programs) = programs else { return Ok(tally) };
    for system in systems(tree, extent, &mut tally)? {
        let Some(image) = build::image(tree, &programs, &system)? else {
            tally.add(Tally::one(false));
            continue;
        };
        let trace = trace::is_wanted(&system).then(|| trace::log(tree, &system));
        tally.add(run::run(tree, &system, &image, &Choices { trace: trace.clone(), ..Choices::default() })?);
        if let Some(log) = trace {
            tally.add(trace::replay(tree, &system, &log)?);
        }
        if let (true, Some(append)) = (soak, system.soak()?) {
            let choices = Choices { append: Some(append), soak, ..Choices::default() };
            tally.add(run::run(tree, &system, &image, &choices)?);
        }
    }
    tally.add(tamper::run(tree, &programs)?);
    tally.add(stops::run(tree, &programs)?);
    tally.add(machines::run(tree, &programs)?);
    let calls = if soak { fuzz::SOAK_CALLS } else { fuzz::CALLS };
    tally.add(fuzz::run(tree, &programs, fuzz::Choices { calls, seed: None, show: false })?);
    tally.add(conformance::run(tree, &programs, Kernel::Debug)?);
    match build::kernel(tree, toolchain, Kernel::Release)? {
        Some(kernel) => tally.add(conformance::run(tree, &programs.with_kernel(kernel), Kernel::Release)?),
        None => tally.add(Tally::one(false)),
    }
    Ok(tally)
}

/// The systems to boot. Without their kernels those with guests fail at once: as one failure, which says what is missing.
fn systems(tree: &Tree, extent: Extent, tally: &mut Tally) -> Result<Vec<System>> {
    const NAME: &str = "kernels for guests";
    let mut systems = provisions::booted(tree, extent.soak)?;
    let mut can_boot = false;
    if extent.without_guests {
        report::left_out(NAME, "--without-guests: no system whose guest boots Linux is booted");
    } else {
        let started = report::begin(NAME);
        let payloads = Payloads::prepare(tree, false);
        can_boot = payloads.is_ok();
        tally.add(Tally::one(can_boot));
        match payloads {
            Ok(payloads) => {
                report::end(NAME, "each as in its package", true, started);
                for line in payloads.manifest().origins() {
                    println!("      {line}");
                }
            }
            Err(error) => {
                report::end(NAME, "no system with a guest can be booted", false, started);
                println!("      {error:#}");
                println!("      Debian's mirror has to be reachable once; --without-guests runs the rest");
            }
        }
    }
    if !can_boot {
        let mut without = Vec::new();
        for system in systems {
            if !guest::boots_ours(&system)? {
                without.push(system);
            }
        }
        systems = without;
    }
    Ok(systems)
}

/// The host's clippy checks against the host's own standard library for the target.
fn lints_for_the_target(tree: &Tree, toolchain: &Toolchain) -> Result<Tally> {
    const NAME: &str = "lints for the target";
    if *toolchain != Toolchain::Host {
        report::left_out(NAME, &format!("the host's Rust lacks {TARGET}"));
        return Ok(Tally::default());
    }
    let workspace = Workspace::of(tree)?;
    let mut lints = toolchain.cargo(tree, "clippy");
    lints.arg("--quiet");
    for package in workspace.target_programs() {
        lints.args(["-p", &package.name]);
    }
    lints.args(["--", "-D", "warnings"]);
    Ok(Tally::one(step(tree, NAME, lints)?.good))
}

/// Prints the toolchain, for the reader of a log.
pub fn introduce(toolchain: &Toolchain) {
    let rustc = Command::new("rustc").arg("--version").output();
    let version = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!("      {version}; for the target: {toolchain}");
}
