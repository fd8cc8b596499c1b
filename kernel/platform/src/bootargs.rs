//! The command line.

/// The value of the last `name=value` of a command line; empty for a bare `name`, `None` when it is not there.
#[must_use]
pub fn option<'a>(bootargs: &'a str, name: &str) -> Option<&'a str> {
    let mut values = bootargs.split_ascii_whitespace().filter_map(|word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key == name).then_some(value)
    });
    values.next_back()
}
