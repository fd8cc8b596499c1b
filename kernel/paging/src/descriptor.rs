//! Bit positions of VMSAv8-64 descriptors with a 4 KiB granule (DDI 0487, D8.3).

/// Bit 0: the descriptor is valid.
pub(crate) const VALID: u64 = 1;
/// Bit 1: a table (levels 0..=2) or a page (level 3); clear for a block.
pub(crate) const TABLE_OR_PAGE: u64 = 1 << 1;
/// SH, bits 9:8: inner shareable. Ignored for Device memory.
pub(crate) const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF, bit 10. Set from the start: neither CPU nor SMMU is asked to manage it (D8.5).
pub(crate) const ACCESSED: u64 = 1 << 10;
/// Output address of a table or page descriptor, bits 47:12, of which 43:12 are used.
pub(crate) const ADDRESS: u64 = ((1 << sluice_abi::PHYS_BITS) - 1) & !((1 << sluice_abi::PAGE_BITS) - 1);

/// Stage-2 fields (D8.3; D8.4 for S2AP and XN; D8.6 for MemAttr without FEAT_S2FWB).
pub(crate) mod stage2 {
    /// MemAttr[3:0], bits 5:2: Normal, outer and inner write-back cacheable.
    pub(crate) const NORMAL: u64 = 0b1111 << 2;
    /// MemAttr[3:0]: Device-nGnRnE.
    pub(crate) const DEVICE: u64 = 0;
    /// S2AP[0], bit 6.
    pub(crate) const READ: u64 = 1 << 6;
    /// S2AP[1], bit 7.
    pub(crate) const WRITE: u64 = 1 << 7;
    /// XN[1], bit 54. XN[0] (bit 53) stays 0: without FEAT_XNX it is RES0, and with it `0b10` still denies both levels.
    pub(crate) const EXECUTE_NEVER: u64 = 1 << 54;
}

/// Stage-1 fields of the EL1&0 regime (D8.3; D8.4 for AP, UXN and PXN).
pub(crate) mod stage1 {
    /// AttrIndx, bits 4:2: the Normal byte of [`crate::STAGE1_MAIR`].
    pub(crate) const NORMAL: u64 = 0 << 2;
    /// AttrIndx: the Device byte of [`crate::STAGE1_MAIR`].
    pub(crate) const DEVICE: u64 = 1 << 2;
    /// AP[1], bit 6: EL0 has the access that EL1 has.
    pub(crate) const UNPRIVILEGED: u64 = 1 << 6;
    /// AP[2], bit 7: read only.
    pub(crate) const READ_ONLY: u64 = 1 << 7;
    /// nG, bit 11: the translation belongs to one ASID.
    pub(crate) const NOT_GLOBAL: u64 = 1 << 11;
    /// PXN and UXN, bits 53 and 54.
    pub(crate) const EXECUTE_NEVER: u64 = 0b11 << 53;
}
