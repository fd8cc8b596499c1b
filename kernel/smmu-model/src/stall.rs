//! Transactions that wait for a decision (IHI 0070, 3.12.2).

use std::collections::BTreeMap;

use crate::access::Transaction;

/// Stalled transactions by tag.
#[derive(Default)]
pub(crate) struct Stalled {
    waiting: BTreeMap<u16, Transaction>,
    next: u16,
    /// Transactions that RESUME let go on, oldest first.
    pub(crate) resumed: Vec<Transaction>,
}

impl Stalled {
    /// Tags are used again only after the 65,536th.
    pub(crate) fn add(&mut self, transaction: Transaction) -> u16 {
        let tag = self.next;
        self.next = tag.wrapping_add(1);
        self.waiting.insert(tag, transaction);
        tag
    }

    /// A tag of another stream is nobody's (4.6.1).
    pub(crate) fn resume(&mut self, sid: u32, tag: u16, retry: bool) {
        if self.waiting.get(&tag).is_some_and(|waiting| waiting.sid == sid) {
            self.resumed.extend(self.waiting.remove(&tag).filter(|_| retry));
        }
    }

    pub(crate) fn terminate(&mut self, sid: u32) {
        self.waiting.retain(|_, waiting| waiting.sid != sid);
    }

    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }
}
