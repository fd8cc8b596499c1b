//! Rights of capabilities and attributes of mappings.

use bitflags::bitflags;

bitflags! {
    /// What the holder of an endpoint, notification or frame capability may do.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CapRights: u64 {
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

bitflags! {
    /// How memory is mapped.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct VmAttributes: u64 {
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
