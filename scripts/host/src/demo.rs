//! The demonstration: a confined system, the same attack on a machine without protection, and a guest with devices.

use anyhow::Result;

use crate::build::{self, Kernel};
use crate::guest;
use crate::report::Tally;
use crate::run::{self, Choices};
use crate::toolchain::Toolchain;
use crate::tree::{System, Tree};

/// The boots in order: the system, and what a reader should know beforehand.
const BOOTS: [(&str, &str); 3] = [
    (
        "confined-disk",
        "An NVMe driver reads one disk and writes another; beside it a component attacks by DMA whatever it was not given.",
    ),
    (
        "unprotected-attack",
        "The control: with the SMMU off the same device overwrites kernel memory, so here the kernel's canary check must fail.",
    ),
    (
        "linux-nested",
        "Debian's kernel, unmodified, drives two NVMe disks behind an SMMU of its own; the host compares what it read and wrote.",
    ),
];

/// Builds and boots the systems and judges each.
///
/// # Errors
/// When a step cannot be started.
pub fn demo(tree: &Tree, toolchain: &Toolchain, mut disk: Option<std::path::PathBuf>) -> Result<Tally> {
    let mut tally = Tally::default();
    let Some(programs) = build::programs(tree, toolchain, Kernel::Debug)? else { return Ok(Tally::one(false)) };
    for (name, introduction) in BOOTS {
        let system = System::at(&tree.root().join("systems").join(name).with_extension("toml"))?;
        guest::prepare_for(tree, &system)?;
        let Some(image) = build::image(tree, &programs, &system)? else { return Ok(Tally::one(false)) };
        println!("\n{introduction}\n");
        // The user's disk is the first system's: others have disks of their own.
        let choices = Choices { disk: disk.take(), show: true, ..Choices::default() };
        tally.add(run::run(tree, &system, &image, &choices)?);
    }
    println!();
    Ok(tally)
}
