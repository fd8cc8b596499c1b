//! Checks: outcomes that a script can read and count.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::println;

static PASSED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Counts and prints an outcome; use `check!`. Returns `passed`.
///
/// # Panics
/// When the name has other characters than `a-z`, `0-9` and `-`: a script could not read the line.
pub fn record(name: &str, passed: bool, detail: fmt::Arguments<'_>) -> bool {
    assert!(is_name(name), "`{name}` is no name of a check");
    let (counter, outcome) = if passed { (&PASSED, "pass") } else { (&FAILED, "FAIL") };
    counter.fetch_add(1, Ordering::Relaxed);
    println!("CHECK {outcome} {name}: {detail}");
    passed
}

/// Checks that passed and failed since this was last asked.
pub(crate) fn take_counts() -> [u64; 2] {
    [&PASSED, &FAILED].map(|counter| counter.swap(0, Ordering::Relaxed))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_one_word_of_the_script() {
        assert!(is_name("dma-to-device-2"));
        for bad in ["", "Dma", "a b", "a:b", "a_b", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
