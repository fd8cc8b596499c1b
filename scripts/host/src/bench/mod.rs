//! Measures the kernel: instructions of its common operations beside seL4's, sizes, boot, and its longest stretch without
//! a look for interrupts. `docs/benchmarks.md` says what is measured and how.

mod guests;
mod meter;
mod result;
mod rows;
mod sizes;
mod table;

use std::path::Path;

use anyhow::{Context, Result};

use crate::boot::{self, Limits};
use crate::build::{self, Kernel, RootTask};
use crate::qemu;
use crate::report::{self, Tally, step};
use crate::symbols::Symbols;
use crate::toolchain::{Toolchain, host_cargo};
use crate::tree::Tree;
use crate::verdict::End;

use result::Report;

pub use guests::run as guests;

const PLATFORM: &str = "qemu-virt";
/// A device that faults within the store that tells it to (`bench/src/device.rs`).
const DEVICE: &str = "qemu-xhci,addr=1";

/// Builds, measures and prints the table; the report is in `build/bench.json` too.
///
/// # Errors
/// When there is no row called `profile`, a step cannot be started, or its result does not read.
pub fn run(tree: &Tree, toolchain: &Toolchain, profile: Option<&str>) -> Result<Tally> {
    let profile = profile.map(rows::named).transpose()?;
    let Some(programs) = build::programs(tree, toolchain, Kernel::Bench)? else { return Ok(Tally::one(false)) };
    let program = RootTask { elf: programs.program("bench"), cnode_bits: None, image: None };
    let Some(image) = build::root_task_image(tree, programs.kernel(), &program)? else { return Ok(Tally::one(false)) };
    let mut plugin = host_cargo(tree, "build");
    plugin.args(["--quiet", "--release", "-p", "sluice-meter"]);
    if !step(tree, "build meter", plugin)?.good {
        return Ok(Tally::one(false));
    }
    let machine = Machine { tree, image: &image };
    // Once without the meter: the figures must not depend on it.
    let alone = machine.run("measure", None)?;
    let metered = machine.run("measure with meter", Some(&meter::Plugin::of(tree)))?;
    let (Some(alone), Some(metered)) = (alone, metered) else { return Ok(Tally::one(false)) };
    let elf = std::fs::read(programs.kernel()).context("the kernel is gone")?;
    let counts = meter::Counts::read(&std::fs::read_to_string(tree.build().join(meter::OUTPUT))?)?;
    let report = Report::new(&rows::measured(&alone)?, &counts, &sizes::text_by_crate(&elf)?, &Symbols::of(&elf)?);
    print!("{}", table::render(&report));
    if let Some(row) = profile {
        print!("{}", table::profile(row, &rows::measured(&metered)?, &counts, &Symbols::of(&elf)?)?);
    }
    let path = tree.build().join("bench.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("      {}", path.display());
    let same = rows::medians(&alone)? == rows::medians(&metered)?;
    if !same {
        println!("      medians differ with the meter");
    }
    report.excesses().for_each(|row| println!("      {} takes more than {:?} commands and syncs", row.title, row.most));
    Ok(Tally::one(same && report.is_complete() && report.excesses().next().is_none()))
}

struct Machine<'a> {
    tree: &'a Tree,
    image: &'a Path,
}

impl Machine<'_> {
    /// What the program printed; nothing when it did not come to its end, which has been shown.
    fn run(&self, name: &str, plugin: Option<&meter::Plugin>) -> Result<Option<String>> {
        let platform = self.tree.platform(PLATFORM)?;
        let output = self.tree.build().join("bench.out");
        let path = output.to_str().context("the build folder's name is no text")?.replace(',', ",,");
        let mut command = qemu::command(&platform.qemu, self.image, &["-device".to_owned(), DEVICE.to_owned()], None);
        command.args(["-icount", "shift=0"]);
        command.args(["-chardev", &format!("file,id=out,path={path}")]);
        command.args(["-semihosting-config", "enable=on,target=native,userspace=on,chardev=out"]);
        if let Some(plugin) = plugin {
            command.args(["-plugin", &plugin.argument()?]);
        }
        let started = report::begin(name);
        let transcript = boot::run(command, Limits::CHECKED, &mut |_| {})?;
        let printed = std::fs::read_to_string(&output).unwrap_or_default();
        let good = transcript.end == End::PoweredOff && printed.lines().last() == Some(rows::END);
        report::end(name, "", good, started);
        if !good {
            println!("      {:?}", transcript.end);
            printed
                .lines()
                .chain(transcript.lines.iter().map(String::as_str))
                .for_each(|line| println!("      | {line}"));
        }
        Ok(good.then_some(printed))
    }
}
