//! What the kernel handed to the root task, and objects made of it.

use sluice_abi::bootinfo::{BootInfo, EXTRA_FDT, slot};
use sluice_abi::{MIN_UNTYPED_BITS, ObjectType, PAGE_BITS, PhysAddr};
use sluice_sys::{AsidPool, Boot, CNode, Destination, Frame, Slot, Tcb, Untyped, VSpace};

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
    /// All that the kernel handed out.
    pub(crate) fn new(boot: Boot) -> Self {
        let info = boot.info;
        let largest = (info.untyped.start..info.untyped.end)
            .zip(&info.untyped_list)
            .filter(|(_, untyped)| untyped.is_device == 0)
            .max_by_key(|(_, untyped)| untyped.size_bits);
        let Some((memory, _)) = largest else { panic!("no memory") };
        let Some(fdt) = boot.chunk(EXTRA_FDT) else { panic!("no device tree") };
        Self { info, fdt, memory: Untyped::from(memory), next_slot: info.empty.start }
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
