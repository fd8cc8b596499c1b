//! PCIe: hosts, addresses of functions, address windows. No configuration cycle is made here.

mod address;
pub(crate) mod host;
mod window;

pub use address::{PciAddress, Pin};
pub use host::{MAX_PCI_HOSTS, PciHost};
pub use window::{MAX_WINDOWS, Space, Window};
