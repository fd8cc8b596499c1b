//! What the command does with whole files.

mod image;
mod mutants;
mod specs;
mod support;
