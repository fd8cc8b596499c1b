//! The timer server.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod server;
#[cfg(target_os = "none")]
sluice_rt::entry!(server::run);

#[cfg(not(target_os = "none"))]
fn main() {}
