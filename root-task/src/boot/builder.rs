//! Making objects, mapping frames, filling pages: the steps everything else consists of.

use alloc::collections::BTreeMap;
use alloc::string::ToString;

use sluice_abi::{CapRights, FrameSize, ObjectType, PAGE_SIZE, RETYPE_FAN_OUT_LIMIT, VirtAddr, VmAttributes, bootinfo};
use sluice_sys::{CNode, Failure, Slot};

use super::census::Census;
use crate::Stop;
use crate::elf::Page;
use crate::kernel::{Invocation, Kernel, WINDOW};
use crate::memory::{Arena, DeviceMemory, Place, Ram, Slots, Untyped};
use crate::tables::Tables;

/// Where the root task maps the frame it fills.
pub(super) const FILL: u64 = WINDOW.start;
/// Where it maps larger ones, one at a time: an address range in which no tables for pages are ever made.
const FILL_LARGE: u64 = WINDOW.start + (2 << 32);
/// Where it maps the registers of the console, beside the frame it fills.
const CONSOLE: u64 = FILL + PAGE_SIZE;
/// Where the root task maps configuration space.
const CONFIGURATION: u64 = WINDOW.start + (1 << 32);

/// Normal memory nobody executes.
pub(super) const DATA: VmAttributes = VmAttributes::DEFAULT.union(VmAttributes::EXECUTE_NEVER);
/// Device registers.
pub(super) const DEVICE: VmAttributes = VmAttributes::EXECUTE_NEVER;
/// Loads and stores.
pub(super) const READ_WRITE: CapRights = CapRights::READ.union(CapRights::WRITE);

/// An address space, for a CPU or a device, and the tables it has.
pub(super) struct Space {
    pub(super) vspace: u64,
    tables: Tables,
}

/// The kernel and what is left of what it handed over.
pub(super) struct Builder<K> {
    pub(super) kernel: K,
    slots: Slots,
    ram: Ram,
    device: DeviceMemory,
    own: Space,
    /// A slot that is empty between steps.
    transit: u64,
    /// Of what the component is made that is being built.
    arena: Option<Arena>,
    /// First slots of device registers that were handed out, by address and size.
    registers: BTreeMap<(u64, u64), core::ops::Range<u64>>,
    /// Buses of configuration space: physical address, and where they are mapped.
    configuration: BTreeMap<u64, u64>,
    /// The page of the console's registers that the root task has mapped itself: physical address, and frame.
    console: Option<(u64, u64)>,
    /// Whether an SMMU has a stage 2, for those that were asked about.
    stage_2: BTreeMap<u8, bool>,
}

impl<K: Kernel> Builder<K> {
    pub(super) fn new(kernel: K, info: &bootinfo::BootInfo) -> Result<Self, Stop> {
        let count = info.untyped.end.saturating_sub(info.untyped.start) as usize;
        let untypeds = || {
            let listed = info.untyped_list.iter().take(count).zip(info.untyped.start..);
            listed.map(|(described, cap)| {
                let untyped = Untyped { cap, base: described.paddr, size_bits: described.size_bits };
                (untyped, described.is_device != 0)
            })
        };
        let mut slots = Slots::new(info.empty.start, info.empty.end);
        let transit = slots.take(1)?;
        Ok(Self {
            kernel,
            slots,
            ram: Ram::new(untypeds().filter(|(_, device)| !device).map(|(untyped, _)| untyped)),
            device: DeviceMemory::new(untypeds().filter(|(_, device)| *device).map(|(untyped, _)| untyped)),
            own: Space { vspace: bootinfo::slot::INIT_VSPACE, tables: Tables::default() },
            transit,
            arena: None,
            registers: BTreeMap::new(),
            configuration: BTreeMap::new(),
            console: None,
            stage_2: BTreeMap::new(),
        })
    }

    /// A slot of the root CNode.
    pub(super) const fn root(slot: u64) -> Slot {
        CNode(sluice_abi::CPtr(bootinfo::slot::INIT_CNODE)).slot(slot)
    }

    pub(super) fn invoke(&mut self, who: &str, invocation: Invocation) -> Result<(), Stop> {
        self.kernel.invoke(&invocation).map_err(|failure| Stop::Refused {
            action: invocation.action(),
            who: who.to_string(),
            failure,
        })
    }

    /// From here on everything is made of what `arena` has, or takes for good.
    pub(super) fn enter(&mut self, arena: Arena) {
        self.arena = Some(arena);
    }

