//! What a run makes, from its command line.

/// Seed and number of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Seed of the first life; each that follows takes the next number.
    pub seed: u64,
    /// Calls altogether.
    pub calls: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { seed: 0x51_0000_0000, calls: 50_000 }
    }
}

impl Plan {
    /// The plan that `fuzz.seed=` and `fuzz.calls=` in a command line choose, in decimal or hexadecimal; what does not read
    /// is as it usually is.
    #[must_use]
    pub fn of(command_line: &str) -> Self {
        let option = |name: &str| {
            let mut values = command_line.split_ascii_whitespace().filter_map(|word| word.strip_prefix(name));
            values.next().and_then(number)
        };
        let usual = Self::default();
        Self { seed: option("fuzz.seed=").unwrap_or(usual.seed), calls: option("fuzz.calls=").unwrap_or(usual.calls) }
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_among_others() {
        let plan = Plan::of("sluice.trace=semihosting fuzz.seed=0x1f fuzz.calls=1000");
        assert_eq!(plan, Plan { seed: 0x1f, calls: 1000 });
        assert_eq!(Plan::of("fuzz.calls=7"), Plan { calls: 7, ..Plan::default() });
        assert_eq!(Plan::of("fuzz.calls=many unfuzz.seed=2"), Plan::default());
    }
}
