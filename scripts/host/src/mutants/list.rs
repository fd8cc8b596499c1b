//! The list: `tests/mutants/*.toml`, one file a crate that is broken.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::tree::Tree;

/// Where the crates are that are built again before a system is booted: the kernel's, those of guests' machine monitors, and
/// the root task's.
const KERNEL: &str = "kernel/";
pub(super) const MONITOR: &str = "vmm/";
pub(super) const ROOT_TASK: &str = "root-task/";

/// One replacement in one file, and what notices it: a test, systems, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mutant {
    /// Name, of letters, digits and `-`.
    pub name: String,
    /// What is wrong then, in a line.
    pub why: String,
    /// The file, from the root.
    pub file: String,
    /// Text that is in the file exactly once.
    pub search: String,
    /// What is put there.
    pub replace: String,
    /// The test.
    pub killer: Option<Killer>,
    /// Systems, from the root, whose checks fail with what is broken in QEMU, each of them.
    pub visible_in: Vec<String>,
    /// What is in a line that says so; anything will do when it is empty.
    pub seen_as: String,
}

/// A test by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Killer {
    /// The package it is in.
    pub package: String,
    /// The program it is in.
    pub program: Program,
    /// Its name there, with its modules.
    pub test: String,
}

/// A program of tests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Program {
    /// The unit tests of the library.
    Library,
    /// `tests/NAME.rs` or `tests/NAME/main.rs`.
    Test(String),
}

/// A file of the list. `killed_by` is a program (`lib`, or one of `tests/`) and a test's path in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    package: String,
    mutant: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    why: String,
    file: String,
    search: String,
    replace: String,
    killed_by: Option<String>,
    package: Option<String>,
    #[serde(default)]
    visible_in: Systems,
    #[serde(default)]
    seen_as: String,
}

/// One system or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Systems {
    One(String),
    Several(Vec<String>),
}

impl Default for Systems {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// The whole list, in order of the files' names.
///
/// # Errors
/// When a file does not read, or two mutants have one name.
pub fn read(tree: &Tree) -> Result<Vec<Mutant>> {
    let folder = tree.root().join("tests/mutants");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut mutants = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        mutants.extend(parse(&text).with_context(|| format!("in {}", path.display()))?);
    }
    let mut names = BTreeSet::new();
    for mutant in &mutants {
        ensure!(names.insert(mutant.name.as_str()), "two mutants are called `{}`", mutant.name);
    }
    Ok(mutants)
}

fn parse(text: &str) -> Result<Vec<Mutant>> {
    let sheet: Sheet = toml::from_str(text)?;
    let mutant = |entry: Entry| {
        let Entry { name, why, file, search, replace, killed_by, package, visible_in, seen_as } = entry;
        let killer = |path: String| -> Result<Killer> {
            let package = package.unwrap_or_else(|| sheet.package.clone());
            let (program, test) = path.split_once("::").with_context(|| format!("{name}: no test"))?;
            let program = if program == "lib" { Program::Library } else { Program::Test(program.to_owned()) };
            Ok(Killer { package, program, test: test.to_owned() })
        };
        let killer = killed_by.map(killer).transpose()?;
        let visible_in = match visible_in {
            Systems::One(system) => vec![system],
            Systems::Several(systems) => systems,
        };
        ensure!(
            visible_in.is_empty() || [KERNEL, MONITOR, ROOT_TASK].iter().any(|folder| file.starts_with(folder)),
            "{name}: only the kernel, the root task and monitors are built again before a system is booted"
        );
        ensure!(killer.is_some() || !visible_in.is_empty(), "{name}: nothing is to notice it");
        ensure!(seen_as.is_empty() || !visible_in.is_empty(), "{name}: it is to be seen in no system");
        Ok(Mutant { name, why, file, search, replace, killer, visible_in, seen_as })
    };
    sheet.mutant.into_iter().map(mutant).collect()
}

impl Mutant {
    /// The file's text with the replacement made.
    ///
    /// # Errors
    /// When that would change nothing, or it is not clear what.
    pub fn apply(&self, text: &str) -> Result<String> {
        ensure!(self.search != self.replace, "the replacement changes nothing");
        match text.matches(&self.search).count() {
            1 => Ok(text.replacen(&self.search, &self.replace, 1)),
            found => bail!("the text to replace is in {} {found} times", self.file),
        }
    }
}

