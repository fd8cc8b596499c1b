//! Where things are, in guest-physical addresses (`docs/guests.md`, "What a guest sees").

/// GICv3 distributor, 64 KiB.
pub const DISTRIBUTOR: u64 = 0x0800_0000;
/// First redistributor; each has [`REDISTRIBUTOR_BYTES`].
pub const REDISTRIBUTORS: u64 = 0x080a_0000;
/// Bytes of a redistributor.
pub const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;
/// PL011.
pub const UART: u64 = 0x0900_0000;
/// SMMUv3, two pages of 64 KiB.
pub const SMMU: u64 = 0x0905_0000;
/// First address that BARs can be at.
pub const WINDOW: u64 = 0x1000_0000;
/// PCI configuration space of the one bus.
pub const ECAM: u64 = 0x3f00_0000;
/// Memory.
pub const RAM: u64 = 0x4000_0000;
/// Memory that the image, its stack and the device tree leave alone.
pub const FREE: u64 = RAM + 0x40_0000;
