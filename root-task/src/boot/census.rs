//! What is in use of what the root task has.

/// Counts that are the same whenever a component has been built again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Census {
    pub(super) bytes_left: u64,
    pub(super) slots_left: u64,
    /// Capabilities in the root CNode, where the kernel tells.
    pub(super) capabilities: Option<u64>,
}

impl Census {
    /// The counts while components are away that hold so many capabilities.
    pub(super) fn without(self, away: u64) -> Self {
        let capabilities = self.capabilities.map(|held| held.saturating_sub(away));
        Self { capabilities, ..self }
    }
}

impl core::fmt::Display for Census {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} KiB and {} slots left", self.bytes_left >> 10, self.slots_left)?;
        self.capabilities.map_or(Ok(()), |held| write!(f, ", {held} capabilities"))
    }
}
