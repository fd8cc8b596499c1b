//! A pair of NVMe queues, polled (NVMe Base 2.0, 3.3).

use sluice_bare::machine::{barrier, load32, store32};

/// Entries of each queue: a page of submissions.
pub(crate) const ENTRIES: u32 = 64;

/// Submissions and completions, and their doorbells.
pub(crate) struct Queue {
    submissions: u64,
    completions: u64,
    doorbells: u64,
    tail: u32,
    head: u32,
    phase: u32,
}

impl Queue {
    /// Queues in zeroed memory: submissions at `at`, completions one page behind.
    pub(crate) const fn new(at: u64, doorbells: u64) -> Self {
        Self { submissions: at, completions: at + 0x1000, doorbells, tail: 0, head: 0, phase: 1 }
    }

    /// Where the submissions are, then the completions.
    pub(crate) const fn places(&self) -> [u64; 2] {
        [self.submissions, self.completions]
    }

    /// Submits a command: words 0 and 1, the two pointers, words 10 to 12.
    pub(crate) fn submit(&mut self, head: [u32; 2], pointers: [u64; 2], tail: [u32; 3]) {
        let at = self.submissions + u64::from(self.tail) * 64;
        let [first, second] = pointers;
        let words = [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32];
        let (head, tail) = (head.into_iter().zip(0..), tail.into_iter().zip(10..));
        for (word, index) in head.chain(words.into_iter().zip(6..)).chain(tail) {
            store32(at + 4 * index, word);
        }
        self.tail = (self.tail + 1) % ENTRIES;
        barrier();
        store32(self.doorbells, self.tail);
    }

    /// Waits for a completion; its identifier, when it is one of success.
    pub(crate) fn wait(&mut self) -> Result<u32, &'static str> {
        let at = self.completions + u64::from(self.head) * 16 + 12;
        let word = loop {
            let word = load32(at);
            if word >> 16 & 1 == self.phase {
                break word;
            }
        };
        self.head = (self.head + 1) % ENTRIES;
        self.phase ^= u32::from(self.head == 0);
        store32(self.doorbells + 4, self.head);
        if word >> 17 == 0 { Ok(word & 0xffff) } else { Err("the disk refuses a command") }
    }
}
