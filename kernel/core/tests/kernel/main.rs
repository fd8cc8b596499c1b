//! The kernel, driven through its entry points on a machine of the host.

mod boot;
mod cnode;
mod deletion;
mod invariants;
mod machine;
mod snapshot;
mod untyped;
mod user;
