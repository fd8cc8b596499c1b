//! Turns a system spec into a boot image.
//!
//! A user writes names; this crate derives numbers. The way of a spec: [`spec`] reads TOML into typed values,
//! [`derive`] resolves names and asks the [`platform`]'s device tree for streams, interrupts and registers, [`reach`]
//! holds the result against the policy, and [`image`] packs it with the kernel, the root task and the components.
//!
//! Whatever is wrong with a spec is found before anything is written, and said with [`diagnostic`]s that point at the
//! line. What the spec language promises and this version cannot do is such a problem too; nothing is ignored.
#![forbid(unsafe_code)]

pub mod audit;
pub mod cdl;
pub mod cli;
pub mod derive;
pub mod diagnostic;
mod guest;
pub mod image;
pub mod platform;
pub mod reach;
pub mod spec;
mod suggest;
pub mod summary;
pub mod system;
