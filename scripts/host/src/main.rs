//! What the scripts do: toolchain, build, run, test.

fn main() {}
