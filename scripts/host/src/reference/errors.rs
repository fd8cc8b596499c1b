//! Errors of invocations.

use sluice_abi::{Error, LookupFailure};

use super::{Page, cell, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "Errors",
        "The label of an answer: 0 is success, any other number one of these. MR is a message word. The label is followed \
         by exactly the words listed.",
    );
    let rows =
        Error::ALL.map(|error| vec![(error as u64).to_string(), format!("{error:?}"), cell(error.description())]);
    text += &table(&["Label", "Error", "Meaning and words"], rows);
    text += &section("Why a lookup failed");
    text += "MR1 of FailedLookup, and the word behind the flag in a capability fault; the words listed follow it.\n\n";
    let rows = LookupFailure::KINDS
        .iter()
        .enumerate()
        .map(|(index, (name, words))| vec![(index + 1).to_string(), (*name).to_owned(), words.join("; ")]);
    text += &table(&["Number", "Failure", "Words"], rows);
    Page { name: "errors.md", about: "labels of answers and the words that come with them", text }
}
