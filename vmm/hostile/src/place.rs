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
/// Bytes of memory that the program counts on; there may be no more in tests of what is behind it.
pub const RAM_BYTES: u64 = 0x100_0000;
/// Memory that the image, its stack and the device tree leave alone.
pub const FREE: u64 = RAM + 0x40_0000;

/// Where other machines of this kind have what a guest has not: message frames of a GICv2m and a GICv3's ITS.
pub const MESSAGES: [u64; 2] = [0x0802_0040, 0x0809_0040];
/// Addresses at which the guest has nothing: the first, others' registers and memory on the real machine, behind its own
/// memory, and far out.
pub const NOWHERE: [u64; 8] =
    [0, 0x0400_0000, 0x0808_0000, 0x0a00_0000, RAM + RAM_BYTES, 0x6000_0000, 0x40_1000_0000, 0x7f_ffff_f000];
