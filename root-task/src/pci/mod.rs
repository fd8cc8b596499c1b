//! PCI: what functions there are, what address ranges they decode, and when they may do what.
//!
//! No firmware has run: buses are unnumbered, BARs unassigned. ECAM never leaves the root task, so a component can
//! neither move its device's registers nor turn bus mastering or message-signalled interrupts on.

mod bars;
mod bridge;
mod capability;
mod config;
mod control;
mod enumerate;
#[cfg(test)]
pub(crate) mod fake;
mod isolation;
mod layout;
mod reset;
mod route;

pub use bars::{Assigned, Bar, BarError, Windows, size_bars};
pub use bridge::{BridgeError, above_alone, follow_mastering};
pub use capability::{Capability, capabilities};
pub use config::{Access, Identity};
pub use control::{Decode, disable_mastering, enable_decode, enable_interrupt, enable_mastering, quiesce};
pub use enumerate::{EnumerateError, Found, Role, enumerate};
pub use isolation::{Holder, Shared, isolate};
pub use reset::{Reset, ResetError, best_reset, reset};
pub use route::{open_bridges, place_behind};