    /// The arena entered last.
    pub(super) fn leave(&mut self) -> Arena {
        self.arena.take().unwrap_or_default()
    }

    /// What is in use.
    pub(super) fn census(&self) -> Census {
        let capabilities = self.kernel.occupied(self.transit..self.slots.next());
        Census { bytes_left: self.ram.left(), slots_left: self.slots.left(), capabilities }
    }

    /// How many of an arena's slots are in use, where the kernel tells.
    pub(super) fn held(&self, arena: &Arena) -> u64 {
        arena.slots().filter_map(|slot| self.kernel.occupied(slot..slot + 1)).sum()
    }

    fn take_slots(&mut self, count: u64) -> Result<u64, Stop> {
        match &mut self.arena {
            Some(arena) => Ok(arena.take_slots(count, &mut self.slots)??),
            None => Ok(self.slots.take(count)?),
        }
    }

    /// An empty slot.
    pub(super) fn slot(&mut self) -> Result<u64, Stop> {
        self.take_slots(1)
    }

    /// The Untyped that some of `wanted` objects are made of, and how many of them.
    fn place(&mut self, who: &str, size_bits: u32, wanted: u64) -> Result<(u64, u64), Stop> {
        let out_of_memory = Stop::Memory { size_bits, count: wanted };
        loop {
            let Some(arena) = &mut self.arena else {
                let piece = self.ram.take(size_bits, wanted).ok_or(out_of_memory)?;
                return Ok((piece.untyped, wanted));
            };
            match arena.place(size_bits, wanted)? {
                Place::Here { untyped, count } => return Ok((untyped, count)),
                Place::Grow { size_bits } => {
                    let piece = self.ram.take(size_bits, 1).ok_or(Stop::Memory { size_bits, count: 1 })?;
                    let slot = self.slots.take(1)?;
                    let (untyped, object) = (piece.untyped, ObjectType::Untyped);
                    self.invoke(who, Invocation::Retype { untyped, object, size_bits, slot, count: 1 })?;
                    let added = Untyped { cap: slot, base: piece.base, size_bits: size_bits as u8 };
                    self.arena.iter_mut().for_each(|arena| arena.add(added));
                }
            }
        }
    }

    /// `count` new objects in consecutive slots; the first slot. `user_bits` counts for Untyped and CNode.
    pub(super) fn objects(&mut self, who: &str, object: ObjectType, user_bits: u32, count: u64) -> Result<u64, Stop> {
        let first = self.take_slots(count)?;
        let size_bits = object.size_bits(user_bits);
        let mut done = 0;
        while done < count {
            let (untyped, batch) = self.place(who, size_bits, (count - done).min(RETYPE_FAN_OUT_LIMIT))?;
            let slot = first + done;
            self.invoke(who, Invocation::Retype { untyped, object, size_bits: user_bits, slot, count: batch })?;
            done += batch;
        }
        Ok(first)
    }

    /// `count` new frames in consecutive slots, without gaps in memory; the first slot, and its physical address.
    pub(super) fn contiguous(&mut self, who: &str, object: ObjectType, count: u64) -> Result<(u64, u64), Stop> {
        let first = self.slots.take(count)?;
        let size_bits = object.size_bits(0);
        let piece = self.ram.take(size_bits, count).ok_or(Stop::Memory { size_bits, count })?;
        let untyped = piece.untyped;
        let mut done = 0;
        while done < count {
            let batch = (count - done).min(RETYPE_FAN_OUT_LIMIT);
            let slot = first + done;
            self.invoke(who, Invocation::Retype { untyped, object, size_bits: 0, slot, count: batch })?;
            done += batch;
        }
        // A device will use these addresses, and nothing will check them then.
        for index in 0..count {
            let failed = |failure| Stop::Refused { action: "tell where a frame is", who: who.to_string(), failure };
            if self.kernel.address_of(first + index).map_err(failed)?.0 != piece.base + (index << size_bits) {
                return Err(Stop::System("the frames of a region for a device that bypasses translation have gaps"));
            }
        }
        Ok((first, piece.base))
    }

    /// One new object.
    pub(super) fn object(&mut self, who: &str, object: ObjectType) -> Result<u64, Stop> {
        self.objects(who, object, 0, 1)
    }

