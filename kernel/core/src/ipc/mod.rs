//! Messages between threads.

mod buffer;
mod cancel;
mod fast;
mod fault;
mod receive;
mod send;
mod signal;
mod transfer;

pub(crate) use buffer::IpcBuffer;
pub(crate) use transfer::ExtraCaps;
