//! Systems on machines that are not their platform's: other cores, other sizes of memory, no SMMU.
//!
//! The list is data (`scripts/host/machines.toml`). A boot is judged as on the platform, by the system's list of checks, or
//! must stop with one line; and the kernel must have found the machine that was asked for.

mod list;
mod quarantine;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

pub use list::{Entry, Machine, Machines};

use crate::build::{self, Programs};
use crate::expectation;
use crate::report::{self, Tally};
use crate::run::{self, Choices};
use crate::stops;
use crate::tree::{System, Tree};

/// Where the list is.
pub const LIST: &str = "scripts/host/machines.toml";

/// Where an image goes on a machine without firmware: behind the device tree, which QEMU puts at the start of RAM.
const LOAD_AT: u64 = 0x4020_0000;

/// Boots every machine of the list.
///
/// # Errors
/// When the list does not read, a file cannot be written, or a machine cannot be started.
pub fn run(tree: &Tree, programs: &Programs) -> Result<Tally> {
    let path = tree.root().join(LIST);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list = Machines::read(&text).with_context(|| format!("{LIST} is no list of machines"))?;
    let mut images: BTreeMap<&str, (System, PathBuf)> = BTreeMap::new();
    for name in list.systems() {
        let system = System::at(&tree.root().join("systems").join(name).with_extension("toml"))?;
        let Some(image) = build::image(tree, programs, &system)? else { return Ok(Tally::one(false)) };
        images.insert(name, (system, image));
    }
    let mut tally = Tally::default();
    for machine in list.machines() {
        let (system, image) = images.get(machine.entry.system.as_str()).context("a system without image")?;
        tally.add(boot(tree, system, image, &machine)?);
    }
    Ok(tally)
}

fn boot(tree: &Tree, system: &System, image: &std::path::Path, machine: &Machine<'_>) -> Result<Tally> {
    let name = machine.name();
    let log = tree.log(&name)?;
    let started = report::begin(&name);
    let platform = system.platform_name()?;
    let described = tree.platform(&platform)?;
    let blob = tree.root().join("platforms").join(&platform).join(&described.device_tree);
    let qemu = machine.qemu(&described.qemu, &blob)?;
    let bare_at = machine.entry.bare.then_some(LOAD_AT);
    let choices = Choices { qemu: Some(qemu), bare_at, ..Choices::default() };
    let booted = run::judged(tree, system, image, &choices, &log)?;
    let mut problems = match &machine.entry.says {
        Some(says) => stops::problems(&booted.transcript, says, !machine.entry.bare),
        None if machine.entry.past_smmu.is_empty() => booted.problems,
        None => quarantine::problems(&expectation::read_file(&system.checks())?, machine.entry, &booted.transcript),
    };
    problems.extend(machine.problems(&booted.transcript.lines)?);
    report::end(&name, "", problems.is_empty(), started);
    if !problems.is_empty() {
        report::show_log(&log);
        problems.iter().for_each(|problem| println!("      {problem}"));
    }
    Ok(Tally::one(problems.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for: two cores, 512 MiB to 8 GiB, one memory node and two, with an SMMU and without.
    #[test]
    fn the_list_covers_what_it_is_for() {
        let tree = Tree::of_this_program().unwrap();
        let list = Machines::read(&std::fs::read_to_string(tree.root().join(LIST)).unwrap()).unwrap();
        for cpu in ["cortex-a72", "neoverse-n1"] {
            for memory in ["512M", "1G", "4G", "8G"] {
                for smmu in [true, false] {
                    let boots = |entry: &&Entry| {
                        let is_there = |list: &[String], word: &str| list.iter().any(|known| known == word);
                        let machine =
                            is_there(&entry.cpu, cpu) && is_there(&entry.memory, memory) && entry.smmu == smmu;
                        machine && entry.says.is_none()
                    };
                    assert!(list.entries.iter().any(|entry| boots(&entry)), "{cpu} {memory} {smmu}");
                }
            }
            let on_two_nodes = |entry: &Entry| entry.first_node.is_some() && entry.cpu.iter().any(|known| known == cpu);
            assert!(list.entries.iter().any(|entry| on_two_nodes(entry) && entry.smmu), "{cpu}");
            assert!(list.entries.iter().any(|entry| on_two_nodes(entry) && !entry.smmu), "{cpu}");
        }
    }
}
