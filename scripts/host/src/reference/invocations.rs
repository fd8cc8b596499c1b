//! Invocations, by the capability they are made on.

use sluice_abi::cap::CapTag;
use sluice_abi::invocation::{Invocation, Refusal, Word};

use super::{Page, cell, heading, prose, section, table};

/// In the order in which a reader meets them.
const OBJECTS: &[CapTag] = &[
    CapTag::Untyped,
    CapTag::CNode,
    CapTag::Thread,
    CapTag::Frame,
    CapTag::PageTable,
    CapTag::VSpace,
    CapTag::AsidControl,
    CapTag::AsidPool,
    CapTag::IrqControl,
    CapTag::IrqHandler,
    CapTag::Domain,
    CapTag::Vcpu,
    CapTag::SidControl,
    CapTag::Sid,
    CapTag::CbControl,
    CapTag::Cb,
];

pub(super) fn page() -> Page {
    let mut text = heading(
        "Invocations",
        "A message to a capability that is neither an endpoint's nor a notification's nor a reply's nor an SGI's invokes its object: the \
         label says what to do, extra capabilities and message words are its arguments. The answer to a `Call` has label 0 \
         and the words listed as results, or the label of an [error](errors.md) and its words. `Send` and `NbSend` invoke \
         without an answer. A refused invocation has changed nothing. Message words beyond those listed are ignored. Labels \
         from 68 on are Sluice's. The first word of an error is the number of the argument or capability (0 is the invoked \
         one, unless said otherwise), or for a failed lookup 1 for the source and 0 for any other.",
    );
    text += &common();
    for object in OBJECTS {
        text += &section(&format!("{object:?}"));
        Invocation::ALL.iter().filter(|known| known.object == *object).for_each(|known| text += &entry(known));
    }
    text += &section("On no capability");
    text += "Nobody is given a capability that takes these.\n\n";
    let rows = Invocation::ALL.iter().filter(|known| known.object == CapTag::Null);
    text += &table(
        &["Label", "Invocation", "What it would do"],
        rows.map(|known| vec![(known.label as u64).to_string(), name(known), known.about.to_owned()]),
    );
    Page { name: "invocations.md", about: "labels, arguments, results and errors of every invocation", text }
}

/// What any invocation can be refused for.
fn common() -> String {
    let mut text = section("Errors of every invocation");
    // One that takes words can be refused for everything that any can.
    let longest = Invocation::ALL.iter().max_by_key(|known| known.common().count());
    text += &refusals(longest.into_iter().flat_map(|known| known.common()));
    text
}

fn entry(known: &Invocation) -> String {
    let mut text = format!("### {} ({})\n\n{}\n\n", name(known), known.label as u64, prose(known.about));
    let caps = known.caps.iter().enumerate().map(|(index, cap)| {
        let left_out = if cap.optional { ", may be left out" } else { "" };
        vec![format!("capability {index}"), cap.name.to_owned(), format!("{:?}{left_out}", cap.kind)]
    });
    let words = known
        .words
        .iter()
        .enumerate()
        .map(|(index, word)| vec![format!("word {index}"), word.name.to_owned(), meaning(word)]);
    let arguments: Vec<_> = caps.chain(words).collect();
    if !arguments.is_empty() {
        text += &table(&["Argument", "Name", "Meaning"], arguments);
    }
    if !known.results.is_empty() {
        let each: Vec<_> =
            known.results.iter().enumerate().map(|(index, result)| format!("word {index}: {result}")).collect();
        text += &format!("{}\n\n", prose(&format!("Gives {}.", each.join("; "))));
    }
    if known.own_refusals().next().is_some() {
        text += &refusals(known.own_refusals());
    }
    text
}

/// The name that the label's documentation gives it.
fn name(known: &Invocation) -> String {
    known.label.description().split('`').nth(1).unwrap_or("(none)").to_owned()
}

fn meaning(word: &Word) -> String {
    let mut text = cell(word.meaning.description()).trim_end_matches('.').to_owned();
    if !word.about.is_empty() {
        text += &format!("; {}", word.about);
    }
    if word.optional {
        text += "; may be left out";
    }
    text
}

fn refusals<'a>(refusals: impl Iterator<Item = &'a Refusal>) -> String {
    let rows = refusals.map(|refusal| {
        let number = refusal.number.map_or_else(String::new, |number| number.to_string());
        vec![format!("{:?}", refusal.error), number, refusal.when.to_owned()]
    });
    table(&["Error", "First word", "When"], rows)
}
