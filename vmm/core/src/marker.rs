//! Words in a guest's output that its VMM waits for.

use alloc::vec::Vec;

/// Some words, and whether they have come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marker {
    words: Vec<u8>,
    /// The last bytes of the output, as many as there are words at most.
    recent: Vec<u8>,
    come: bool,
}

impl Marker {
    /// Waits for `words`; no words at all have come already.
    #[must_use]
    pub fn new(words: &str) -> Self {
        let words = words.as_bytes().to_vec();
        Self { recent: Vec::with_capacity(words.len()), come: words.is_empty(), words }
    }

    /// More of the output, cut anywhere.
    pub fn hear(&mut self, output: &[u8]) {
        for byte in output {
            if self.come {
                return;
            }
            if self.recent.len() == self.words.len() {
                self.recent.remove(0);
            }
            self.recent.push(*byte);
            self.come = self.recent == self.words;
        }
    }

    /// Whether they have come.
    #[must_use]
    pub const fn has_come(&self) -> bool {
        self.come
    }
}
