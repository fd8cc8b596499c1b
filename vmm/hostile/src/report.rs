//! Results in the form that every component uses, and their count.

use core::fmt;

use crate::console::line;

/// What became of the attacks so far.
#[derive(Default)]
pub(crate) struct Report {
    passed: u64,
    failed: u64,
}

impl Report {
    /// Tells the outcome of an attack: `held` when nothing came of it.
    pub(crate) fn check(&mut self, name: impl fmt::Display, held: bool, detail: fmt::Arguments<'_>) {
        let (word, count) = if held { ("pass", &mut self.passed) } else { ("FAIL", &mut self.failed) };
        *count += 1;
        line(format_args!("CHECK {word} {name}: {detail}"));
    }

    /// The count, at the end.
    pub(crate) fn conclude(&self) {
        line(format_args!("RESULT {} passed, {} failed", self.passed, self.failed));
    }
}
