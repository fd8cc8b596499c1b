//! Rights of capabilities and attributes of mappings.

use crate::numbered::flags;

flags! {
    /// What the holder of an endpoint, notification or frame capability may do.
    pub struct CapRights {
        /// Send, signal or store.
        const WRITE = 1;
        /// Receive, wait or load.
        const READ = 2;
        /// Send capabilities along.
        const GRANT = 4;
        /// Send a reply capability along.
        const GRANT_REPLY = 8;
    }
}

flags! {
    /// How memory is mapped.
    pub struct VmAttributes {
        /// Normal write-back memory; without it, Device memory.
        const CACHEABLE = 1;
        /// Accepted and without effect on this architecture.
        const PARITY = 2;
        /// No instruction fetch.
        const EXECUTE_NEVER = 4;
    }
}

impl VmAttributes {
    /// What a mapping gets when nothing special is asked for.
    pub const DEFAULT: Self = Self::CACHEABLE.union(Self::PARITY);
}
