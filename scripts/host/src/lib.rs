//! What the scripts do.

pub mod device_tree;
pub mod platform;
