//! native component.

fn main() {}
