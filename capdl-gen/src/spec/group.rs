//! `[group.NAME]`: devices that reach each other without an SMMU in between.

use super::place::{self, Place};
use super::table::Table;
use super::value;
use crate::diagnostic::{At, Problem, Problems};

/// Devices that go to one owner, or to nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name.
    pub name: At<String>,
    /// Why they belong together.
    pub kind: Kind,
    /// Where they are; two at least.
    pub members: Vec<At<Place>>,
}

/// Why devices belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What is between them and the SMMU does not redirect requests from one to the other: a port or a switch without
    /// Access Control Services (PCI Express 5.0, 6.12).
    Acs,
    /// They are on one conventional PCI bus, whose requests the bridge passes on under its own number, or which never
    /// leave the bus (PCI Express to PCI/PCI-X Bridge 1.0, 2.3).
    Bus,
}

impl Kind {
    /// As a diagnostic says it.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Acs => "ACS group",
            Self::Bus => "conventional PCI bus",
        }
    }
}

pub(super) fn read(name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Group> {
    let kind = table.required("kind", problems, |value| kind(&value::string(value)?));
    let mut members: Vec<At<Place>> = Vec::new();
    for member in table.list("members", problems) {
        let Some(member) = problems.keep(value::string(member).and_then(|at| place::read(&at))) else { continue };
        if let Some(first) = members.iter().find(|other| other.value == member.value) {
            problems.push(
                Problem::new(format!("a device is twice in the group `{}`", name.value))
                    .at(member.span, "the second time")
                    .at(first.span, "the first time"),
            );
        }
        members.push(member);
    }
    let span = table.span();
    table.finish(problems);
    if members.len() < 2 {
        problems.push(
            Problem::new(format!("the group `{}` has fewer than two members", name.value))
                .at(span, "`members` lists the places of devices"),
        );
        return None;
    }
    Some(Group { name, kind: kind?, members })
}

fn kind(word: &At<String>) -> Result<Kind, Problem> {
    match word.value.as_str() {
        "acs" => Ok(Kind::Acs),
        "bus" => Ok(Kind::Bus),
        other => Err(Problem::new(format!("there are no groups of the kind `{other}`"))
            .at(word.span, "expected \"acs\" or \"bus\"")),
    }
}
