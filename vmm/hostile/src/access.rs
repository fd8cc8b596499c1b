//! Accesses of emulated registers: of every width, aligned and not, with words that name much and words that name nothing.

use crate::place::{DISTRIBUTOR, ECAM, REDISTRIBUTOR_BYTES, REDISTRIBUTORS, SMMU, UART};

/// One access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Guest-physical address.
    pub address: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub bytes: u8,
    /// What is written; a read when nothing is.
    pub write: Option<u64>,
}

/// Addresses that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sweep {
    /// What is there.
    pub device: Device,
    /// First address.
    pub from: u64,
    /// One past the last.
    pub to: u64,
    /// Bytes from one access's address to the next.
    pub step: u64,
}

/// An emulated device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// Of the interrupt controller.
    Distributor,
    /// Of the interrupt controller, with the one behind the last.
    Redistributors,
    /// The console.
    Uart,
    /// The virtual SMMU.
    Smmu,
    /// Configuration space.
    Ecam,
}

const fn sweep(device: Device, base: u64, from: u64, to: u64, step: u64) -> Sweep {
    Sweep { device, from: base + from, to: base + to, step }
}

/// Where every device keeps its registers, and what is beside them. A step that is odd meets every alignment.
pub const SWEEPS: [Sweep; 17] = [
    sweep(Device::Distributor, DISTRIBUTOR, 0, 0xd00, 4),
    sweep(Device::Distributor, DISTRIBUTOR, 1, 0x1000, 13),
    sweep(Device::Distributor, DISTRIBUTOR, 0x6000, 0x6420, 8),
    sweep(Device::Distributor, DISTRIBUTOR, 0x7ff0, 0x8010, 1),
    sweep(Device::Distributor, DISTRIBUTOR, 0xffc1, 0x1_0000, 3),
    sweep(Device::Redistributors, REDISTRIBUTORS, 0, 0x80, 4),
    sweep(Device::Redistributors, REDISTRIBUTORS, 0x1_0000, 0x1_0d00, 20),
    sweep(Device::Redistributors, REDISTRIBUTORS, 0x1_0001, 0x1_0d00, 37),
    sweep(Device::Redistributors, REDISTRIBUTORS, REDISTRIBUTOR_BYTES - 9, REDISTRIBUTOR_BYTES + 0x40, 5),
    sweep(Device::Redistributors, REDISTRIBUTORS, 8 * REDISTRIBUTOR_BYTES - 11, 8 * REDISTRIBUTOR_BYTES, 1),
    sweep(Device::Uart, UART, 0x01, 0x60, 1),
    sweep(Device::Uart, UART, 0xfd0, 0x1000, 3),
    sweep(Device::Smmu, SMMU, 0, 0x100, 4),
    sweep(Device::Smmu, SMMU, 1, 0x1_0000, 3457),
    sweep(Device::Smmu, SMMU, 0x1_0091, 0x1_0100, 5),
    sweep(Device::Ecam, ECAM, 0, 0x10_0000, 0x1ff3),
    sweep(Device::Ecam, ECAM, 0xf_fff1, 0x10_0000, 1),
];

/// Words that are written.
pub const VALUES: [u64; 3] = [u64::MAX, 0x5a5a_1234_a5a5_8001, 0];
/// Every width.
pub const WIDTHS: [u8; 4] = [1, 2, 4, 8];

impl Sweep {
    /// The accesses: at each address a read and a write of every word, of every width.
    pub fn accesses(self) -> impl Iterator<Item = Access> {
        let addresses = (self.from..self.to).step_by(self.step as usize);
        addresses.flat_map(|address| {
            WIDTHS.into_iter().flat_map(move |bytes| {
                let writes = VALUES.into_iter().map(Some);
                core::iter::once(None).chain(writes).map(move |write| Access { address, bytes, write })
            })
        })
    }
}
