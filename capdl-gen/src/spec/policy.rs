//! `[policy]`: what must hold of the whole system.

use super::pattern::Pattern;
use super::table::Table;
use super::value;
use crate::diagnostic::{At, Problem, Problems, Span};

/// The policy of a spec.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Reach that must not be.
    pub deny_reach: Vec<Denial>,
}

/// `"subject -> object"`: no memory of the object is within the subject's reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Who must not reach.
    pub subject: Subject,
    /// What must not be reached.
    pub object: Object,
    /// The rule as written.
    pub text: String,
    /// Where it is written.
    pub span: Span,
}

/// Who may reach memory. What a rule protects is always its owner's own to reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Components with all their devices.
    Component(Pattern),
    /// Devices, by the names of component and device.
    Device(Pattern, Pattern),
}

/// What may be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    /// The kernel's memory.
    Kernel,
    /// Whatever components and their devices have.
    Component(Pattern),
    /// What devices have, by the names of component and device.
    Device(Pattern, Pattern),
    /// Memory regions (`mr.NAME`).
    Region(Pattern),
}

pub(super) fn read(root: &mut Table<'_>, problems: &mut Problems) -> Policy {
    let Some(mut table) = root.optional("policy", problems, |value| Table::of("`policy`", value)) else {
        return Policy::default();
    };
    if let Some(word) = table.optional("unlisted_masters", problems, value::string)
        && word.value != "abort"
    {
        problems.push(
            Problem::new(format!("unlisted masters cannot be left to `{}`", word.value))
                .at(word.span, "expected \"abort\"")
                .help("a stream that nobody bound reaches no memory; name the device in the spec to give it some"),
        );
    }
    let mut deny_reach = Vec::new();
    for rule in table.list("deny_reach", problems) {
        let denial = value::string(rule).and_then(|rule| denial(&rule));
        deny_reach.extend(problems.keep(denial));
    }
    table.finish(problems);
    Policy { deny_reach }
}

fn denial(rule: &At<String>) -> Result<Denial, Problem> {
    let malformed = || {
        Problem::new(format!("`{}` is no rule about reach", rule.value))
            .at(rule.span, "expected \"WHO -> WHAT\"")
            .help("WHO is a component or `COMPONENT.DEVICE`; WHAT is one of these, `mr.REGION` or `kernel`; `*` stands for any characters")
    };
    let (subject, object) = rule.value.split_once("->").ok_or_else(malformed)?;
    let subject = match words(subject).ok_or_else(malformed)? {
        (component, None | Some("*")) => Subject::Component(Pattern::new(component)),
        (component, Some(device)) => Subject::Device(Pattern::new(component), Pattern::new(device)),
    };
    let object = match words(object).ok_or_else(malformed)? {
        ("kernel", None) => Object::Kernel,
        ("mr", Some(region)) => Object::Region(Pattern::new(region)),
        (component, None | Some("*")) => Object::Component(Pattern::new(component)),
        (component, Some(device)) => Object::Device(Pattern::new(component), Pattern::new(device)),
    };
    Ok(Denial { subject, object, text: rule.value.clone(), span: rule.span })
}

/// `FIRST` or `FIRST.SECOND`.
fn words(text: &str) -> Option<(&str, Option<&str>)> {
    let (first, second) = match text.trim().split_once('.') {
        Some((first, second)) => (first, Some(second)),
        None => (text.trim(), None),
    };
    let word = |word: &str| !word.is_empty() && !word.contains(|c: char| c == '.' || c.is_whitespace());
    (word(first) && second.is_none_or(word)).then_some((first, second))
}
