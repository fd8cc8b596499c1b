//! The virtual SMMU, as a guest and as the kernel see it.

mod commands;
mod entries;
mod events;
mod guest;
mod hostile;
mod looks;
mod probe;
mod random;
mod registers;
mod tables;
mod world;
