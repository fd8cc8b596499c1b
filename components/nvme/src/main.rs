//! The NVMe component: reads and hashes one disk, fills another with a pattern, and does on purpose what must fail.
//!
//! On the host there is only the library and its tests; the program is for the target.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod component;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this program runs on Sluice only");
    std::process::exit(1);
}
