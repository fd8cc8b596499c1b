//! Where a guest finds things: guest-physical addresses and interrupt numbers.
//!
//! They are those of QEMU's `virt`, for no deeper reason than that people know them. A guest learns them from its device
//! tree.

/// A range of guest-physical addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// First byte.
    pub base: u64,
    /// Bytes.
    pub size: u64,
}

impl Range {
    /// Offset of `address` in the range, if it lies in it.
    #[must_use]
    pub const fn offset_of(self, address: u64) -> Option<u64> {
        let offset = address.wrapping_sub(self.base);
        if offset < self.size { Some(offset) } else { None }
    }
}

/// GICv3 distributor.
pub const DISTRIBUTOR: Range = Range { base: 0x0800_0000, size: 0x1_0000 };
/// GICv3 redistributors, [`REDISTRIBUTOR_STRIDE`] for each processor.
pub const REDISTRIBUTORS: Range = Range { base: 0x080a_0000, size: REDISTRIBUTOR_STRIDE * MAX_PROCESSORS as u64 };
/// Bytes of one redistributor: its two 64 KiB frames.
pub const REDISTRIBUTOR_STRIDE: u64 = 0x2_0000;
/// PL011.
pub const UART: Range = Range { base: 0x0900_0000, size: 0x1000 };
/// Virtual SMMUv3: two 64 KiB pages.
pub const SMMU: Range = Range { base: 0x0905_0000, size: 0x2_0000 };
/// Where BARs go.
pub const PCI_WINDOW: Range = Range { base: 0x1000_0000, size: 0x2eff_0000 };
/// PCI configuration space of bus 0.
pub const ECAM: Range = Range { base: 0x3f00_0000, size: 0x10_0000 };
/// First byte of RAM.
pub const RAM_BASE: u64 = 0x4000_0000;

/// Most virtual processors of a guest.
pub const MAX_PROCESSORS: usize = 8;

/// Interrupt numbers (INTIDs) of the guest.
pub mod intid {
    /// Virtual timer, level.
    pub const VIRTUAL_TIMER: u32 = 27;
    /// PL011, level.
    pub const UART: u32 = 33;
    /// PCI INTA to INTD, level; the pin of a device is swizzled by its slot.
    pub const PCI: [u32; 4] = [35, 36, 37, 38];
    /// Event queue of the virtual SMMU, edge.
    pub const SMMU_EVENTS: u32 = 106;
    /// CMD_SYNC completion of the virtual SMMU, edge.
    pub const SMMU_SYNC: u32 = 108;
    /// Global errors of the virtual SMMU, edge.
    pub const SMMU_ERRORS: u32 = 109;
    /// One past the last shared interrupt.
    pub const END: u32 = 128;
}
