//! Damaged specs: whatever the text, there is a system or a diagnostic, and every diagnostic can be drawn.

use std::fs;
use std::path::Path;

use capdl_gen::diagnostic::{Style, render};
use capdl_gen::system::{self, Sources};
use proptest::prelude::*;

/// Pieces that mean something to the language, to be put where they do not belong.
const PIECES: [&str; 16] = [
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "-1",
    "0xffff_ffff_ffff_ffff",
    "\"64K\"",
    "\"999999999999G\"",
    "\"*\"",
    "\"->\"",
    "\n",
    "é",
    "18446744073709551616",
];

fn spec(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good").join(name);
    fs::read_to_string(path).expect("a spec")
}

/// A boundary between characters at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn check(text: &str) {
    let platforms = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platforms");
    if let Err(problems) = system::check(text, &platforms, Sources { components: None, files: &[] }) {
        assert!(!problems.is_empty(), "refused without a reason:\n{text}");
        let drawn = render("spec", text, problems.into_sorted(), Style::Plain);
        assert!(!drawn.contains("cannot be drawn"), "{drawn}\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_spec_never_panics(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, 0..PIECES.len()), 1..5)) {
        let mut text = spec("everything.toml");
        for (at, length, piece) in cuts {
            let start = boundary(&text, at.index(text.len() + 1));
            let end = boundary(&text, start + length).max(start);
            text.replace_range(start..end, PIECES[piece]);
        }
        check(&text);
    }

    #[test]
    fn a_spec_cut_short_never_panics(at in any::<prop::sample::Index>()) {
        let text = spec("everything.toml");
        check(&text[..boundary(&text, at.index(text.len()))]);
    }

    #[test]
    fn a_number_of_any_size_never_panics(from in any::<prop::sample::Index>(), number in any::<u64>()) {
        let text = spec("everything.toml");
        let numbers: Vec<usize> = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
        let start = *from.get(&numbers);
        let end = text[start..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(text.len(), |length| start + length);
        let mut changed = text.clone();
        changed.replace_range(start..end, &number.to_string());
        check(&changed);
    }
}
