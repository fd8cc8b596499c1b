//! The abstract machine: what the kernel does, said once more in sets and maps, to be read and to be compared.
//!
//! A [`State`] holds every capability with its parent, every object, every address space as a partial map from pages
//! to frames, and every binding of a stream. [`step`] says what an invocation makes of it, or why it is refused.
//! [`State::authority`] and [`State::dma_reach`] are derived from the state, and [`invariant`] names what holds in
//! every state that can be reached.
//!
//! Principles:
//! - It knows nothing of lists, tables in memory, tags, caches or preemption: those are how, this is what.
//! - A capability's parent is written down. The kernel keeps a list in depth-first order and two bits instead; that
//!   both describe the same forest is for the refinement tests to show.
//! - A binding of a stream is nothing but a capability in a slot of its own, so whatever removes the capability ends
//!   the binding.
//! - It never calls the kernel and the kernel never calls it. Only tests see both.
//!
//! What is *not* here: messages between threads, faults and their records, interrupts, scheduling, register contents,
//! and stream tables made after boot.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod authority;
mod cap;
mod cnode;
mod delete;
mod derivation;
mod integrity;
pub mod invariant;
mod invocation;
mod memory;
mod name;
mod object;
mod reach;
mod retype;
mod space;
mod state;
mod step;
mod stream;
mod thread;

pub use cap::{Cap, Mapping, Rights};
pub use integrity::{Trespass, trespasses};
pub use invocation::Invocation;
pub use name::{Asid, ObjectName, Slot, ThreadSlot};
pub use object::{Object, Thread};
pub use reach::Reached;
pub use space::{Page, Space};
pub use state::{Held, Smmu, State};
pub use step::{Refusal, step};
