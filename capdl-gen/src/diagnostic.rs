//! Problems of a spec, as the user sees them: what is wrong, where, and what would be right.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};

/// Columns of a rendered problem.
const WIDTH: usize = 110;

/// Bytes `start..end` of the spec's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and the place it was written at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its text.
    pub span: Span,
}

impl<T> At<T> {
    /// Another value from the same place.
    pub fn with<U>(&self, value: U) -> At<U> {
        At { value, span: self.span }
    }
}

/// One mistake of the user's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    message: String,
    labels: Vec<(Span, String)>,
    help: Option<String>,
}

impl Problem {
    /// A problem that no line of the spec is to blame for, until [`Problem::at`] says which.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), labels: Vec::new(), help: None }
    }

    /// Points at a piece of the spec. The first one pointed at is the place the problem is listed under.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what would be right, when there is something to say.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Every problem found so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or one more problem.
    pub fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the places they point at.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.labels.first().map_or(usize::MAX, |(span, _)| span.start));
        self.0
    }
}

/// How to draw problems.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// ASCII without colour: the same on every machine.
    Plain,
    /// For a terminal.
    Terminal,
}

/// The problems as text, each with the lines of `text` (a file called `name`) that it points at.
#[must_use]
pub fn render(name: &str, text: &str, problems: Vec<Problem>, style: Style) -> String {
    let theme = match style {
        Style::Plain => GraphicalTheme::none(),
        Style::Terminal => GraphicalTheme::unicode(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let mut out = String::new();
    let count = problems.len();
    for problem in problems {
        let mut diagnostic = MietteDiagnostic::new(problem.message).with_severity(Severity::Error);
        diagnostic.help = problem.help;
        diagnostic = diagnostic.with_labels(
            problem
                .labels
                .into_iter()
                .map(|(span, label)| LabeledSpan::at(span.start..span.end.max(span.start), label)),
        );
        let report = Report::new(diagnostic).with_source_code(NamedSource::new(name, text.to_owned()));
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            out.push_str("a problem that cannot be drawn\n");
        }
        out.push('\n');
    }
    let noun = if count == 1 { "problem" } else { "problems" };
    out.push_str(&format!("{name}: {count} {noun}\n"));
    out
}
