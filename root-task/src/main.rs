//! The root task as the kernel starts it. What it does is in the library; here is the unsafe rest: entry, stack, heap,
//! and memory that only capabilities make real.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod bare;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("the root task runs on the kernel only: build it for aarch64-unknown-none-softfloat");
    std::process::ExitCode::FAILURE
}
