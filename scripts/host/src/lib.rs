//! What the scripts do: find a toolchain, build a system's boot image, boot it in QEMU and judge what it printed.
//!
//! The shell scripts beside this crate only install what is missing and start it. Every decision is here, in functions
//! that are tested without a machine to boot: which toolchain, which QEMU command line, whether a transcript satisfies a
//! system's list of checks. A boot counts as good only when every expected check was printed once with the expected
//! outcome, the root task counted the same, and the machine powered itself off.
//!
//! What it does not do: derive anything about a system (that is `capdl-gen`'s) or install software (`scripts/setup`).

pub mod audit;
pub mod bench;
pub mod boot;
pub mod build;
pub mod conformance;
pub mod demo;
pub mod device_tree;
pub mod disk;
pub mod expectation;
pub mod flight;
pub mod fuzz;
pub mod gdb;
pub mod guest;
pub mod host_tests;
pub mod keys;
pub mod machines;
pub mod mutants;
pub mod neighbour;
pub mod peer;
pub mod platform;
pub mod provisions;
pub mod qemu;
pub mod reference;
pub mod report;
pub mod root_disk;
pub mod run;
pub mod stops;
pub mod suite;
pub mod symbols;
pub mod tally;
pub mod toolchain;
pub mod trace;
pub mod transcript;
pub mod tree;
pub mod verdict;
