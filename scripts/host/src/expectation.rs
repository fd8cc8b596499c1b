//! The checks a system must print: `systems/NAME.checks`.
//!
//! One check a line, `COMPONENT CHECK` or `COMPONENT CHECK fails`; `#` begins a comment. A check that must fail is a positive
//! control: a system without protection in which the attack does go through. Lines with a number in them are for [`crate::tally`].

use anyhow::{Context, Result, bail, ensure};

use crate::tally;
use crate::transcript::{Outcome, is_check_name};

/// One check a system must print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// The component that prints it.
    pub component: String,
    /// The check.
    pub name: String,
    /// The outcome it must have.
    pub outcome: Outcome,
}

/// The checks in the text of a `.checks` file.
///
/// # Errors
/// When a line is not of the form above, a check is listed twice, or there is none at all.
pub fn read(text: &str) -> Result<Vec<Expected>> {
    let mut expected: Vec<Expected> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default();
        if tally::read(content).with_context(|| format!("line {}", number + 1))?.is_some() {
            continue;
        }
        let words: Vec<&str> = content.split_whitespace().collect();
        let (component, name, outcome) = match words.as_slice() {
            [] => continue,
            [component, name] => (*component, *name, Outcome::Pass),
            [component, name, "fails"] => (*component, *name, Outcome::Fail),
            _ => bail!("line {}: expected `COMPONENT CHECK` or `COMPONENT CHECK fails`, found `{line}`", number + 1),
        };
        ensure!(is_check_name(name), "line {}: `{name}` cannot be the name of a check", number + 1);
        let known = expected.iter().any(|known| known.component == component && known.name == name);
        ensure!(!known, "line {}: {component} {name} is listed twice", number + 1);
        expected.push(Expected { component: component.to_owned(), name: name.to_owned(), outcome });
    }
    ensure!(!expected.is_empty(), "no check is listed");
    Ok(expected)
}

/// The checks in the file `path`.
///
/// # Errors
/// As [`read`], or when the file cannot be read.
pub fn read_file(path: &std::path::Path) -> Result<Vec<Expected>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&text).with_context(|| format!("{} is no list of checks", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_outcomes_are_understood() {
        let expected = read("# all\n\nedu  dma-to-device  # allowed\nkernel kernel-canary-intact fails\n").unwrap();
        let shown: Vec<_> =
            expected.iter().map(|check| (check.component.as_str(), check.name.as_str(), check.outcome)).collect();
        assert_eq!(shown, [("edu", "dma-to-device", Outcome::Pass), ("kernel", "kernel-canary-intact", Outcome::Fail)]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, message) in [
            ("edu", "line 1: expected"),
            ("edu a\nedu a b c", "line 2: expected"),
            ("edu a passes", "line 1: expected"),
            ("edu A", "line 1: `A` cannot"),
            ("edu a\nedu b\nedu a fails", "line 3: edu a is listed twice"),
            ("# nothing\n", "no check"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}
