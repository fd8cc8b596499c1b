//! The system-call interface of the kernel as data.
//!
//! Kernel, user library, root task, generator and tests all take their numbers from here, so that none can drift
//! from another. The interface is that of seL4 16.0 (AArch64, hypervisor, non-MCS, one core, 44-bit physical
//! addresses, SMMU objects on); what Sluice adds is appended after the last seL4 number and marked as such.
//!
//! What is *not* here: logic. A function in this crate converts between a word and its typed form, nothing more.
#![no_std]
#![forbid(unsafe_code)]

mod address;
pub mod bootinfo;
pub mod cap;
mod context;
mod error;
pub mod fault;
pub mod image;
pub mod invocation;
pub mod ipc_buffer;
mod label;
mod message;
mod numbered;
mod object;
mod rights;
pub mod smmu;
mod syscall;
pub mod vcpu;

pub use address::{CPtr, Iova, PhysAddr, VirtAddr};
pub use context::{FPU_DISABLED, PSTATE_FLAGS, PSTATE_USER, Register, USER_CONTEXT_WORDS, USER_FRAME_WORDS};
pub use error::{Error, LookupFailure};
pub use label::Label;
pub use message::MessageInfo;
pub use numbered::{Constant, Field};
pub use object::{FrameSize, ObjectType};
pub use rights::{CapRights, VmAttributes};
pub use syscall::Syscall;

/// Bits of a physical address the kernel and its SMMU tables handle (one configuration: 44).
pub const PHYS_BITS: u32 = 44;
/// Last address a VSpace can map: four levels of a 44-bit input address.
pub const USER_TOP: u64 = (1 << PHYS_BITS) - 1;
/// log2 of the smallest page.
pub const PAGE_BITS: u32 = 12;
/// Bytes of the smallest page.
pub const PAGE_SIZE: u64 = 1 << PAGE_BITS;
/// log2 of the bytes of a capability slot.
pub const SLOT_BITS: u32 = 5;
/// Bits a CSpace lookup resolves.
pub const WORD_BITS: u32 = 64;
/// Smallest Untyped, as log2 of its bytes.
pub const MIN_UNTYPED_BITS: u32 = 4;
/// Largest Untyped, as log2 of its bytes.
pub const MAX_UNTYPED_BITS: u32 = 47;
/// Most objects one `Untyped_Retype` makes.
pub const RETYPE_FAN_OUT_LIMIT: u64 = 256;
/// Highest thread priority.
pub const MAX_PRIORITY: u8 = 255;
/// log2 of the ASIDs in one pool.
pub const ASID_POOL_INDEX_BITS: u32 = 9;
/// log2 of the number of ASID pools.
pub const ASID_POOL_COUNT_BITS: u32 = 7;
/// Scheduling domains configured.
pub const NUM_DOMAINS: u64 = 1;
/// Entries of the domain schedule, the last of which always ends it.
pub const DOMAIN_SCHEDULE_LENGTH: usize = 2;
/// Most ticks of one entry: they share a word with the domain.
pub const MAX_DOMAIN_TICKS: u64 = (1 << 56) - 1;
/// Timer tick in microseconds.
pub const TIMER_TICK_US: u64 = 2000;
/// Ticks a thread runs before the next of its priority.
pub const TIME_SLICE_TICKS: u64 = 5;
