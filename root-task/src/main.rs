//! Makes the spec's objects, hands them out, and stays as supervisor.

fn main() {}
