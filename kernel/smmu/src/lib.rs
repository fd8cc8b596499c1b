//! SMMUv3: registers, structures, queues and the driver that orders writes to them.
#![no_std]
