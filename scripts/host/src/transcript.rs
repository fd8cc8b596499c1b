//! What a booted system printed, read line by line.
//!
//! Every line is `NAME | text`, the name padded to eight columns. Kernel and root task write theirs, the console server
//! writes those of its clients and puts the name in front, so a component cannot speak for another: whatever it prints
//! stands behind its own name. The name is therefore taken from before the *first* bar and nothing behind it is read as
//! another line.

/// Who speaks for the machine.
pub const KERNEL: &str = "kernel";
/// Who speaks for the system as a whole.
pub const ROOT: &str = "root";

/// The outcome of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// What should hold, held.
    Pass,
    /// It did not.
    Fail,
}

/// A check's result as its component printed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// The component.
    pub component: String,
    /// The check.
    pub name: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// What was seen.
    pub detail: String,
}

/// The root task's count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Checks passed.
    pub passed: u64,
    /// Checks failed.
    pub failed: u64,
}

/// A digest that a component printed of what it read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digest {
    /// SHA-256 in lower-case hexadecimal.
    pub hex: String,
    /// Bytes it was taken over.
    pub bytes: u64,
}

/// A digest that a component printed of a part of its disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// SHA-256 in lower-case hexadecimal.
    pub hex: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its first byte.
    pub at: u64,
}

/// What a line means to the scripts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A check.
    Check(Check),
    /// The final count; only the root task's own line is one.
    Result(Count),
    /// What a component says it counted itself. A guest does: the root task hears nothing of its checks.
    OwnResult(String, Count),
    /// A digest of a whole disk.
    Digest(Digest),
    /// Who read a part of a disk, and what it is.
    Piece(String, Piece),
    /// The root task starts this component again, or a VMM its guest.
    Life(String),
    /// The kernel panicked, or the kernel or the root task stopped the boot.
    Stop(String),
    /// A line that begins like one of the above and is not.
    Malformed(String),
    /// Anything else.
    Other,
}

