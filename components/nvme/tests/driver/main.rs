//! The driver against a simulated controller that executes commands from the rings and PRP lists in memory.

mod bring_up;
mod fake;
mod hostile;
mod job;
mod properties;
mod transfers;
