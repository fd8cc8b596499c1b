//! The attacks. Each tells whether it held: an error that the guest can see, or no effect.

pub(crate) mod access;
pub(crate) mod calls;
pub(crate) mod processor;

use crate::report::Report;

/// All of them, in an order in which each finds its machine whole.
pub(crate) fn all(report: &mut Report) {
    calls::all(report);
    access::all(report);
    processor::all(report);
}
