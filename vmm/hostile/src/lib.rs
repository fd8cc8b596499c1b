//! What a hostile guest knows of its machine, and which accesses of registers it makes.
//!
//! The program beside this library makes them in a guest, and tests of the VMM's core make the same on the host: what is
//! tried there is tried here, and the other way round. The library imports nothing; a guest knows what `docs/guests.md`
//! says.
#![no_std]
#![forbid(unsafe_code)]

pub mod access;
pub mod place;
