//! What the kernel handed to the root task, and objects made of it.

use sluice_abi::bootinfo::{BootInfo, EXTRA_FDT, ExtraHeader, slot};
use sluice_abi::{MIN_UNTYPED_BITS, ObjectType, PAGE_BITS, PAGE_SIZE, PhysAddr};
use sluice_sys::{AsidPool, CNode, Destination, Frame, Slot, Tcb, Untyped, VSpace};

/// The root task's own capabilities.
pub(crate) const TCB: Tcb = Tcb(sluice_abi::CPtr(slot::INIT_TCB));
pub(crate) const CNODE: CNode = CNode(sluice_abi::CPtr(slot::INIT_CNODE));
pub(crate) const VSPACE: VSpace = VSpace(sluice_abi::CPtr(slot::INIT_VSPACE));
pub(crate) const ASID_POOL: AsidPool = AsidPool(sluice_abi::CPtr(slot::INIT_ASID_POOL));

/// Memory and slots that nobody uses yet.
pub(crate) struct Machine {
    pub(crate) info: &'static BootInfo,
    fdt: &'static [u8],
    memory: Untyped,
    next_slot: u64,
}

impl Machine {
    /// # Safety
    /// `info` must be the address the kernel passed in `x0`: the boot information is there for ever, and extra
    /// information one page on, and nobody changes them.
    pub(crate) unsafe fn find(info: u64) -> Self {
        let pointer = core::ptr::with_exposed_provenance::<BootInfo>(info as usize);
        // SAFETY: by the caller's promise a valid `BootInfo` lies there for ever.
        let boot: &'static BootInfo = unsafe { &*pointer };
        let extra = core::ptr::with_exposed_provenance::<u8>((info + PAGE_SIZE) as usize);
        // SAFETY: by the caller's promise `extra_len` bytes are mapped there and never change.
        let extra = unsafe { core::slice::from_raw_parts(extra, boot.extra_len as usize) };
        let largest = (boot.untyped.start..boot.untyped.end)
            .zip(&boot.untyped_list)
            .filter(|(_, untyped)| untyped.is_device == 0)
            .max_by_key(|(_, untyped)| untyped.size_bits);
        let Some((memory, _)) = largest else { panic!("no memory") };
        Self { info: boot, fdt: device_tree(extra), memory: Untyped::from(memory), next_slot: boot.empty.start }
    }

    /// The device tree, as the kernel passed it on.
    pub(crate) fn fdt(&self) -> &'static [u8] {
        self.fdt
    }

    /// An empty slot.
    pub(crate) fn slot(&mut self) -> u64 {
        self.slots(1)
    }

    /// The first of `count` empty slots.
    pub(crate) fn slots(&mut self, count: u64) -> u64 {
        let first = self.next_slot;
        self.next_slot += count;
        assert!(self.next_slot <= self.info.empty.end, "no slots are left");
        first
    }

    /// A new object.
    pub(crate) fn make(&mut self, kind: ObjectType, bits: u32) -> u64 {
        let memory = self.memory;
        self.make_from(memory, kind, bits)
    }

    /// A new object of one Untyped.
    pub(crate) fn make_from(&mut self, memory: Untyped, kind: ObjectType, bits: u32) -> u64 {
        let slot = self.slot();
        done(memory.retype(kind, bits, into(slot), 1));
        slot
    }

    /// A copy of a capability.
    pub(crate) fn copy(&mut self, source: u64) -> u64 {
        let slot = self.slot();
        done(at(slot).copy_from(at(source), sluice_abi::CapRights::all()));
        slot
    }

    /// The frame of device registers at a physical address, cut out of the device memory it is in.
    pub(crate) fn registers(&mut self, address: PhysAddr) -> Frame {
        Frame::from(self.register_pages(address, 0))
    }

    /// The first slot of 2^`bits` frames of device registers, at an address that is a multiple of their size.
    pub(crate) fn register_pages(&mut self, address: PhysAddr, bits: u32) -> u64 {
        let list = (self.info.untyped.start..).zip(&self.info.untyped_list);
        let around = list.take_while(|(slot, _)| *slot < self.info.untyped.end).find(|(_, untyped)| {
            untyped.is_device != 0 && (untyped.paddr..untyped.paddr + (1 << untyped.size_bits)).contains(&address.0)
        });
        let Some((slot, found)) = around else { panic!("no device memory at {address:?}") };
        let (mut memory, mut left, mut base) = (Untyped::from(slot), u32::from(found.size_bits), found.paddr);
        const { assert!(PAGE_BITS >= MIN_UNTYPED_BITS) };
        while left > PAGE_BITS + bits {
            left -= 1;
            let low = self.make_from(memory, ObjectType::Untyped, left);
            let high = self.make_from(memory, ObjectType::Untyped, left);
            let upper = address.0 >= base + (1 << left);
            base += if upper { 1 << left } else { 0 };
            memory = Untyped::from(if upper { high } else { low });
        }
        assert!(base == address.0, "{address:?} is not where such frames begin");
        let first = self.slots(1 << bits);
        done(memory.retype(ObjectType::SmallPage, 0, into(first), 1 << bits));
        first
    }
}

/// A slot of the root CNode.
pub(crate) fn at(slot: u64) -> Slot {
    CNODE.slot(slot)
}

/// A slot of the root CNode, as `Untyped_Retype` wants it.
pub(crate) fn into(slot: u64) -> Destination {
    Destination { root: CNODE, index: 0, depth: 0, offset: slot }
}

/// Of what the benchmark does, nothing may be refused.
#[track_caller]
pub(crate) fn done<T>(result: Result<T, sluice_sys::Failure>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}

/// The device tree among the chunks of extra information.
fn device_tree(mut extra: &'static [u8]) -> &'static [u8] {
    const HEADER: usize = size_of::<ExtraHeader>();
    let word = |bytes: &[u8], index: usize| {
        let bytes = bytes.get(8 * index..8 * index + 8)?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    };
    while let (Some(id), Some(len)) = (word(extra, 0), word(extra, 1)) {
        let len = (len as usize).max(HEADER);
        if id == EXTRA_FDT {
            return extra.get(HEADER..len).unwrap_or_default();
        }
        extra = extra.get(len..).unwrap_or_default();
    }
    panic!("no device tree")
}
