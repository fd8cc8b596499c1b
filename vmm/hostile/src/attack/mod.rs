//! The attacks. Each tells whether it held: an error that the guest can see, or no effect.

pub(crate) mod access;
pub(crate) mod both;
pub(crate) mod calls;
pub(crate) mod dma;
pub(crate) mod live;
pub(crate) mod pair;
pub(crate) mod processor;
pub(crate) mod queues;

use crate::report::Report;

/// Those of the processor, in an order in which each finds its machine whole.
pub(crate) fn all(report: &mut Report) {
    calls::all(report);
    access::all(report);
    processor::all(report);
}
