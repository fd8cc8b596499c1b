//! What the command does with whole files.

mod image;
mod mutants;
mod root_task;
mod specs;
mod support;