impl Killer {
    /// Whether the package in `folder` has the test, by its source.
    #[must_use]
    pub fn exists(&self, folder: &Path) -> bool {
        let (start, mut modules_in) = match &self.program {
            Program::Library => (folder.join("src/lib.rs"), folder.join("src")),
            Program::Test(name) => {
                let tests = folder.join("tests");
                let single = tests.join(format!("{name}.rs"));
                if single.is_file() { (single, tests) } else { (tests.join(name).join("main.rs"), tests.join(name)) }
            }
        };
        let mut path: Vec<&str> = self.test.split("::").collect();
        let Some(function) = path.pop() else { return false };
        let mut file = start;
        for module in path {
            let (beside, inside) = (modules_in.join(format!("{module}.rs")), modules_in.join(module).join("mod.rs"));
            if let Some(next) = [beside, inside].into_iter().find(|next| next.is_file()) {
                file = next;
                modules_in = modules_in.join(module);
            } else if !contains(&file, &format!("mod {module} {{")) {
                return false;
            }
        }
        has_test(&std::fs::read_to_string(&file).unwrap_or_default(), function)
    }
}

fn contains(file: &Path, text: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|source| source.contains(text))
}

/// Whether `function` follows a `#[test]`.
fn has_test(source: &str, function: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&format!("fn {function}(")))
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library => f.write_str("lib"),
            Self::Test(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}::{}", self.package, self.program, self.test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHEET: &str = r#"
        package = "p"
        [[mutant]]
        name = "a"
        why = "w"
        file = "f.rs"
        search = "x + 1"
        replace = "x"
        killed_by = "driver::events::t"
        [[mutant]]
        name = "b"
        why = "w"
        file = "f.rs"
        search = "y"
        replace = "y"
        package = "q"
        killed_by = "lib::m::tests::t"
    "#;

    #[test]
    fn a_sheet_names_tests_by_program_and_path() {
        let [a, b]: [Mutant; 2] = parse(SHEET).unwrap().try_into().unwrap();
        let killer = Killer { package: "p".into(), program: Program::Test("driver".into()), test: "events::t".into() };
        assert_eq!(a.killer, Some(killer));
        assert_eq!(b.killer.unwrap().to_string(), "q lib::m::tests::t");
        assert!(parse("package = \"p\"\n[[mutant]]\nname = \"a\"").is_err());
        assert!(parse(&SHEET.replace("driver::events::t", "driver")).is_err());
        let seen = |file: &str| SHEET.replace("\"f.rs\"", &format!("\"{file}\"\nvisible_in = \"systems/s.toml\""));
        assert_eq!(parse(&seen("kernel/f.rs")).unwrap()[1].visible_in, ["systems/s.toml"]);
        assert_eq!(parse(&seen("vmm/f.rs")).unwrap()[0].visible_in, ["systems/s.toml"]);
        assert_eq!(parse(&seen("root-task/f.rs")).unwrap()[0].visible_in, ["systems/s.toml"]);
        assert!(parse(&seen("components/f.rs")).is_err(), "the system would run without the change");
        let unkilled = SHEET.replace("killed_by = \"driver::events::t\"", "seen_as = \"a check\"");
        assert!(parse(&unkilled).is_err(), "nobody looks");
        let [a, _]: [Mutant; 2] =
            parse(&unkilled.replacen("\"f.rs\"", "\"vmm/f.rs\"\nvisible_in = \"s\"", 1)).unwrap().try_into().unwrap();
        assert_eq!((a.killer, a.seen_as.as_str()), (None, "a check"));
    }

    #[test]
    fn only_a_text_found_once_is_replaced() {
        let [a, b]: [Mutant; 2] = parse(SHEET).unwrap().try_into().unwrap();
        assert_eq!(a.apply("let y = x + 1;").unwrap(), "let y = x;");
        assert!(a.apply("x + 1; x + 1").unwrap_err().to_string().contains("2 times"));
        assert!(a.apply("x +  1").unwrap_err().to_string().contains("0 times"));
        assert!(b.apply("y").is_err());
    }

    #[test]
    fn a_test_needs_its_attribute() {
        assert!(has_test("  #[test]\n  fn a() {}", "a"));
        assert!(!has_test("fn a() {}", "a"));
        assert!(!has_test("#[test]\nfn ab() {}", "a"));
    }
}
