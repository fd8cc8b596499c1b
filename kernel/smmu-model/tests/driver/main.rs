//! The driver against the model.

mod events;
mod failure;
mod features;
mod invalidate;
mod ordering;
mod publish;
mod rig;
