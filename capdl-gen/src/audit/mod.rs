//! Who reaches what, before anything boots.
//!
//! A system becomes a graph: *parties* (components, guests, devices), *memories* (regions, what a component has for itself,
//! the kernel's, all of it), and *edges* between them. Reach is direct where a party is mapped a memory or a device is given
//! one by DMA, and indirect where a party drives a device: who writes its registers chooses what it does.
//!
//! The kernel's own memory is within nobody's reach but that of a master that nothing confines.

mod graph;
mod json;
mod svg;
mod text;

pub use graph::{Access, Audit, Edge, Kind, Memory, Party, Reach, Translation, Via};
pub(crate) use text::rights;

use sluice_spec::System;

use crate::derive::Together;
use crate::spec::Spec;

impl Audit {
    /// The reach in `system`, whose devices form `groups`, and what the policy of `spec`, from which it was derived, denies.
    #[must_use]
    pub fn of(spec: &Spec, system: &System, groups: &[Together]) -> Self {
        graph::build(&spec.policy, system, groups)
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        text::show(self)
    }

    /// For machines; `docs/audit.md` describes the form.
    #[must_use]
    pub fn json(&self) -> String {
        json::show(self)
    }

    /// To be looked at.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::draw(self)
    }
}
