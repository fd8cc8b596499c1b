//! Writing the boot information, word by word: its frame is memory a user may write.

use core::mem::offset_of;

use sluice_abi::PhysAddr;
use sluice_abi::bootinfo::{BootInfo, MAX_UNTYPEDS, SlotRegion};

use super::Extra;
use super::space::chunk_len;
use crate::hal::Hal;

pub(super) struct Regions {
    pub(super) untyped: SlotRegion,
    pub(super) empty: SlotRegion,
    pub(super) frames: SlotRegion,
    pub(super) paging: SlotRegion,
    pub(super) extra: SlotRegion,
}

pub(super) struct InfoWriter {
    page: PhysAddr,
    untypeds: usize,
}

impl InfoWriter {
    pub(super) const fn new(page: PhysAddr) -> Self {
        Self { page, untypeds: 0 }
    }

    fn put(&self, hal: &impl Hal, offset: usize, value: u64) {
        hal.frame_store(self.page.offset(offset as u64), value);
    }

    fn put_region(&self, hal: &impl Hal, offset: usize, region: SlotRegion) {
        self.put(hal, offset, region.start);
        self.put(hal, offset + 8, region.end);
    }

    /// Whether the list takes another Untyped.
    pub(super) const fn has_room(&self) -> bool {
        self.untypeds < MAX_UNTYPEDS
    }

    pub(super) fn untyped(&mut self, hal: &impl Hal, base: PhysAddr, bits: u8, device: bool) {
        let at = offset_of!(BootInfo, untyped_list) + 16 * self.untypeds;
        self.put(hal, at, base.0);
        self.put(hal, at + 8, u64::from(bits) | u64::from(device) << 8);
        self.untypeds += 1;
    }

    pub(super) fn finish(
        self,
        hal: &impl Hal,
        regions: &Regions,
        ipc_buffer: u64,
        cnode_bits: u32,
        extras: &[Extra<'_>],
    ) {
        self.put(hal, offset_of!(BootInfo, extra_len), extras.iter().map(chunk_len).sum());
        self.put(hal, offset_of!(BootInfo, num_nodes), 1);
        self.put(hal, offset_of!(BootInfo, ipc_buffer), ipc_buffer);
        self.put(hal, offset_of!(BootInfo, init_cnode_bits), cnode_bits.into());
        self.put_region(hal, offset_of!(BootInfo, empty), regions.empty);
        self.put_region(hal, offset_of!(BootInfo, user_image_frames), regions.frames);
        self.put_region(hal, offset_of!(BootInfo, user_image_paging), regions.paging);
        self.put_region(hal, offset_of!(BootInfo, extra_bi_pages), regions.extra);
        self.put_region(hal, offset_of!(BootInfo, untyped), regions.untyped);
    }
}
