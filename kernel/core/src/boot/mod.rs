//! The first thread and what it is given.
//!
//! The image finds out what memory there is and where the root task lies; what becomes of it is decided here, so that
//! tests can look at the initial state.

mod info;
mod memory;
mod space;

pub use memory::{Range, Ranges, TooMany, blocks};

use core::fmt;

use sluice_abi::bootinfo::{SlotRegion, slot};
use sluice_abi::{
    CapRights, MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, ObjectType, PAGE_BITS, PAGE_SIZE, PhysAddr, WORD_BITS,
};

use self::info::InfoWriter;
use crate::Kernel;
use crate::cap::{Asid, CNode, Cap, Links, Untyped, VSpace};
use crate::hal::Hal;
use crate::object::{AsidPool, Tcb, TcbSlot, ThreadState};
use crate::store::{Handle, SlotRef};

/// The root task as it lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RootImage {
    /// First byte, page-aligned.
    pub at: PhysAddr,
    /// Pages.
    pub pages: u64,
    /// Address of the first page for the root task.
    pub vaddr: u64,
    /// Where it starts.
    pub entry: u64,
    /// log2 of the root CNode's slots.
    pub cnode_bits: u32,
}

/// A chunk of extra boot information to copy.
#[derive(Clone, Copy, Debug)]
pub struct Extra<'a> {
    /// Kind of chunk.
    pub id: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What the root task is made from.
pub struct BootMemory {
    /// Ordinary memory nobody uses.
    pub free: Ranges,
    /// Physical addresses below 2^44 that are neither memory nor the kernel's own devices.
    pub devices: Ranges,
}

/// Why the root task could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootError {
    /// Not enough free memory for this.
    Memory(&'static str),
    /// The root CNode has too few slots; it would need this many.
    Slots(u64),
    /// The image's addresses do not fit the address space.
    Addresses,
    /// The root CNode's size is out of range.
    CNodeBits(u32),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(what) => write!(f, "not enough memory for the root task's {what}"),
            Self::Slots(needed) => write!(f, "the root CNode is too small: {needed} slots are needed"),
            Self::Addresses => write!(f, "the root task's addresses lie outside the address space"),
            Self::CNodeBits(bits) => write!(f, "a root CNode of 2^{bits} slots is not possible"),
        }
    }
}

/// Allowed sizes of the root CNode: it must hold the fixed slots, and its guard must fit.
const CNODE_BITS: core::ops::RangeInclusive<u32> = 5..=26;

/// Capabilities being handed out.
pub(super) struct Slots {
    first: SlotRef,
    next: u64,
    count: u64,
}

