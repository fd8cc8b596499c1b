//! What is typed to a machine while it runs: `systems/NAME.keys`.
//!
//! One step a line, `TEXT => KEYS`: once a line of the machine has TEXT in it, KEYS are typed; the steps come one after the
//! other. In KEYS, `\n`, `\r`, `\t`, `\\` and `\xHH` stand for bytes. `#` at its start makes a line a comment.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Some keys and what they wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What a line must contain.
    pub after: String,
    /// What is typed then.
    pub keys: Vec<u8>,
}

/// The steps in a text.
///
/// # Errors
/// When a line is not of the form above.
pub fn read(text: &str) -> Result<Vec<Step>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| step(line).with_context(|| format!("line {}: `{line}`", number + 1))).collect()
}

/// The steps in the file `path`; none when there is no such file.
///
/// # Errors
/// As [`read`], or when the file cannot be read.
pub fn read_file(path: &Path) -> Result<Vec<Step>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&text).with_context(|| format!("{} is no list of keys", path.display()))
}

fn step(line: &str) -> Result<Step> {
    let (after, keys) = line.split_once(" => ").context("expected `TEXT => KEYS`")?;
    ensure!(!after.trim().is_empty(), "every line has nothing in it");
    Ok(Step { after: after.trim_end().to_owned(), keys: unescape(keys)? })
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (byte, used) = match rest {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', digits @ ..] => {
                let digits = digits.get(..2).and_then(|digits| str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                (byte.context("`\\x` without two digits")?, 3)
            }
            _ => bail!("`\\` before something else than n, r, t, x and \\"),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_a_text_and_keys() {
        let steps = read("# keys\n\nfirst | ready => a\\x1d1\\r\\n\\t\\\\ b\nx =>  => \n").unwrap();
        assert_eq!(steps[0], Step { after: "first | ready".into(), keys: b"a\x1d1\r\n\t\\ b".to_vec() });
        assert_eq!(steps[1], Step { after: "x".into(), keys: b" => ".to_vec() });
    }

    #[test]
    fn what_is_no_step_is_named() {
        for (text, message) in [
            ("\nready", "line 2: `ready`"),
            (" => x", "nothing in it"),
            ("a => \\", "something else"),
            ("a => \\x1", "two digits"),
            ("a => \\xzz", "two digits"),
            ("a => \\q", "something else"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
