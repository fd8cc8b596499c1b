//! What every check starts from: memory to make objects of, empty slots, a window of addresses, and a way to take all of
//! it back.

use core::fmt::{Debug, Display, Write};

use sluice_abi::bootinfo::{BootInfo, UntypedDesc, slot};
use sluice_abi::{CapRights, Label, ObjectType, PAGE_BITS, PAGE_SIZE, VmAttributes};
use sluice_conformance_task::{Check, Refusal, Text};

use super::Entry;
use super::call::{Buffer, Call, Reply, number, trap};

/// Why a check cannot go on.
pub(crate) type Stop = Text<96>;
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// A stop with a reason.
pub(crate) fn stop(why: impl Display) -> Stop {
    let mut text = Text::new();
    // What does not fit is cut off; a value whose formatting fails leaves a shorter reason.
    let _: core::fmt::Result = write!(text, "{why}");
    text
}

/// Bits of a capability pointer into the root CSpace.
pub(crate) const DEPTH: u64 = 64;
/// A slot that the interface keeps empty (`IOPortControl`).
pub(crate) const EMPTY: u64 = 7;
/// Pages of objects and threads that a check makes are mapped here, all below one page table.
pub(crate) const WINDOW: u64 = 0x10_0000_0000;
/// Addresses at which a check makes page tables of its own: nothing is below the root there.
pub(crate) const WILDERNESS: u64 = 0x100_0000_0000;

/// log2 of the bytes a check can make objects of.
const ARENA_BITS: u8 = 26;
/// log2 of the bytes for what lives as long as the program.
const FOUNDATION_BITS: u8 = 16;

/// The program's view of the system.
pub(crate) struct World {
    pub(crate) info: &'static BootInfo,
    pub(crate) entry: Entry,
    /// The extra boot information.
    pub(crate) extra: &'static [u8],
    /// Whether the kernel has the debug system calls.
    pub(crate) debug: bool,
    /// The root thread's IPC buffer.
    pub(crate) buffer: Buffer,
    /// Untyped of everything a check makes.
    pub(crate) arena: u64,
    foundation: u64,
    /// Pieces of device Untypeds that were cut off on the way to a page: capability, address, log2 of the bytes.
    offcuts: [(u64, u64, u64); 64],
    offcut_count: usize,
    kept_offcuts: usize,
    /// Slots `first..next` are the present check's.
    pub(crate) first: u64,
    pub(crate) next: u64,
    first_page: u64,
    next_page: u64,
    /// What a refused call must leave alone, beyond the check's own slots.
    pub(crate) watched: [u64; 32],
    pub(crate) watched_count: usize,
    pub(crate) check: Check,
}

impl World {
    /// # Safety
    /// `entry.info` must be what the kernel passed in `x0`, and this the only call: the kernel guarantees that the boot
    /// information is there, that extra information starts one page on, and changes neither.
    pub(crate) unsafe fn new(entry: &Entry) -> Self {
        let pointer = core::ptr::with_exposed_provenance::<BootInfo>(entry.info as usize);
        // SAFETY: by the caller's promise a valid `BootInfo` lies there for ever.
        let info: &'static BootInfo = unsafe { &*pointer };
        let extra = core::ptr::with_exposed_provenance::<u8>((entry.info + PAGE_SIZE) as usize);
        // SAFETY: by the caller's promise `extra_len` bytes are mapped there and never change.
        let extra = unsafe { core::slice::from_raw_parts(extra, info.extra_len as usize) };
        let mut world = Self {
            info,
            entry: *entry,
            extra,
            debug: false,
            buffer: Buffer(info.ipc_buffer),
            arena: 0,
            foundation: 0,
            offcuts: [(0, 0, 0); 64],
            offcut_count: 0,
            kept_offcuts: 0,
            first: info.empty.start,
            next: info.empty.start,
            first_page: WINDOW,
            next_page: WINDOW,
            watched: [0; 32],
            watched_count: 0,
            check: Check::new(),
        };
        world.foundation = world.untyped(|desc| desc.size_bits >= FOUNDATION_BITS, 0);
        world.arena = world.untyped(|desc| desc.size_bits >= ARENA_BITS, world.foundation);
        world
    }

    /// The smallest Untyped of ordinary memory that suits, other than `taken`; 0 when there is none.
    fn untyped(&self, suits: impl Fn(&UntypedDesc) -> bool, taken: u64) -> u64 {
        let suitable = self.untypeds().filter(|(cap, desc)| desc.is_device == 0 && suits(desc) && *cap != taken);
        suitable.min_by_key(|(_, desc)| desc.size_bits).map_or(0, |(cap, _)| cap)
    }

