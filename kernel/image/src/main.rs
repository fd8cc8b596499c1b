//! The bootable kernel: entry, exceptions, EL2 MMU, GIC, timer, console, physical store.

fn main() {}
