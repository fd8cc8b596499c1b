//! A guest that boots at once and reads its disk for as long as it lives.
//!
//! Why it exists: to end a guest with commands of its disk in flight, hundreds of times, without waiting for Linux to boot each
//! time. To its VMM it is a kernel like any other: an arm64 `Image` that finds its disk on the PCI bus, places its
//! registers, lets it master memory and keeps its queue full. It looks at nothing that it reads. After some reads it asks
//! firmware for a reset, with the queue full.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod disk;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod queue;
#[cfg(target_os = "none")]
mod start;

#[cfg(not(target_os = "none"))]
fn main() {}
