//! Words are heard wherever the output is cut, and nothing else is taken for them.

use sluice_vmm::marker::Marker;

fn hears(words: &str, output: &[&str]) -> bool {
    let mut marker = Marker::new(words);
    output.iter().for_each(|piece| marker.hear(piece.as_bytes()));
    marker.has_come()
}

#[test]
fn words_are_heard_wherever_the_output_is_cut() {
    let output = "on the way: restless: busy\n";
    for cut in 0..=output.len() {
        assert!(hears("restless: busy", &[&output[..cut], &output[cut..]]), "cut at {cut}");
    }
    assert!(hears("aab", &["aa", "ab"]), "what looked like the beginning was none");
    assert!(hears("busy", &["busy", "not any more"]), "what was heard stays heard");
}

#[test]
fn other_words_are_not_heard() {
    assert!(!hears("restless: busy", &["restless: bus", "restless: ", "us", "busy"]));
    assert!(!hears("busy", &["bus", "\ny"]));
    assert!(!hears("busy", &[]));
}

#[test]
fn no_words_need_not_be_said() {
    assert!(Marker::new("").has_come());
}
