//! Names with `*` in them, which stands for any characters, or none.

/// A name, or all names of one form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `name` has the form.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        false
    }

    /// Whether it has a `*`.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.0.contains('*')
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters() {
        let all = ["disk", "disk0", "disk10", "edu", "sdisk"];
        for (pattern, matching) in [
            ("disk", &["disk"][..]),
            ("*", &all),
            ("disk*", &["disk", "disk0", "disk10"]),
            ("*disk", &["disk", "sdisk"]),
            ("d*0", &["disk0", "disk10"]),
            ("*d*k*", &["disk", "disk0", "disk10", "sdisk"]),
            ("*k*k", &[]),
            ("disk**", &["disk", "disk0", "disk10"]),
            ("di*sk0", &["disk0"]),
            ("disk0*0", &[]),
        ] {
            let found: Vec<&str> = all.into_iter().filter(|name| Pattern::new(pattern).matches(name)).collect();
            assert_eq!(found, matching, "{pattern}");
        }
    }
}
