//! Canary pages: memory that one component keeps, and that nobody else's device must be able to change.
//!
//! Why it exists: to show that a device cannot reach another component's memory, somebody has to aim at a page whose
//! physical address is known, and the owner of the page has to say whether it is still as it was. A [`Keeper`] is
//! that owner; a [`Vault`] is the aimer's end of the channel. The keeper also adopts a frame that the other component
//! sends it, which shows what happens to memory that changes hands.
//!
//! Telling a physical address gives no authority; in a system without such experiments no component does it.
#![no_std]
#![forbid(unsafe_code)]

mod client;
mod keeper;
mod pattern;
mod protocol;

pub use client::{Vault, VaultError};
pub use keeper::Keeper;
pub use protocol::{CHANNEL, Damage, Refusal, ShownDamage};
