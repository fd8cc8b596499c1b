//! The abstract machine: what the kernel does, said once more in sets and maps, to be read and to be compared.
//!
//! A [`State`] holds every capability with its parent, every object, every address space as a partial map from pages
//! to frames, every binding of a stream, and what every thread does. [`State::after_event`] says what becomes of it when
//! something happens: a system call, a fault, an interrupt, a report of an SMMU. Of a system call, [`Request::decode`]
//! understands the message, and [`step`] says what the invocation makes of the state, or why it is refused.
//! [`State::authority`] and [`State::dma_reach`] are derived from the state, and [`invariant`] names what holds in every
//! state that can be reached.
//!
//! Principles:
//! - It knows nothing of lists, tables in memory, tags, caches or preemption: those are how, this is what.
//! - A capability's parent is written down. The kernel keeps a list in depth-first order and two bits instead; that
//!   both describe the same forest is for the refinement tests to show.
//! - A binding of a stream is nothing but a capability in a slot of its own, so whatever removes the capability ends
//!   the binding.
//! - It never calls the kernel and the kernel never calls it. Only tests see both.
//!
//! What is *not* here: the contents of memory (a thread that waits leaves its IPC buffer alone), turns among threads of
//! the same priority, floating point, what addresses lead to within a guest, and what a holder's stage 1 says.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod authority;
mod cache;
mod cap;
mod cnode;
mod configure;
mod cspace;
mod delete;
mod derivation;
mod domain;
mod event;
mod fault;
mod forward;
mod guest;
mod integrity;
mod interrupt;
pub mod invariant;
mod invocation;
mod ipc;
mod map;
mod memory;
mod message;
mod name;
mod object;
mod reach;
mod refused;
mod registers;
mod report;
mod retype;
mod schedule;
mod signal;
mod smmu;
mod space;
mod stage1;
mod state;
mod step;
mod stream;
mod tcb;
mod thread;
mod transfer;
mod vcpu;
mod wait;

pub use cap::{Cap, Mapping, Rights};
pub use configure::{NewBuffer, NewSpace};
pub use event::{Event, Happening};
pub use forward::Forwarded;
pub use guest::{Deed, Injected, Stage, Virtualization};
pub use integrity::{Trespass, trespasses};
pub use interrupt::Interrupts;
pub use invocation::Invocation;
pub use map::Map;
pub use message::{Request, rights};
pub use name::{Asid, ObjectName, Slot, ThreadSlot};
pub use object::Object;
pub use reach::{Reach, Reached};
pub use refused::Refused;
pub use registers::Registers;
pub use report::{Faults, KEPT, LatestFault};
pub use schedule::Turn;
pub use smmu::{Abilities, RejectedCommand, Smmu};
pub use space::{Page, Space};
pub use state::{Held, State};
pub use step::{Answer, Refusal, step};
pub use thread::{Doing, Fault, Sending, Thread};
pub use transfer::{Buffer, ReceivePath};
pub use vcpu::Vcpu;
