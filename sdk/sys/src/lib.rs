//! The user's view of the kernel: system calls, the IPC buffer and capabilities by type.
//!
//! Why it exists: a program that talks to the kernel should name objects and operations, never registers and numbers.
//! Each kind of capability is a newtype over a [`CPtr`]; each of its methods is one invocation of the interface. What an
//! invocation puts on the wire is built by a pure function as a [`Message`] value, so the encoding is tested on the
//! host word by word; one function sends it.
//!
//! Principles:
//! 1. One system-call instruction ([`trap`](self) module), one place that touches the IPC buffer.
//! 2. A refused invocation is a [`Failure`] with its message registers decoded.
//! 3. Numbers come from `sluice-abi` and nowhere else.
//!
//! What it does not do: own anything. Dropping a value of a capability type deletes nothing, copying it copies a number.
//! Capabilities are authority over memory: who unmaps the frame behind a live Rust object breaks the program, with or
//! without `unsafe`. Components leave such frames to the root task, which never hands their capabilities out.
#![no_std]

mod answer;
mod asid;
mod boot;
mod buffer;
mod cnode;
mod debug;
mod failure;
mod frame;
mod ipc;
mod irq;
mod message;
mod notification;
mod smmu_cb;
mod smmu_sid;
mod tables;
mod tcb;
mod trap;
mod untyped;
mod vcpu;

pub use sluice_abi as abi;

pub use asid::{AsidControl, AsidPool};
pub use boot::{Boot, extra_chunk};
pub use buffer::{ReceiveSlot, set_ipc_buffer, set_receive_slot};
pub use cnode::{CNode, Pivot, Slot};
pub use debug::{
    Census, debug_cap_identify, debug_census, debug_halt, debug_made, debug_name_thread, debug_put_char,
    debug_snapshot, debug_space,
};
pub use failure::Failure;
pub use frame::Frame;
pub use ipc::{Endpoint, Event, Received, nb_recv, recv, reply, yield_now};
pub use irq::{IrqControl, IrqHandler, Trigger};
pub use message::Message;
pub use notification::Notification;
pub use smmu_cb::{Cb, CbControl};
pub use smmu_sid::{GlobalFault, Sid, SidControl};
pub use tables::{PageTable, VSpace};
pub use tcb::{Configuration, Resume, Tcb, UserContext};
pub use untyped::{Destination, Untyped};
pub use vcpu::{Progress, Vcpu, VirtualInterrupt};

/// Declares the capability to one kind of object.
macro_rules! capability {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A value names a slot; it proves nothing about what lies in it: the kernel checks at each use.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(transparent)]
        pub struct $name(pub sluice_abi::CPtr);

        impl $name {
            /// The capability pointer.
            #[must_use]
            pub const fn cptr(self) -> sluice_abi::CPtr {
                self.0
            }
        }

        impl From<u64> for $name {
            fn from(slot: u64) -> Self {
                Self(sluice_abi::CPtr(slot))
            }
        }
    };
}
use capability;

use answer::invoke;
