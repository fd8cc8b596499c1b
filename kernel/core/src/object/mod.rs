//! Kernel objects: what each remembers. What happens to them is in the kernel's modules.

mod asid_pool;
mod context;
mod endpoint;
mod notification;
mod queue;
mod stream;
mod tcb;
mod vcpu;

pub use asid_pool::{AsidEntry, AsidPool};
pub use context::Context;
pub use endpoint::Endpoint;
pub use notification::{Notification, NotificationState};
pub use queue::Queue;
pub use stream::{Pending, STREAM_STRIDE, Stream, StreamState, stream_shadow};
pub use tcb::{BlockedSender, Fault, FpuContext, Tcb, TcbSlot, ThreadState, UserContext};
pub use vcpu::{MAX_ACTIVE_PRIORITIES, MAX_LIST_REGISTERS, Vcpu, Vgic};
