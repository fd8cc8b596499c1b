//! A root task that holds the kernel it runs on against its documented interface; see the library for why and how.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod target;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("the conformance task runs on the kernel only: build it for aarch64-unknown-none-softfloat");
    std::process::ExitCode::FAILURE
}
