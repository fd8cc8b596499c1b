//! Puts kernel, file system and device tree into the guest's memory.
