//! A guest that boots at once and reads its disk for as long as it lives.
//!
//! Why it exists: to end a guest with commands of its disk in flight, hundreds of times, without waiting for Linux to boot each
//! time, and to be the neighbour of one that ends so. To its VMM it is a kernel like any other: an arm64 `Image` that finds its
//! disk on the PCI bus, places its registers, lets it master memory and keeps its queue full.
//!
//! The word `reader.run=NAME` of its command line says what it does. Without one it looks at nothing that it reads, and asks
//! firmware for a reset after some reads, with the queue full. `digests`: it reads all of the disk again and again, and prints
//! the SHA-256 of each piece, for somebody who knows the disk to compare. `lent`: it needs no disk, looks
//! at the page behind its memory, which its VMM has lent it, and sleeps.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod digests;
#[cfg(target_os = "none")]
mod disk;
#[cfg(target_os = "none")]
mod lent;
#[cfg(target_os = "none")]
mod queue;
#[cfg(target_os = "none")]
mod restless;
#[cfg(target_os = "none")]
mod start;

#[cfg(not(target_os = "none"))]
fn main() {}
