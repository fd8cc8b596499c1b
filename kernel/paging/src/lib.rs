//! VMSAv8-64 descriptors and one walker over them.
#![no_std]
#![forbid(unsafe_code)]

mod memory;

pub use memory::TableMemory;