impl<H: Hal> Kernel<H> {
    /// Makes the root task and hands it all memory that is left.
    ///
    /// # Errors
    /// [`BootError`]; the kernel is of no use then.
    pub fn boot_root_task(
        &mut self,
        image: RootImage,
        mut memory: BootMemory,
        extras: &[Extra<'_>],
    ) -> Result<(), BootError> {
        let root = self.make_root_cnode(image.cnode_bits, &mut memory.free)?;
        let Cap::CNode(cnode) = root else { return Err(BootError::CNodeBits(image.cnode_bits)) };
        let mut slots = Slots { first: SlotRef::new(cnode.base), next: slot::FIRST_FREE, count: 1 << cnode.radix };
        self.provide(slots.first.nth(slot::INIT_CNODE), root);
        for (index, cap) in [(slot::IRQ_CONTROL, Cap::IrqControl), (slot::ASID_CONTROL, Cap::AsidControl)] {
            self.provide(slots.first.nth(index), cap);
        }
        self.provide(slots.first.nth(slot::DOMAIN), Cap::Domain);
        if self.smmus.unit(0).is_some() {
            self.provide(slots.first.nth(slot::SID_CONTROL), Cap::SidControl);
            self.provide(slots.first.nth(slot::CB_CONTROL), Cap::CbControl);
        }
        let asid = self.make_root_vspace(&slots, &mut memory.free)?;
        let info = self.map_root_task(image, asid, &mut slots, &mut memory.free, extras)?;
        let thread = self.make_root_thread(&slots, image, info, &mut memory.free)?;
        self.write_boot_info(image, info, &mut slots, &memory, extras)?;
        self.watch.set_root(slots.first, slots.count);
        self.trace_start(slots.first, slots.count, thread);
        self.start(thread);
        Ok(())
    }

    fn make_root_cnode(&mut self, bits: u32, free: &mut Ranges) -> Result<Cap, BootError> {
        if !CNODE_BITS.contains(&bits) {
            return Err(BootError::CNodeBits(bits));
        }
        let object_bits = ObjectType::CNode.size_bits(bits);
        let base = free.allocate(1 << object_bits, object_bits).ok_or(BootError::Memory("CNode"))?;
        self.hal.clear(base, 1 << object_bits);
        self.hal.create_slots(base, 1 << bits);
        let guard_bits = (WORD_BITS - bits) as u8;
        Ok(Cap::CNode(CNode { base, radix: bits as u8, guard: 0, guard_bits }))
    }

    fn make_root_vspace(&mut self, slots: &Slots, free: &mut Ranges) -> Result<Asid, BootError> {
        let root = self.boot_page(free, "VSpace")?;
        let pool_at = self.boot_page(free, "ASID pool")?;
        let pool = self.hal.create::<AsidPool>(pool_at);
        let base = Asid(0);
        self.spaces.set_pool(base, Some(pool));
        self.provide(slots.first.nth(slot::INIT_ASID_POOL), Cap::AsidPool { pool, base });
        // ASID 0 is never given out.
        let asid = Asid(1);
        self.assign_asid(asid, root);
        let vspace = Cap::VSpace(VSpace { root, asid: Some(asid), bound: None });
        self.provide(slots.first.nth(slot::INIT_VSPACE), vspace);
        Ok(asid)
    }

    fn make_root_thread(
        &mut self,
        slots: &Slots,
        image: RootImage,
        info: space::RootPages,
        free: &mut Ranges,
    ) -> Result<Handle<Tcb>, BootError> {
        let bits = ObjectType::Tcb.size_bits(0);
        let at = free.allocate(1 << bits, bits).ok_or(BootError::Memory("thread"))?;
        self.hal.clear(at, 1 << bits);
        let thread = self.hal.create::<Tcb>(at);
        self.provide(slots.first.nth(slot::INIT_TCB), Cap::Thread(thread));
        for (which, source) in [
            (TcbSlot::CSpace, slot::INIT_CNODE),
            (TcbSlot::VSpace, slot::INIT_VSPACE),
            (TcbSlot::Buffer, slot::INIT_IPC_BUFFER),
        ] {
            let source = slots.first.nth(source);
            let mut cap = self.cap(source);
            if let Cap::Frame(frame) = &mut cap {
                frame.mapped = None;
            }
            self.insert(cap, source, thread.slot(which as u64));
        }
        let tcb = self.tcb(thread);
        tcb.ipc_buffer.set(info.ipc_buffer);
        tcb.priority.set(sluice_abi::MAX_PRIORITY);
        tcb.max_priority.set(sluice_abi::MAX_PRIORITY);
        tcb.context.x[0].set(info.boot_info);
        tcb.context.pc.set(image.entry);
        tcb.context.restart_pc.set(image.entry);
        tcb.name.set(*b"rootserver\0\0\0\0\0\0");
        Ok(thread)
    }

    fn start(&mut self, thread: Handle<Tcb>) {
        self.ensure_master_reply(thread);
        self.tcb(thread).state.set(ThreadState::Running);
        self.append(thread);
        self.reschedule();
        self.schedule();
    }

    fn write_boot_info(
        &mut self,
        image: RootImage,
        info: space::RootPages,
        slots: &mut Slots,
        memory: &BootMemory,
        extras: &[Extra<'_>],
    ) -> Result<(), BootError> {
        let mut writer = InfoWriter::new(info.info_page);
        let first_untyped = slots.next;
        for (ranges, device) in [(&memory.devices, true), (&memory.free, false)] {
            for range in ranges.iter() {
                for (base, bits) in blocks(range, MIN_UNTYPED_BITS, MAX_UNTYPED_BITS) {
                    if !writer.has_room() {
                        break;
                    }
                    // Counted as used up, so that the first retype clears it.
                    let untyped = Untyped { base, bits: bits as u8, device, used: 1 << bits };
                    self.provide_next(slots, Cap::Untyped(untyped))?;
                    writer.untyped(&self.hal, base, bits as u8, device);
                }
            }
        }
        let regions = info::Regions {
            untyped: SlotRegion { start: first_untyped, end: slots.next },
            empty: SlotRegion { start: slots.next, end: slots.count },
            frames: info.frames,
            paging: info.paging,
            extra: info.extra_pages,
        };
        writer.finish(&self.hal, &regions, info.ipc_buffer, image.cnode_bits, extras);
        Ok(())
    }

    fn boot_page(&mut self, free: &mut Ranges, what: &'static str) -> Result<PhysAddr, BootError> {
        let at = free.allocate(PAGE_SIZE, PAGE_BITS).ok_or(BootError::Memory(what))?;
        self.hal.clear(at, PAGE_SIZE);
        Ok(at)
    }

    /// Puts an initial capability into a slot: the root of a derivation tree.
    fn provide(&mut self, slot: SlotRef, cap: Cap) {
        self.slot(slot).set_cap(cap);
        self.slot(slot).set_links(Links { prev: None, next: None, revocable: true, first_badged: true });
    }

    fn provide_next(&mut self, slots: &mut Slots, cap: Cap) -> Result<(), BootError> {
        if slots.next == slots.count {
            return Err(BootError::Slots(slots.count + 1));
        }
        self.provide(slots.first.nth(slots.next), cap);
        slots.next += 1;
        Ok(())
    }
}

const READ_WRITE: CapRights = CapRights::READ.union(CapRights::WRITE);
