//! Functions by address, and what they make of a backtrace that the root task prints.
//!
//! The root task knows addresses alone: names are in the ELF files, which only the host keeps.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use crate::tree::System;

/// The functions of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbols {
    /// Their names by the address they start at.
    pub(crate) starts: BTreeMap<u64, String>,
    text: Range<u64>,
}

impl Symbols {
    /// The symbols of the code of an ELF file.
    ///
    /// # Errors
    /// When it is none, or has no code.
    pub fn of(elf: &[u8]) -> Result<Self> {
        let file = object::File::parse(elf).context("this is no ELF file")?;
        let section = file.section_by_name(".text").context("there is no .text")?;
        let text = section.address()..section.address().saturating_add(section.size());
        let mut starts = BTreeMap::new();
        for symbol in file.symbols().filter(|symbol| text.contains(&symbol.address())) {
            let name = symbol.name().unwrap_or_default();
            // Mapping symbols ($x, $d) and local labels say where data is, not whose it is.
            if matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown | SymbolKind::Label)
                && !name.is_empty()
                && !name.starts_with(['$', '.'])
            {
                starts.insert(symbol.address(), format!("{:#}", rustc_demangle::demangle(name)));
            }
        }
        Ok(Self { starts, text })
    }

    /// The function that `address` is in, or the last before it.
    #[must_use]
    pub fn name(&self, address: u64) -> &str {
        self.starts.range(..=address).next_back().map_or("?", |(_, name)| name)
    }

    /// What is at an address of a backtrace: function and offset. A return address belongs to the call before it, which may
    /// be the last instruction of its function.
    fn place(&self, address: u64, is_return: bool) -> String {
        let inside = if is_return { address.saturating_sub(4) } else { address };
        let found = self.text.contains(&inside).then(|| self.starts.range(..=inside).next_back()).flatten();
        found.map_or_else(
            || "in no code of this program".to_owned(),
            |(start, name)| format!("{name}+{:#x}", address - start),
        )
    }
}

/// The programs of a system's components.
#[derive(Debug, Default)]
pub struct Backtraces {
    /// File by component.
    files: BTreeMap<String, PathBuf>,
    /// Those that were needed; nothing of what does not read.
    read: BTreeMap<PathBuf, Option<Symbols>>,
}

impl Backtraces {
    /// For `system`, whose programs are in `folder`.
    ///
    /// # Errors
    /// When the spec does not read.
    pub fn of(system: &System, folder: &Path) -> Result<Self> {
        let files = system.images()?.into_iter().map(|(name, image)| (name, folder.join(image))).collect();
        Ok(Self { files, read: BTreeMap::new() })
    }

    /// What follows a line of the machine: one line for each address when it is a backtrace of the root task, else none.
    pub fn explain(&mut self, line: &str) -> Vec<String> {
        let Some((component, addresses)) = backtrace(line) else { return Vec::new() };
        let Some(file) = self.files.get(component) else { return Vec::new() };
        let read = || std::fs::read(file).ok().and_then(|elf| Symbols::of(&elf).ok());
        let Some(symbols) = self.read.entry(file.clone()).or_insert_with(read) else { return Vec::new() };
        let numbered = addresses.iter().enumerate();
        numbered
            .map(|(number, address)| format!("host    |   {address:#x} {}", symbols.place(*address, number > 0)))
            .collect()
    }
}

/// Component and addresses of `root    | NAME backtrace 0x… 0x…`.
fn backtrace(line: &str) -> Option<(&str, Vec<u64>)> {
    let mut words = line.trim_end_matches('\r').strip_prefix("root    | ")?.split(' ');
    let component = words.next()?;
    (words.next()? == "backtrace").then_some(())?;
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    Some((component, words.map(number).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Symbols {
        let starts = [(0x1000, "first".to_owned()), (0x1040, "second".to_owned())].into();
        Symbols { starts, text: 0x1000..0x1080 }
    }

    #[test]
    fn return_addresses_belong_to_the_call_before_them() {
        let symbols = symbols();
        assert_eq!(symbols.place(0x1040, false), "second+0x0");
        assert_eq!(symbols.place(0x1040, true), "first+0x40");
        assert_eq!(symbols.place(0x1080, true), "second+0x40");
        for (address, is_return) in [(0x1080, false), (0xfff, false), (0, true), (u64::MAX, false), (0x1000, true)] {
            assert_eq!(symbols.place(address, is_return), "in no code of this program", "{address:#x}");
        }
    }

    #[test]
    fn only_the_root_tasks_lines_are_backtraces() {
        assert_eq!(backtrace("root    | a backtrace 0x10 0x2f\r"), Some(("a", vec![0x10, 0x2f])));
        for line in [
            "edu     | root    | a backtrace 0x10",
            "edu     | a backtrace 0x10",
            "root    | a stopped: at 0x10",
            "root    | a backtrace 10",
            "root    | a backtrace 0x10 0x1ffffffffffffffff",
        ] {
            assert_eq!(backtrace(line), None, "{line}");
        }
    }

    #[test]
    fn names_come_from_the_file_of_the_component() {
        // This program is an ELF file with symbols.
        let file = std::env::current_exe().unwrap();
        let elf = std::fs::read(&file).unwrap();
        let known = Symbols::of(&elf).unwrap();
        let (start, name) = known.starts.iter().find(|(_, name)| name.contains("symbols::")).unwrap();
        let mut backtraces = Backtraces {
            files: [("a".to_owned(), file), ("b".to_owned(), "/no".into())].into(),
            read: BTreeMap::new(),
        };
        let explained = backtraces.explain(&format!("root    | a backtrace {start:#x} 0x1"));
        assert_eq!(
            explained,
            [format!("host    |   {start:#x} {name}+0x0"), "host    |   0x1 in no code of this program".to_owned()]
        );
        for line in ["root    | b backtrace 0x1", "root    | c backtrace 0x1", "root    | a stopped: 0x1"] {
            assert!(backtraces.explain(line).is_empty(), "{line}");
        }
    }
}
