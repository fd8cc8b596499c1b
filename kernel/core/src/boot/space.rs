//! The root task's address space: its image, IPC buffer and boot information.

use sluice_abi::bootinfo::{ExtraHeader, SlotRegion, slot};
use sluice_abi::{FrameSize, PAGE_SIZE, PhysAddr, USER_TOP, VirtAddr};
use sluice_paging::{Access, Entry, Format, Leaf, MemoryType};

use super::{BootError, Extra, READ_WRITE, Ranges, RootImage, Slots};
use crate::Kernel;
use crate::cap::{Asid, Cap, Frame, Mapping, PageTable};
use crate::hal::Hal;

/// Where the pages that are not of the image went.
#[derive(Clone, Copy)]
pub(super) struct RootPages {
    pub(super) ipc_buffer: u64,
    pub(super) boot_info: u64,
    pub(super) info_page: PhysAddr,
    pub(super) frames: SlotRegion,
    pub(super) paging: SlotRegion,
    pub(super) extra_pages: SlotRegion,
}

const EXECUTABLE: Access = Access { read: true, write: true, execute: true };

impl<H: Hal> Kernel<H> {
    /// Maps everything; the extra boot information is copied on the way.
    pub(super) fn map_root_task(
        &mut self,
        image: RootImage,
        asid: Asid,
        slots: &mut Slots,
        free: &mut Ranges,
        extras: &[Extra<'_>],
    ) -> Result<RootPages, BootError> {
        let extra_len: u64 = extras.iter().map(chunk_len).sum();
        let extra_count = extra_len.div_ceil(PAGE_SIZE);
        let image_bytes = image.pages.checked_mul(PAGE_SIZE).ok_or(BootError::Addresses)?;
        let ipc_buffer = image.vaddr.checked_add(image_bytes).ok_or(BootError::Addresses)?;
        let boot_info = ipc_buffer + PAGE_SIZE;
        let extra_at = boot_info + PAGE_SIZE;
        let end = extra_at + extra_count * PAGE_SIZE;
        if end > USER_TOP || !image.vaddr.is_multiple_of(PAGE_SIZE) || !(image.vaddr..ipc_buffer).contains(&image.entry)
        {
            return Err(BootError::Addresses);
        }

        let paging = self.make_tables(asid, image.vaddr, end, slots, free)?;

        let start = slots.next;
        for index in 0..extra_count {
            let page = self.boot_page(free, "boot information")?;
            let cap = self.map_boot_page(asid, page, extra_at + index * PAGE_SIZE, Access::READ_WRITE);
            self.provide_next(slots, cap)?;
            self.copy_extras(extras, index * PAGE_SIZE, page);
        }
        let extra_pages = SlotRegion { start, end: slots.next };

        let start = slots.next;
        for index in 0..image.pages {
            let at = image.at.offset(index * PAGE_SIZE);
            let cap = self.map_boot_page(asid, at, image.vaddr + index * PAGE_SIZE, EXECUTABLE);
            self.provide_next(slots, cap)?;
        }
        let frames = SlotRegion { start, end: slots.next };

        let info_page = self.boot_page(free, "boot information")?;
        let cap = self.map_boot_page(asid, info_page, boot_info, Access::READ_WRITE);
        self.provide(slots.first.nth(slot::BOOT_INFO_FRAME), cap);
        let page = self.boot_page(free, "IPC buffer")?;
        let cap = self.map_boot_page(asid, page, ipc_buffer, Access::READ_WRITE);
        self.provide(slots.first.nth(slot::INIT_IPC_BUFFER), cap);
        Ok(RootPages { ipc_buffer, boot_info, info_page, frames, paging, extra_pages })
    }

    /// Tables of every level for `start..end`, upper levels first.
    fn make_tables(
        &mut self,
        asid: Asid,
        start: u64,
        end: u64,
        slots: &mut Slots,
        free: &mut Ranges,
    ) -> Result<SlotRegion, BootError> {
        let root = self.root_of(asid).ok_or(BootError::Addresses)?;
        let first = slots.next;
        for level in 0..3u8 {
            let coverage = Format::coverage_bits(level);
            for index in start >> coverage..=(end - 1) >> coverage {
                let vaddr = VirtAddr(index << coverage);
                let base = self.boot_page(free, "page tables")?;
                let found = self.find_entry(Format::STAGE2, root, vaddr);
                self.map_table(found.slot, Format::STAGE2.encode_table(base));
                let mapped = Mapping::new(asid, vaddr);
                self.provide_next(slots, Cap::PageTable(PageTable { base, mapped }))?;
            }
        }
        Ok(SlotRegion { start: first, end: slots.next })
    }

    fn map_boot_page(&mut self, asid: Asid, at: PhysAddr, vaddr: u64, access: Access) -> Cap {
        let mapped = Mapping::new(asid, VirtAddr(vaddr));
        let frame = Frame { base: at, size: FrameSize::Small, rights: READ_WRITE, device: false, mapped };
        if let (Some(mapping), Some(root)) = (mapped, self.root_of(asid)) {
            let found = self.find_entry(Format::STAGE2, root, mapping.vaddr());
            let leaf = Leaf { address: at, size: FrameSize::Small, access, memory: MemoryType::Normal };
            self.map_frame(mapping, &frame, found.slot, Format::STAGE2.encode_leaf(&leaf), Entry::Invalid);
        }
        Cap::Frame(frame)
    }

    /// Fills one page with what belongs there of the chunks laid end to end.
    fn copy_extras(&mut self, extras: &[Extra<'_>], page_offset: u64, page: PhysAddr) {
        for word in 0..PAGE_SIZE / 8 {
            let value = extra_word(extras, page_offset + word * 8);
            self.hal.frame_store(page.offset(word * 8), value);
        }
    }
}

/// Bytes of a chunk with its header, rounded up to a word.
pub(super) fn chunk_len(extra: &Extra<'_>) -> u64 {
    size_of::<ExtraHeader>() as u64 + (extra.bytes.len() as u64).next_multiple_of(8)
}

/// The word at `offset` of the chunks laid end to end.
fn extra_word(extras: &[Extra<'_>], mut offset: u64) -> u64 {
    for extra in extras {
        let len = chunk_len(extra);
        if offset >= len {
            offset -= len;
            continue;
        }
        return match offset {
            0 => extra.id,
            8 => len,
            _ => {
                let start = (offset - 16) as usize;
                let end = extra.bytes.len().min(start + 8);
                let bytes = extra.bytes.get(start..end).unwrap_or(&[]);
                bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
            }
        };
    }
    0
}