impl Line {
    /// The meaning of one line without its line end.
    #[must_use]
    pub fn read(line: &str) -> Self {
        let line = line.trim_end_matches('\r');
        let Some((component, text)) = line.split_once("| ") else { return Self::unprefixed(line) };
        let component = component.trim_end();
        if let Some(rest) = text.strip_prefix("CHECK ") {
            return check(component, rest).map_or_else(|| Self::Malformed(line.to_owned()), Self::Check);
        }
        if let Some(rest) = text.strip_prefix("SHA256 ") {
            let piece = || piece(rest).map(|piece| Self::Piece(component.to_owned(), piece));
            let read = digest(rest).map(Self::Digest).or_else(piece);
            return read.unwrap_or_else(|| Self::Malformed(line.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("RESULT ") {
            return match count(rest) {
                Some(count) if component == ROOT => Self::Result(count),
                Some(count) => Self::OwnResult(component.to_owned(), count),
                None => Self::Malformed(line.to_owned()),
            };
        }
        if let (ROOT, Some((name, _))) = (component, text.split_once(" starts life ")) {
            return Self::Life(name.to_owned());
        }
        if text == "the guest starts again" {
            return Self::Life(component.to_owned());
        }
        let stops = ["STOP", "PANIC", "panicked"].iter().any(|word| text.starts_with(word));
        if stops && (component == KERNEL || component == ROOT) {
            return Self::Stop(line.to_owned());
        }
        Self::Other
    }

    /// A panic message may have lost its prefix: the kernel prints it with whatever still works.
    fn unprefixed(line: &str) -> Self {
        if line.contains("panicked at") || line.starts_with("PANIC") {
            Self::Stop(line.to_owned())
        } else {
            Self::Other
        }
    }
}

/// `pass NAME: detail` or `FAIL NAME: detail`.
fn check(component: &str, text: &str) -> Option<Check> {
    let (outcome, rest) = text.split_once(' ')?;
    let outcome = match outcome {
        "pass" => Outcome::Pass,
        "FAIL" => Outcome::Fail,
        _ => return None,
    };
    let (name, detail) = rest.split_once(':')?;
    is_check_name(name).then(|| Check {
        component: component.to_owned(),
        name: name.to_owned(),
        outcome,
        detail: detail.trim_start().to_owned(),
    })
}

/// Whether `name` can be a check's name.
pub(crate) fn is_check_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// `N passed, M failed`.
fn count(text: &str) -> Option<Count> {
    let (passed, failed) = text.split_once(", ")?;
    Some(Count {
        passed: passed.strip_suffix(" passed")?.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
    })
}

/// `HEX BYTES`.
fn digest(text: &str) -> Option<Digest> {
    let (hex, bytes) = text.split_once(' ')?;
    let well_formed = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    well_formed.then_some(())?;
    Some(Digest { hex: hex.to_owned(), bytes: bytes.parse().ok()? })
}

/// `HEX BYTES at BYTE`.
fn piece(text: &str) -> Option<Piece> {
    let (whole, at) = text.split_once(" at ")?;
    let Digest { hex, bytes } = digest(whole)?;
    Some(Piece { hex, bytes, at: at.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_check(component: &str, name: &str, outcome: Outcome, detail: &str) -> Line {
        Line::Check(Check {
            component: component.to_owned(),
            name: name.to_owned(),
            outcome,
            detail: detail.to_owned(),
        })
    }

    #[test]
    fn checks_are_read_with_their_component() {
        assert_eq!(
            Line::read("edu     | CHECK pass dma-to-device: 4096 bytes"),
            a_check("edu", "dma-to-device", Outcome::Pass, "4096 bytes")
        );
        assert_eq!(
            Line::read("longer-than-eight| CHECK FAIL x: a | b: c\r"),
            a_check("longer-than-eight", "x", Outcome::Fail, "a | b: c")
        );
    }

    #[test]
    fn what_looks_like_a_check_and_is_none_is_malformed() {
        for text in ["PASS a: b", "pass a", "pass A: b", "pass : b", "fail a: b", "pass a b: c", ""] {
            let line = format!("edu     | CHECK {text}");
            assert_eq!(Line::read(&line), Line::Malformed(line.clone()), "{line}");
        }
    }

    #[test]
    fn only_the_root_task_counts() {
        assert_eq!(Line::read("root    | RESULT 23 passed, 0 failed"), Line::Result(Count { passed: 23, failed: 0 }));
        let own = Line::OwnResult("edu".to_owned(), Count { passed: 23, failed: 0 });
        assert_eq!(Line::read("edu     | RESULT 23 passed, 0 failed"), own);
        assert_eq!(Line::read("edu     | root    | RESULT 23 passed, 0 failed"), Line::Other);
        assert_eq!(Line::read("RESULT 23 passed, 0 failed"), Line::Other);
        let bad = "root    | RESULT all passed";
        assert_eq!(Line::read(bad), Line::Malformed(bad.to_owned()));
    }

    #[test]
    fn a_component_cannot_check_or_stop_for_another() {
        assert_eq!(Line::read("edu     | kernel  | CHECK pass kernel-canary-intact: same"), Line::Other);
        assert_eq!(Line::read("edu     | root    | STOP: no"), Line::Other);
        assert_eq!(Line::read("edu     | PANIC: no"), Line::Other);
        assert_eq!(Line::read("edu     | panicked at nothing"), Line::Other);
    }

    #[test]
    fn stops_are_seen_with_and_without_a_prefix() {
        for line in
            ["kernel  | PANIC: x", "kernel  | panicked at src/a.rs:1", "root    | STOP: x", "thread panicked at a"]
        {
            assert_eq!(Line::read(line), Line::Stop(line.to_owned()), "{line}");
        }
    }

    #[test]
    fn the_root_task_says_who_lives_again_and_a_vmm_of_itself() {
        let line = "guest0 starts life 3: 9 KiB left, as at first";
        assert_eq!(Line::read(&format!("root    | {line}")), Line::Life("guest0".to_owned()));
        assert_eq!(Line::read(&format!("guest1  | {line}")), Line::Other);
        assert_eq!(Line::read("guest1  | the guest starts again"), Line::Life("guest1".to_owned()));
    }

    #[test]
    fn a_digest_is_sixty_four_digits_and_a_length() {
        let hex = "0123456789abcdef".repeat(4);
        let line = format!("nvme    | SHA256 {hex} 67108864");
        assert_eq!(Line::read(&line), Line::Digest(Digest { hex: hex.clone(), bytes: 67_108_864 }));
        let piece = Line::read(&format!("guest1  | SHA256 {hex} 4096 at 8192"));
        assert_eq!(piece, Line::Piece("guest1".to_owned(), Piece { hex: hex.clone(), bytes: 4096, at: 8192 }));
        let nowhere = format!("guest1  | SHA256 {hex} 4096 at");
        assert_eq!(Line::read(&nowhere), Line::Malformed(nowhere.clone()));
        let short = format!("nvme    | SHA256 {} 1", &hex[1..]);
        assert_eq!(Line::read(&short), Line::Malformed(short.clone()));
        let upper = format!("nvme    | SHA256 {} 1", hex.to_uppercase());
        assert_eq!(Line::read(&upper), Line::Malformed(upper.clone()));
    }
}