    /// Every Untyped of the boot information, with its capability.
    pub(crate) fn untypeds(&self) -> impl Iterator<Item = (u64, &'static UntypedDesc)> {
        (self.info.untyped.start..self.info.untyped.end).zip(self.info.untyped_list.iter())
    }

    /// Takes back everything the present check made; what will not go away is held against it.
    pub(crate) fn reset(&mut self) {
        let revoked = self.call(&cnode(Label::CNodeRevoke, self.arena));
        self.equal("revoking what the check made", revoked.label(), 0);
        for cap in (self.first..self.next).rev() {
            let deleted = self.call(&cnode(Label::CNodeDelete, cap));
            self.equal(format_args!("deleting slot {cap}"), deleted.label(), 0);
        }
        let left = (self.first..self.next).find(|cap| !self.is_empty(*cap));
        self.equal("slot that stays in use", left, None);
        self.next = self.first;
        self.next_page = self.first_page;
        self.watched_count = 0;
        self.offcut_count = self.kept_offcuts;
    }

    /// Makes everything made so far outlive the present check.
    pub(crate) fn keep(&mut self) {
        self.first = self.next;
        self.first_page = self.next_page;
        self.kept_offcuts = self.offcut_count;
    }

    /// Invokes the object.
    pub(crate) fn call(&self, call: &Call) -> Reply {
        Reply::from_registers(trap(number::CALL, call.stage(self.buffer)), self.buffer)
    }

    /// Invokes the object, which must do it.
    pub(crate) fn ok(&self, call: &Call) -> Outcome<Reply> {
        let reply = self.call(call);
        if reply.label() == 0 {
            return Ok(reply);
        }
        Err(stop(format_args!(
            "label {} of {:#x} was refused with {} {:#x?}",
            call.label(),
            call.service,
            reply.label(),
            reply.words()
        )))
    }

