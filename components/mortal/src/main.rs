//! The program.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
sluice_rt::entry!(run::run);

#[cfg(not(target_os = "none"))]
fn main() {}