    /// A new, empty address space with its ASID.
    pub(super) fn space(&mut self, who: &str) -> Result<Space, Stop> {
        let vspace = self.object(who, ObjectType::VSpace)?;
        self.invoke(who, Invocation::AssignAsid { vspace })?;
        Ok(Space { vspace, tables: Tables::default() })
    }

    /// Whether the SMMU of `context`, which translates nothing yet, has a stage 2: only then does it take an address
    /// space that has tables already.
    pub(super) fn has_stage_2(&mut self, who: &str, smmu: u8, context: u64) -> Result<bool, Stop> {
        if let Some(known) = self.stage_2.get(&smmu) {
            return Ok(*known);
        }
        // Asked once: what it takes is no part of the component.
        let arena = self.arena.take();
        let made = self.space(who).and_then(|space| Ok((space.vspace, self.object(who, ObjectType::PageTable)?)));
        self.arena = arena;
        let (vspace, table) = made?;
        self.invoke(who, Invocation::MapTable { table, vspace, at: VirtAddr(0) })?;
        let assign = Invocation::AssignSpace { context, space: vspace };
        let has = match self.kernel.invoke(&assign) {
            Ok(()) => {
                self.invoke(who, Invocation::UnassignSpace { context })?;
                true
            }
            Err(Failure::InvalidCapability { number: 1 }) => false,
            Err(failure) => {
                return Err(Stop::Refused { action: assign.action(), who: who.to_string(), failure });
            }
        };
        self.stage_2.insert(smmu, has);
        Ok(has)
    }

    /// Maps a frame, and the tables it needs before it.
    pub(super) fn map(
        &mut self,
        who: &str,
        space: &mut Space,
        frame: u64,
        at: (u64, FrameSize),
        access: (CapRights, VmAttributes),
    ) -> Result<(), Stop> {
        let vspace = space.vspace;
        for covered in space.tables.missing(at.0, at.1) {
            let table = self.object(who, ObjectType::PageTable)?;
            self.invoke(who, Invocation::MapTable { table, vspace, at: VirtAddr(covered) })?;
        }
        let (rights, attributes) = access;
        self.invoke(who, Invocation::MapFrame { frame, vspace, at: VirtAddr(at.0), rights, attributes })
    }

    /// The slot that is empty between steps.
    pub(super) const fn transit(&self) -> Slot {
        Self::root(self.transit)
    }

    /// Maps memory into the root task's own space, to be read only.
    pub(super) fn show(&mut self, who: &str, frame: u64) -> Result<(), Stop> {
        self.map_with(who, frame, (FILL, FrameSize::Small), (CapRights::READ, DATA))
    }

    /// Maps a frame into the root task's own space.
    fn map_own(&mut self, who: &str, frame: u64, at: (u64, FrameSize), attributes: VmAttributes) -> Result<(), Stop> {
        self.map_with(who, frame, at, (READ_WRITE, attributes))
    }

    pub(super) fn map_with(
        &mut self,
        who: &str,
        frame: u64,
        at: (u64, FrameSize),
        access: (CapRights, VmAttributes),
    ) -> Result<(), Stop> {
        let mut own = core::mem::replace(&mut self.own, Space { vspace: 0, tables: Tables::default() });
        // Its tables outlive the component.
        let arena = self.arena.take();
        let mapped = self.map(who, &mut own, frame, at, access);
        self.arena = arena;
        self.own = own;
        mapped
    }

    /// Puts the contents of a page into a new frame.
    pub(super) fn fill(&mut self, who: &str, frame: u64, page: &Page<'_>) -> Result<(), Stop> {
        if page.contents.is_empty() {
            return Ok(());
        }
        self.map_own(who, frame, (FILL, FrameSize::Small), DATA)?;
        for (offset, bytes) in &page.contents {
            self.kernel.write(VirtAddr(FILL + offset), bytes);
        }
        if page.perms.execute {
            self.invoke(who, Invocation::UnifyInstruction { frame })?;
        }
        self.invoke(who, Invocation::UnmapFrame { frame })
    }

    /// Puts `bytes` at the start of a new frame of any size.
    pub(super) fn fill_frame(&mut self, who: &str, frame: u64, size: FrameSize, bytes: &[u8]) -> Result<(), Stop> {
        let at = if size == FrameSize::Small { FILL } else { FILL_LARGE };
        self.map_own(who, frame, (at, size), DATA)?;
        self.kernel.write(VirtAddr(at), bytes);
        self.invoke(who, Invocation::UnmapFrame { frame })
    }

