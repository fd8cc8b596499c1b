//! The model against the architecture's text, case by case, and against QEMU's SMMUv3 in random ones.

mod bench;
mod build;
mod case;
mod compare;
mod deviations;
mod differential;
mod driver;
mod encode;
mod faults;
mod machine;
mod rights;
mod sequence;
mod stages;
