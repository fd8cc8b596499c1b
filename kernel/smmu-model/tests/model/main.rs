//! The model against the architecture's text, case by case, and against QEMU's SMMUv3 in random ones.

mod bench;
mod encode;
mod stages;