    /// A copy of a frame capability, to be mapped once more.
    pub(super) fn copy_frame(&mut self, who: &str, frame: u64) -> Result<u64, Stop> {
        let slot = self.slot()?;
        self.invoke(who, Invocation::Copy { from: frame, to: Self::root(slot), rights: CapRights::all() })?;
        Ok(slot)
    }

    /// A copy of a frame capability in the transit slot, to be mapped and moved away.
    pub(super) fn copy_frame_in_transit(&mut self, who: &str, frame: u64) -> Result<u64, Stop> {
        let to = Self::root(self.transit);
        self.invoke(who, Invocation::Copy { from: frame, to, rights: CapRights::all() })?;
        Ok(self.transit)
    }

    /// A badged copy with fewer rights, for the kernel to keep.
    pub(super) fn badged(&mut self, who: &str, from: u64, rights: CapRights, badge: u64) -> Result<u64, Stop> {
        let slot = self.slot()?;
        self.invoke(who, Invocation::Mint { from, to: Self::root(slot), rights, badge })?;
        Ok(slot)
    }

    /// Frames of the device memory at `base..base + size`; the first of their slots.
    fn device_frames(&mut self, who: &str, (base, size): (u64, u64), frame: FrameSize) -> Result<u64, Stop> {
        if let Some((_, frame)) = self.console.filter(|(own, _)| *own == base && size == PAGE_SIZE) {
            return self.copy_frame(who, frame);
        }
        let carved = self.device.frames((base, size), frame, &mut self.slots);
        let (first, steps) = carved.map_err(|error| Stop::Registers { who: who.to_string(), error })?;
        for step in steps {
            let user_bits = if step.object == ObjectType::Untyped { step.size_bits } else { 0 };
            let (untyped, object, slot, count) = (step.untyped, step.object, step.slot, step.count);
            self.invoke(who, Invocation::Retype { untyped, object, size_bits: user_bits, slot, count })?;
        }
        Ok(first)
    }

    /// Maps the page of the console's registers for the root task's own lines; their owner gets a copy.
    pub(super) fn open_console(&mut self, registers: u64) -> Result<(), Stop> {
        let base = registers & !(PAGE_SIZE - 1);
        let frame = self.device_frames("console", (base, PAGE_SIZE), FrameSize::Small)?;
        self.map_own("console", frame, (CONSOLE, FrameSize::Small), DEVICE)?;
        self.console = Some((base, frame));
        self.kernel.open_console(VirtAddr(CONSOLE + (registers - base)));
        Ok(())
    }

    /// As [`Builder::device_frames`], made once: the root task keeps the capabilities, and components get copies.
    pub(super) fn registers(&mut self, who: &str, at: (u64, u64), frame: FrameSize) -> Result<u64, Stop> {
        if let Some(frames) = self.registers.get(&at) {
            return Ok(frames.start);
        }
        let arena = self.arena.take();
        let made = self.device_frames(who, at, frame);
        self.arena = arena;
        let first = made?;
        self.registers.insert(at, first..first + (at.1 >> frame.bits()));
        Ok(first)
    }

    /// Takes back what components have of device registers.
    pub(super) fn revoke_registers(&mut self, who: &str, at: (u64, u64)) -> Result<(), Stop> {
        let Some(frames) = self.registers.get(&at).cloned() else { return Ok(()) };
        frames.into_iter().try_for_each(|slot| self.invoke(who, Invocation::Revoke { slot }))
    }

    /// Makes 1 MiB of configuration space readable; does nothing the second time.
    pub(super) fn map_configuration(&mut self, who: &str, base: u64, size: u64) -> Result<(), Stop> {
        if self.configuration.contains_key(&base) {
            return Ok(());
        }
        let vaddr = CONFIGURATION + self.configuration.len() as u64 * size;
        let first = self.device_frames(who, (base, size), FrameSize::Small)?;
        for page in 0..size / PAGE_SIZE {
            self.map_own(who, first + page, (vaddr + page * PAGE_SIZE, FrameSize::Small), DEVICE)?;
        }
        self.configuration.insert(base, vaddr);
        Ok(())
    }

    /// Where a register of configuration space is mapped.
    pub(super) fn configuration(&self, at: u64, size: u64) -> Option<VirtAddr> {
        let (base, vaddr) = self.configuration.range(..=at).next_back()?;
        (at - base < size).then(|| VirtAddr(vaddr + (at - base)))
    }
}