    /// The next empty slot.
    pub(crate) fn slot(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// So many empty slots in a row.
    pub(crate) fn slots(&mut self, count: u64) -> u64 {
        self.next += count;
        self.next - count
    }

    /// An object of the arena.
    pub(crate) fn make(&mut self, object: ObjectType, bits: u64) -> Outcome<u64> {
        let slot = self.slot();
        self.ok(&retype(self.arena, object, bits, slot, 1))?;
        Ok(slot)
    }

    /// A copy of a capability with a badge or guard; 0 leaves it as it is.
    pub(crate) fn mint(&mut self, source: u64, rights: CapRights, badge: u64) -> Outcome<u64> {
        let slot = self.slot();
        self.ok(&mint(source, slot, rights, badge))?;
        Ok(slot)
    }

    pub(crate) fn delete(&self, slot: u64) -> Outcome {
        self.ok(&cnode(Label::CNodeDelete, slot)).map(drop)
    }

    pub(crate) fn revoke(&self, slot: u64) -> Outcome {
        self.ok(&cnode(Label::CNodeRevoke, slot)).map(drop)
    }

    /// A new frame of zeroes in the window: its capability and address.
    pub(crate) fn page(&mut self) -> Outcome<(u64, u64)> {
        let frame = self.make(ObjectType::SmallPage, 0)?;
        let address = self.address();
        self.map(frame, address)?;
        Ok((frame, address))
    }

    /// An unused page of the window.
    pub(crate) fn address(&mut self) -> u64 {
        self.next_page += PAGE_SIZE;
        self.next_page - PAGE_SIZE
    }

    /// Maps a frame readable, writable and cacheable.
    pub(crate) fn map(&self, frame: u64, address: u64) -> Outcome {
        self.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT)).map(drop)
    }

    /// Maps a page of device registers and makes the tables of the window on the way.
    pub(crate) fn map_registers(&mut self, paddr: u64) -> Outcome<u64> {
        let frame = self.device_frame(paddr)?;
        let address = self.address();
        let call = page_map(frame, address, READ_WRITE, VmAttributes::EXECUTE_NEVER);
        while self.call(&call).label() == sluice_abi::Error::FailedLookup as u64 {
            let table = self.slot();
            self.ok(&retype(self.foundation, ObjectType::PageTable, 0, table, 1))?;
            self.ok(&page_table_map(table, slot::INIT_VSPACE, address))?;
        }
        if self.call(&call).label() != 0 {
            return Err(stop("the window has no place for device registers"));
        }
        self.keep();
        Ok(address)
    }

    /// The device page at `paddr`, cut out of the smallest Untyped that holds it.
    pub(crate) fn device_frame(&mut self, paddr: u64) -> Outcome<u64> {
        let listed = self.untypeds().filter(|(_, desc)| desc.is_device == 1);
        let listed = listed.map(|(cap, desc)| (cap, desc.paddr, u64::from(desc.size_bits)));
        let all = listed.chain(self.offcuts[..self.offcut_count].iter().copied());
        let holding = all.filter(|(_, base, bits)| *base <= paddr && paddr - base < 1 << bits);
        let found = holding.min_by_key(|(_, _, bits)| *bits);
        let (mut untyped, mut base, mut bits) = found.ok_or_else(|| stop("no device Untyped holds the registers"))?;
        while bits > u64::from(PAGE_BITS) {
            bits -= 1;
            let halves = self.slots(2);
            self.ok(&retype(untyped, ObjectType::Untyped, bits, halves, 2))?;
            let upper = paddr >> bits & 1;
            let other = (halves + (upper ^ 1), base + ((upper ^ 1) << bits), bits);
            if let Some(place) = self.offcuts.get_mut(self.offcut_count) {
                *place = other;
                self.offcut_count += 1;
            }
            untyped = halves + upper;
            base += upper << bits;
        }
        let frame = self.slot();
        self.ok(&retype(untyped, ObjectType::SmallPage, 0, frame, 1))?;
        Ok(frame)
    }

    /// Observes that `good` holds.
    pub(crate) fn that(&mut self, what: impl Display, good: bool) {
        self.check.that(what, good);
    }

    /// Observes that `found` is `wanted`.
    pub(crate) fn equal<T: PartialEq + Debug>(&mut self, what: impl Display, found: T, wanted: T) {
        self.check.equal(what, found, wanted);
    }

    /// Observes that the call is refused, with exactly this reply, by every kind of send, and without a trace.
    pub(crate) fn refused(&mut self, what: &str, call: &Call, refusal: Refusal) {
        let before = self.snapshot();
        let reply = self.call(call);
        let (label, words, count) = refusal.reply();
        self.equal(format_args!("{what}: error"), reply.label(), label);
        self.equal(format_args!("{what}: words"), reply.words(), &words[..count]);
        self.equal(
            format_args!("{what}: badge and capabilities"),
            (reply.badge, reply.info.word() >> 7 & 0x1f),
            (0, 0),
        );
        for (manner, number) in [("Send", number::SEND), ("NBSend", number::NB_SEND)] {
            let registers = call.stage(self.buffer);
            self.equal(format_args!("{what}: registers after {manner}"), trap(number, registers), registers);
        }
        let changed = self.snapshot().difference(&before);
        self.equal(format_args!("{what}: capability that changed"), changed, None);
    }

    /// Adds a capability to those that a refused call must leave alone.
    pub(crate) fn watch(&mut self, cap: u64) {
        if let Some(place) = self.watched.get_mut(self.watched_count) {
            *place = cap;
            self.watched_count += 1;
        }
    }
}

pub(crate) const READ_WRITE: CapRights = CapRights::READ.union(CapRights::WRITE);

/// `CNode_Delete` and its kin on a slot of the root CNode.
pub(crate) fn cnode(label: Label, index: u64) -> Call {
    Call::of(slot::INIT_CNODE, label).words(&[index, DEPTH])
}

/// `CNode_Mint` from one slot of the root CNode to another.
pub(crate) fn mint(source: u64, dest: u64, rights: CapRights, badge: u64) -> Call {
    let words = [dest, DEPTH, source, DEPTH, rights.bits(), badge];
    Call::of(slot::INIT_CNODE, if badge == 0 { Label::CNodeCopy } else { Label::CNodeMint })
        .words(&words[..if badge == 0 { 5 } else { 6 }])
        .caps(&[slot::INIT_CNODE])
}

/// `Untyped_Retype` into slots of the root CNode.
pub(crate) fn retype(untyped: u64, object: ObjectType, bits: u64, dest: u64, count: u64) -> Call {
    Call::of(untyped, Label::UntypedRetype).words(&[object as u64, bits, 0, 0, dest, count]).caps(&[slot::INIT_CNODE])
}

/// `Page_Map` into the root VSpace.
pub(crate) fn page_map(frame: u64, address: u64, rights: CapRights, attributes: VmAttributes) -> Call {
    Call::of(frame, Label::PageMap).words(&[address, rights.bits(), attributes.bits()]).caps(&[slot::INIT_VSPACE])
}

/// `PageTable_Map`.
pub(crate) fn page_table_map(table: u64, vspace: u64, address: u64) -> Call {
    Call::of(table, Label::PageTableMap).words(&[address, VmAttributes::DEFAULT.bits()]).caps(&[vspace])
}
