//! A TOML table being read: every key is asked for once, and what nobody asked for is unknown.

use toml::de::DeTable;

use super::value::{self, Value};
use crate::diagnostic::{At, Problem, Problems, Span};
use crate::suggest;

/// A table and the keys asked for so far.
pub(super) struct Table<'a> {
    what: String,
    span: Span,
    entries: &'a DeTable<'a>,
    known: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The table `entries`, called `what` in messages, with the place to point at when a key is missing.
    pub(super) fn new(what: impl Into<String>, span: Span, entries: &'a DeTable<'a>) -> Self {
        Self { what: what.into(), span, entries, known: Vec::new(), missing: Vec::new() }
    }

    /// The table in `value`.
    pub(super) fn of(what: impl Into<String>, value: Value<'a>) -> Result<Self, Problem> {
        Ok(Self::new(what, value::span(value), value::table(value)?))
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<(Span, Value<'a>)> {
        self.known.push(key);
        let (name, value) = self.entries.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((key_span(name), value))
    }

    /// The value of `key` as `read` understands it; `None` also when it is malformed, which is then reported.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(Value<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        let (_, value) = self.get(key)?;
        problems.keep(read(value))
    }

    /// As [`Table::optional`], and a missing key is a problem, which [`Table::finish`] reports.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(Value<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if let Some((_, value)) = self.get(key) {
            return problems.keep(read(value));
        }
        self.missing.push(key);
        None
    }

    /// The elements of the list `key`; empty when there is none.
    pub(super) fn list(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Value<'a>> {
        self.optional(key, problems, value::array).unwrap_or_default()
    }

    /// The named tables under `key`, in the order they were written.
    pub(super) fn children(&mut self, key: &'static str, problems: &mut Problems) -> Vec<(At<String>, Value<'a>)> {
        let Some(entries) = self.optional(key, problems, value::table) else {
            return Vec::new();
        };
        entries
            .iter()
            .map(|(name, value)| (At { value: name.get_ref().to_string(), span: key_span(name) }, value))
            .collect()
    }

    /// Reports every key nobody asked for, and every key that is missing, unless one of the former is that key
    /// misspelt.
    pub(super) fn finish(mut self, problems: &mut Problems) {
        for name in self.entries.keys() {
            if self.known.contains(&name.get_ref().as_ref()) {
                continue;
            }
            if let Some(near) = suggest::nearest(name.get_ref(), self.known.iter().copied()) {
                self.missing.retain(|key| *key != near);
            }
            problems.push(
                Problem::new(format!("{} has no key `{}`", self.what, name.get_ref()))
                    .at(key_span(name), "unknown key")
                    .help_if(suggest::help(name.get_ref(), self.known.iter().copied())),
            );
        }
        for key in self.missing {
            let problem = Problem::new(format!("{} has no `{key}`", self.what));
            problems.push(problem.at(self.span, format!("`{key}` is missing here")));
        }
    }
}

fn key_span(name: &toml::Spanned<toml::de::DeString<'_>>) -> Span {
    let range = name.span();
    Span { start: range.start, end: range.end }
}
