//! Turns a system spec into a boot image and shows who can reach what.

fn main() {}
