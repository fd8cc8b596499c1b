//! Device trees: of QEMU, written by hand, broken on purpose and broken at random.

mod bad_trees;
mod blobs;
mod edit;
mod handmade;
mod nops;
mod qemu;
mod slack;
