//! Kernel objects: what each remembers. What happens to them is in the kernel's modules.

mod asid_pool;
mod context;
mod endpoint;
mod notification;
mod queue;
mod stream;
mod tcb;

pub use asid_pool::{AsidEntry, AsidPool};
pub use context::Context;
pub use endpoint::Endpoint;
pub use notification::{Notification, NotificationState};
pub use queue::Queue;
pub use stream::{Pending, Stream, StreamState, STREAM_STRIDE, stream_shadow};
pub use tcb::{BlockedSender, Fault, Tcb, TcbSlot, ThreadState, UserContext};
pub(crate) use tcb::sanitise_spsr;
