//! The plugin that counts instructions from outside (`scripts/meter`), and what it wrote.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::tree::Tree;

/// Where the kernel is linked (`kernel/image/link.ld`); nothing else is above.
const KERNEL: &str = "0xff8000000000";
/// Its output, in the build folder.
pub(super) const OUTPUT: &str = "bench.meter";

/// A built plugin.
pub(super) struct Plugin {
    library: PathBuf,
    output: PathBuf,
}

impl Plugin {
    /// The plugin that `cargo` built.
    pub(super) fn of(tree: &Tree) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree.root().join("target"), PathBuf::from);
        Self { library: target.join("release/libsluice_meter.so"), output: tree.build().join(OUTPUT) }
    }

    /// QEMU's argument for it, with which it counts instructions of the whole machine.
    pub(super) fn totals(&self) -> Result<String> {
        Ok(format!("{},totals=on", self.argument()?))
    }

    /// QEMU's argument for it.
    pub(super) fn argument(&self) -> Result<String> {
        let text = |path: &PathBuf| {
            let path = path.to_str().with_context(|| format!("{} is no text", path.display()))?;
            Ok::<_, anyhow::Error>(path.replace(',', ",,"))
        };
        Ok(format!("file={},kernel={KERNEL},out={}", text(&self.library)?, text(&self.output)?))
    }
}

/// The longest run of kernel instructions between two places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub(super) count: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What the plugin counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    /// Instructions before the first of a thread.
    pub(super) boot: u64,
    /// The longest first.
    pub(super) stretches: Vec<Stretch>,
    /// How often the kernel's instructions ran, by address: one list for each mark.
    pub(super) ran: Vec<Vec<(u64, u64)>>,
}

impl Counts {
    /// Reads what the plugin wrote.
    ///
    /// # Errors
    /// When a line is malformed, or boot is missing.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut counts = Self::default();
        for line in text.lines() {
            counts.add(line).with_context(|| format!("`{line}` is malformed"))?;
        }
        ensure!(counts.boot > 0, "the meter did not see the boot");
        counts.stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.count));
        Ok(counts)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = |word: &str| u64::from_str_radix(word, 16).ok();
        match words[..] {
            ["boot", count] => self.boot = count.parse().ok()?,
            ["mark", _] => self.ran.push(Vec::new()),
            ["stretch", count, start, end] => {
                let (count, start, end) = (count.parse().ok()?, address(start)?, address(end)?);
                self.stretches.push(Stretch { count, start, end });
            }
            ["count", at, count] => self.ran.last_mut()?.push((address(at)?, count.parse().ok()?)),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read() {
        let counts = Counts::read("mark 0\ncount ff10 3\nboot 7\nstretch 5 10 20\nstretch 9 10 30\n").unwrap();
        assert_eq!((counts.boot, &counts.ran), (7, &vec![vec![(0xff10, 3)]]));
        assert_eq!(counts.stretches[0], Stretch { count: 9, start: 0x10, end: 0x30 });
        for bad in ["boot x", "count 1 2", "boot 0", "", "stretch 1 2"] {
            assert!(Counts::read(bad).is_err(), "{bad}");
        }
    }
}
