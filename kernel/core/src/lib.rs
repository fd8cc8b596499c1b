//! The kernel: capabilities, objects, IPC, scheduling, decided in safe code.
#![no_std]
