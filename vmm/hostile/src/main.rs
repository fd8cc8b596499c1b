//! The program: a guest that attacks.
//!
//! The word `hostile.run=NAME` of its command line says what it does; see `run.rs`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod attack;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod edu;
#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod gic;
#[cfg(target_os = "none")]
mod mmu;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod rogue;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod second;
#[cfg(target_os = "none")]
mod smmu;
#[cfg(target_os = "none")]
mod stage1;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod trap;

#[cfg(not(target_os = "none"))]
fn main() {}
