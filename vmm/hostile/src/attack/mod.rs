//! The attacks. Each tells whether it held: an error that the guest can see, or no effect.

pub(crate) mod access;
pub(crate) mod calls;
pub(crate) mod dma;
pub(crate) mod pci;
pub(crate) mod processor;
pub(crate) mod smmu;
pub(crate) mod storm;

use crate::edu::Edu;
use crate::report::Report;

/// All of them, in an order in which each finds its machine whole.
pub(crate) fn all(report: &mut Report) {
    calls::all(report);
    access::all(report);
    processor::all(report);
    match Edu::find() {
        Some(edu) => {
            pci::all(report, edu);
            dma::all(report, edu);
            smmu::all(report, edu);
            storm::all(report, edu);
        }
        None => report.check("device", false, format_args!("there is no edu device")),
    }
}
