//! From the text of a spec to a system and its files: all checks, in the order in which they can be made.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_spec::System;

use crate::derive::{self, Together};
use crate::diagnostic::{At, Problem, Problems};
use crate::guest;
use crate::image::{Elf, File};
use crate::platform::{self, Platform};
use crate::reach;
use crate::spec::{self, Spec};
use crate::suggest;

/// A checked system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The spec.
    pub spec: Spec,
    /// The system; its blobs have names, and no positions yet.
    pub system: System,
    /// Devices of it that reach each other without an SMMU in between.
    pub groups: Vec<Together>,
    /// The component ELFs, stripped, and behind them the other files, in the order the system refers to them; empty when
    /// there was no folder to look for components in.
    pub files: Vec<File>,
}

/// Where files are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Folder with the component ELFs; without it they are not looked at.
    pub components: Option<&'a Path>,
    /// Folders for the files of guests, in this order.
    pub files: &'a [PathBuf],
}

/// Checks the spec in `text` against its platform, one of the folders in `platforms`, and against the files it names.
///
/// # Errors
/// Every problem of the first stage that finds some: reading the spec, finding the platform, deriving the system, the
/// policy and the files.
pub fn check(text: &str, platforms: &Path, sources: Sources<'_>) -> Result<Checked, Problems> {
    let mut spec = spec::parse(text)?;
    let platform = platform(&spec.platform, platforms)?;
    let payloads = guest::expand(&mut spec, sources.files)?;
    let system = derive::derive(&spec, &platform)?;
    let groups = derive::groups(&spec, &platform, &system);
    let mut problems = reach::check(&spec, &system, &groups);
    let files = match sources.components {
        Some(folder) => read_images(&spec, folder, &mut problems).into_iter().chain(payloads).collect(),
        None => Vec::new(),
    };
    if problems.is_empty() { Ok(Checked { spec, system, groups, files }) } else { Err(problems) }
}

fn platform(name: &At<String>, platforms: &Path) -> Result<Platform, Problems> {
    platform::load_named(platforms, &name.value).map_err(|error| {
        let known = platform::known(platforms);
        let mut problems = Problems::default();
        problems.push(Problem::new(error.to_string()).at(name.span, "this platform").help_if(
            error.is_missing().then(|| suggest::help(&name.value, known.iter().map(String::as_str))).flatten(),
        ));
        problems
    })
}

fn read_images(spec: &Spec, folder: &Path, problems: &mut Problems) -> Vec<File> {
    let mut files = Vec::new();
    for image in derive::images(spec) {
        files.extend(problems.keep(read_image(image, folder)));
    }
    files
}

fn read_image(image: &At<String>, folder: &Path) -> Result<File, Problem> {
    let bytes = fs::read(folder.join(&image.value)).map_err(|error| {
        let known = file_names(folder);
        Problem::new(format!("component image `{}` cannot be read", image.value))
            .at(image.span, error.kind().to_string())
            .help_if(
                suggest::nearest(&image.value, known.iter().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?")),
            )
    })?;
    let elf = Elf::parse(&bytes).map_err(|error| {
        Problem::new(format!("`{}` is no component image", image.value)).at(image.span, error.to_string())
    })?;
    Ok(File { name: image.value.clone(), bytes: elf.stripped() })
}

/// Names of the files in `folder`, sorted, so that a suggestion does not depend on the file system.
fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}
