//! A component that keeps a canary page, for systems in which nobody else does.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod serve;
#[cfg(target_os = "none")]
sluice_rt::entry!(serve::run);

#[cfg(not(target_os = "none"))]
fn main() {}
