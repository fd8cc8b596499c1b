//! The program.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod fire;
#[cfg(target_os = "none")]
sluice_rt::entry!(fire::run);

#[cfg(not(target_os = "none"))]
fn main() {}
