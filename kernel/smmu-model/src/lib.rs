//! A software SMMUv3 with its caches, for tests.
#![no_std]
