//! How often a system must print what is no check: lines of `systems/NAME.checks` with a number in them.
//!
//! * `COMPONENT dies N: WORDS` is N ends of the component of which the root task says these words; `N..M` in place of N is at least N
//!   and at most M. When such a line is there, all ends of all components have to be in the list.
//! * `COMPONENT says N: TEXT` is N whole lines of the component.
//! * `COMPONENT counts N: TEXT` is the component's lines TEXT with 0 to N - 1 in the place of `{}`, each whole, once and in order.

use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};

use crate::transcript::ROOT;

/// One such line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    component: String,
    kind: Kind,
    times: RangeInclusive<u64>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Dies,
    Says,
    Counts,
}

/// Reads a line of a list, when it is one of these.
///
/// # Errors
/// When it begins like one and is none.
pub fn read(line: &str) -> Result<Option<Tally>> {
    let mut words = line.split_whitespace();
    let (Some(component), Some(verb)) = (words.next(), words.next()) else { return Ok(None) };
    let kind = match verb {
        "dies" => Kind::Dies,
        "says" => Kind::Says,
        "counts" => Kind::Counts,
        _ => return Ok(None),
    };
    let form = || format!("expected `COMPONENT {verb} N: TEXT`, found `{line}`");
    let (head, text) = line.split_once(':').with_context(form)?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let [_, _, times] = words[..] else { anyhow::bail!(form()) };
    let (least, most) = times.split_once("..").unwrap_or((times, times));
    let times = least.parse().with_context(form)?..=most.parse().with_context(form)?;
    let text = text.trim().to_owned();
    let fits = match kind {
        Kind::Dies => !times.is_empty(),
        Kind::Says => least == most,
        Kind::Counts => least == most && text.contains("{}"),
    };
    ensure!(!text.is_empty() && fits, form());
    Ok(Some(Tally { component: component.to_owned(), kind, times, text }))
}

/// The lines of this kind in the text of a list.
///
/// # Errors
/// As [`read`].
pub fn all(text: &str) -> Result<Vec<Tally>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| read(line).transpose()).collect()
}

/// Everything that is not as `tallies` say, by the lines of a run.
#[must_use]
pub fn judge(tallies: &[Tally], lines: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for tally in tallies.iter().filter(|tally| tally.kind == Kind::Counts) {
        let (head, tail) = tally.text.split_once("{}").unwrap_or((&tally.text, ""));
        let begins = said_by(lines, &tally.component).filter(|text| text.starts_with(head));
        let expected: Vec<String> = (0..*tally.times.end()).map(|number| format!("{head}{number}{tail}")).collect();
        let printed: Vec<&str> = begins.collect();
        if let Some(wrong) = printed.iter().zip(&expected).find(|(printed, expected)| *printed != expected) {
            problems.push(format!("{} printed `{}` in place of `{}`", tally.component, wrong.0, wrong.1));
        }
        if printed.len() != expected.len() {
            let (component, times) = (&tally.component, tally.times.end());
            problems.push(format!("{component} printed {} lines of {times} that begin with `{head}`", printed.len()));
        }
    }
    for tally in tallies.iter().filter(|tally| tally.kind == Kind::Says) {
        let Tally { component, text, .. } = tally;
        let (said, times) = (said_by(lines, component).filter(|line| line == text).count() as u64, tally.times.end());
        if said != *times {
            problems.push(format!("{component} said {said} times of {times}: {text}"));
        }
    }
    let deaths: Vec<&Tally> = tallies.iter().filter(|tally| tally.kind == Kind::Dies).collect();
    if deaths.is_empty() {
        return problems;
    }
    let mut seen = vec![0; deaths.len()];
    for (name, what) in said_by(lines, ROOT).filter_map(|text| text.split_once(" stopped: ")) {
        match deaths.iter().position(|death| death.component == name && what.contains(&death.text)) {
            Some(position) => seen[position] += 1,
            None => problems.push(format!("{name} was not to stop so: {what}")),
        }
    }
    for (death, seen) in deaths.iter().zip(seen).filter(|(death, seen)| !death.times.contains(seen)) {
        let Tally { component, times, text, .. } = death;
        let (least, most) = (times.start(), times.end());
        let times = if least == most { most.to_string() } else { format!("{least} to {most}") };
        problems.push(format!("{component} died {seen} times of {times}: {text}"));
    }
    problems
}

