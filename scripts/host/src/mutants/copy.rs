//! The copy of the tree that mutants are applied to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Mutant;
use crate::tree::Tree;

/// What the copy makes of itself; nothing of it is in the list of files.
const BUILD: &str = "build";

/// A copy of everything git would commit, in `build/mutants`. What cargo makes of it stays there from one mutant to the
/// next, so only what a mutant touches is built again.
pub struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// Makes the copy equal to the tree, files not committed yet included.
    ///
    /// # Errors
    /// When git does not list the files, or one cannot be copied.
    pub fn make(tree: &Tree) -> Result<Self> {
        let copy = Self { folder: tree.build().join("mutants") };
        let wanted: BTreeSet<PathBuf> =
            files_of(tree)?.into_iter().filter(|path| tree.root().join(path).is_file()).collect();
        for path in &wanted {
            copy.refresh(tree, path)?;
        }
        let mut found = Vec::new();
        collect(&copy.sources(), &mut found)?;
        for path in found {
            let relative = path.strip_prefix(copy.sources()).expect("a file of the copy");
            if !wanted.contains(relative) && !relative.starts_with(BUILD) && relative != Path::new("Cargo.lock") {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(copy)
    }

    /// The copy as a tree of its own.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::at(self.sources())
    }

    /// Does `work` while the copy is broken by `mutant`; the inner error says why it cannot be.
    ///
    /// # Errors
    /// When a file cannot be read or written, or those of `work`.
    pub fn broken<T>(&self, mutant: &Mutant, work: impl FnOnce() -> Result<T>) -> Result<Result<T>> {
        let original = self.text(&mutant.file)?;
        let broken = match mutant.apply(&original) {
            Ok(broken) => broken,
            Err(reason) => return Ok(Err(reason)),
        };
        self.write(&mutant.file, &broken)?;
        let done = work();
        self.write(&mutant.file, &original)?;
        Ok(Ok(done?))
    }

    /// The root folder of the copied tree.
    #[must_use]
    pub fn sources(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Where cargo puts what it makes of the copy.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, file: &str) -> Result<String> {
        let path = self.sources().join(file);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Replaces the text of a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.sources().join(file);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Files that are the same stay untouched: cargo goes by the time of the last change.
    fn refresh(&self, tree: &Tree, path: &Path) -> Result<()> {
        let (from, to) = (tree.root().join(path), self.sources().join(path));
        let bytes = std::fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if std::fs::read(&to).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }
}

fn files_of(tree: &Tree) -> Result<Vec<PathBuf>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(tree.root()).args(list).output().context("cannot start git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8(output.stdout).context("a file's name is no text")?;
    Ok(text.split_terminator('\0').map(PathBuf::from).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
