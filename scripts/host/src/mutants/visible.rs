//! Boots a system on a broken kernel, or with a broken root task or machine monitor: with the devices of an emulator that somebody
//! else wrote, its own checks must notice.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::list::{MONITOR, ROOT_TASK};
use super::{Copy, Mutant};
use crate::build::{self, Kernel, Programs};
use crate::guest;
use crate::report::{self, Tally};
use crate::run;
use crate::toolchain::Toolchain;
use crate::tree::{System, Tree};

/// What is needed for a boot.
struct Stage<'a> {
    tree: &'a Tree,
    toolchain: &'a Toolchain,
    copy: &'a Copy,
    /// Of the tree as it is.
    programs: Programs,
}

/// What became of a mutant.
enum Verdict {
    /// The first thing that was wrong.
    Seen(String),
    NotSeen,
    /// What was wrong is something else than the mutant is to be seen as.
    Otherwise(Vec<String>),
    Unusable(String),
}

/// Boots, for each mutant that names systems, each of them; and each system on the kernel as it is first.
pub(super) fn run(tree: &Tree, toolchain: &Toolchain, copy: &Copy, mutants: &[Mutant]) -> Result<Tally> {
    let mut systems: BTreeMap<&str, System> = BTreeMap::new();
    for name in mutants.iter().flat_map(|mutant| &mutant.visible_in) {
        systems.insert(name, System::at(&tree.root().join(name))?);
    }
    let mut tally = Tally::default();
    if systems.is_empty() {
        return Ok(tally);
    }
    let Some(programs) = build::programs(tree, toolchain, Kernel::Debug)? else { return Ok(Tally::one(false)) };
    for system in systems.values() {
        guest::prepare_for(tree, system)?;
        let Some(image) = build::image(tree, &programs, system)? else { return Ok(Tally::one(false)) };
        tally.add(run::run(tree, system, &image, &run::Choices::default())?);
    }
    if !tally.is_good() {
        return Ok(tally);
    }
    let stage = Stage { tree, toolchain, copy, programs };
    for mutant in mutants {
        for system in mutant.visible_in.iter().filter_map(|name| systems.get(name.as_str())) {
            tally.add(Tally::one(stage.attempt(mutant, system)?));
        }
    }
    Ok(tally)
}

impl Stage<'_> {
    fn attempt(&self, mutant: &Mutant, system: &System) -> Result<bool> {
        let name = format!("{} in {}", mutant.name, system.name);
        let started = report::begin(&name);
        let verdict = match self.copy.broken(mutant, || self.boot(&name, mutant, system))? {
            Ok(verdict) => verdict,
            Err(reason) => Verdict::Unusable(reason.to_string()),
        };
        let (good, said) = match verdict {
            Verdict::Seen(problem) => (true, problem),
            Verdict::NotSeen => (false, "passes all checks".to_owned()),
            Verdict::Otherwise(problems) => {
                (false, format!("is not seen as `{}`: {}", mutant.seen_as, problems.join("; ")))
            }
            Verdict::Unusable(reason) => (false, reason),
        };
        report::end(&name, &said, good, started);
        Ok(good)
    }

    /// Builds what is broken of the copy, puts it in the place of the tree's, and boots.
    fn boot(&self, name: &str, mutant: &Mutant, system: &System) -> Result<Verdict> {
        let log = self.tree.log(&format!("mutant {name}"))?;
        let copied = self.copy.tree();
        let program = [MONITOR, ROOT_TASK].into_iter().find(|folder| mutant.file.starts_with(folder));
        let (command, built) = match program {
            Some(folder) => build::component_command(&copied, self.toolchain, folder)?,
            None => build::kernel_command(&copied, self.toolchain, Kernel::Debug)?,
        };
        if !succeeds(command, &log)? {
            return Ok(Verdict::Unusable(format!("does not compile: {}", log.display())));
        }
        let programs = match program {
            Some(ROOT_TASK) => self.programs.with_root_task(built),
            Some(_) => self.programs.with_component(&built, &self.tree.build().join("mutant-programs"))?,
            None => self.programs.with_kernel(built),
        };
        let image: PathBuf = self.tree.build().join("mutant.img");
        if !succeeds(build::generator(self.tree, &programs, system, &image), &log)? {
            return Ok(Verdict::Unusable(format!("no image: {}", log.display())));
        }
        let problems = run::problems(self.tree, system, &image, &log)?;
        if problems.is_empty() {
            return Ok(Verdict::NotSeen);
        }
        let mut lines = problems.iter().flat_map(|problem| problem.lines());
        let seen = lines.find(|line| line.contains(&mutant.seen_as)).map(|line| line.trim().to_owned());
        Ok(seen.map_or(Verdict::Otherwise(problems), Verdict::Seen))
    }
}

fn succeeds(mut command: Command, log: &Path) -> Result<bool> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    Ok(command.status().with_context(|| format!("cannot start {program}"))?.success())
}
