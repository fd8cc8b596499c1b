//! Endpoint: where senders and receivers meet.

use super::Queue;
use crate::store::Object;

/// An endpoint, 16 bytes. All threads in its queue wait for the same: the first one's state says whether to send or to
/// receive.
pub struct Endpoint {
    /// Threads that wait.
    pub queue: Queue,
}

impl Object for Endpoint {
    const SLOTS: u64 = 0;
    const BODY: u64 = 0;

    fn new() -> Self {
        Self { queue: Queue::new() }
    }
}

const _: () = assert!(size_of::<Endpoint>() <= 1 << sluice_abi::ObjectType::Endpoint.size_bits(0));
