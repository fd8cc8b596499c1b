//! The program.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod exerciser;
#[cfg(target_os = "none")]
sluice_rt::entry!(exerciser::run);

#[cfg(not(target_os = "none"))]
fn main() {}