fn said_by<'a>(lines: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    let spoken = lines.iter().filter_map(|line| line.trim_end_matches('\r').split_once("| "));
    spoken.filter(move |(speaker, _)| speaker.trim_end() == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "crash lives\ncrash dies 2: stores to address 0x0\ncrash dies 1: panicked  # at last\n\
                        song counts 3: verse {} of 3\nsong says 1: the end\n";
    const GOOD: [&str; 8] = [
        "root    | crash stopped: stores to address 0x0 at pc 0x41",
        "song    | verse 0 of 3",
        "song    | verse 1 of 3",
        "root    | crash stopped: panicked",
        "song    | verse 2 of 3",
        "root    | crash stopped: stores to address 0x0 at pc 0x42",
        "song    | the end",
        "noise   | verse 9 of 3",
    ];

    fn problems(lines: &[&str]) -> Vec<String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        judge(&all(LIST).unwrap(), &lines)
    }

    #[test]
    fn what_is_as_listed_is_good() {
        assert_eq!(problems(&GOOD), Vec::<String>::new());
        assert_eq!(judge(&[], &["root    | any stopped: panicked".to_owned()]), Vec::<String>::new());
    }

    #[test]
    fn one_line_less_or_more_or_other_is_not() {
        for (at, left_out) in GOOD.iter().enumerate().take(7) {
            let without: Vec<&str> =
                GOOD.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, l)| *l).collect();
            assert!(!problems(&without).is_empty(), "{left_out}");
        }
        for more in [
            GOOD[0],
            GOOD[1],
            "root    | song stopped: panicked",
            "root    | crash stopped: sent message 0x1",
            "song    | verse 2 of",
            GOOD[6],
        ] {
            let with = [GOOD.as_slice(), &[more]].concat();
            assert!(!problems(&with).is_empty(), "{more}");
        }
        let mangled = GOOD.map(|line| if line == GOOD[2] { "song    | verse 1 o?f 3" } else { line });
        assert!(problems(&mangled)[0].contains("in place of `verse 1 of 3`"));
        let longer = GOOD.map(|line| if line == GOOD[6] { "song    | the end?" } else { line });
        assert_eq!(problems(&longer), ["song said 0 times of 1: the end"]);
        let forged = GOOD.map(|line| if line == GOOD[3] { "noise   | crash stopped: panicked" } else { line });
        assert_eq!(problems(&forged), ["crash died 0 times of 1: panicked"]);
    }

    #[test]
    fn a_range_has_two_ends() {
        let tallies = all("crash dies 1..2: panicked\n").unwrap();
        let judge = |times| judge(&tallies, &vec!["root    | crash stopped: panicked".to_owned(); times]);
        assert_eq!([0, 1, 2, 3].map(|times| judge(times).len()), [1, 0, 0, 1]);
        assert_eq!(judge(3), ["crash died 3 times of 1 to 2: panicked"]);
    }

    #[test]
    fn mistakes_are_quoted() {
        for line in ["a dies 2..1: b", "a dies 1..: b", "a dies ..: b", "a counts 1..2: {}", "a says 1..2: b"] {
            assert!(read(line).unwrap_err().to_string().contains(line), "{line}");
        }
        for line in ["a dies", "a dies x: b", "a dies 1 b", "a counts 1: b", "a dies 1:", "a says b", "a dies 1 2: b"] {
            assert!(read(line).unwrap_err().to_string().contains(line), "{line}");
        }
        assert_eq!(read("a b fails").unwrap(), None);
    }
}
