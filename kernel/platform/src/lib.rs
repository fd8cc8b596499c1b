//! A machine described from a device tree.
#![no_std]
