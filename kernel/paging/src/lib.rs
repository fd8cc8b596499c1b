//! VMSAv8-64 descriptors and one walker over them.
#![no_std]
