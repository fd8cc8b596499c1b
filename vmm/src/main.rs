//! The virtual machine monitor of one guest.
//!
//! It makes the guest's objects from its own memory, loads the kernel, and then answers what the guest does that is not
//! real: accesses to emulated devices, firmware calls, ends of interrupts. What a guest sees is decided in
//! `sluice-vmm-core`; here are the capabilities.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod clock;
#[cfg(target_os = "none")]
mod context;
#[cfg(target_os = "none")]
mod contexts;
#[cfg(target_os = "none")]
mod count;
#[cfg(target_os = "none")]
mod error;
#[cfg(target_os = "none")]
mod guest;
#[cfg(target_os = "none")]
mod keys;
#[cfg(target_os = "none")]
mod load;
#[cfg(target_os = "none")]
mod passed;
#[cfg(target_os = "none")]
mod ram;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod scrub;
#[cfg(target_os = "none")]
mod serve;
#[cfg(target_os = "none")]
mod targets;
#[cfg(target_os = "none")]
mod trial;
#[cfg(target_os = "none")]
mod world;
#[cfg(target_os = "none")]
sluice_rt::entry!(run::run);

#[cfg(not(target_os = "none"))]
fn main() {}
