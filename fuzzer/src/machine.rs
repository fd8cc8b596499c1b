//! What the kernel handed to the root task, and objects made of it.

use sluice_abi::bootinfo::{BootInfo, EXTRA_FDT, slot};
use sluice_abi::{CPtr, CapRights, ObjectType, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_fuzz::Plan;
use sluice_sys::{
    AsidControl, AsidPool, Boot, CNode, CbControl, Destination, Frame, IrqControl, PageTable, SidControl, Slot,
};
use sluice_sys::{Tcb, Untyped, VSpace};

/// The root task's own capabilities.
pub(crate) const TCB: Tcb = Tcb(CPtr(slot::INIT_TCB));
pub(crate) const CNODE: CNode = CNode(CPtr(slot::INIT_CNODE));
pub(crate) const VSPACE: VSpace = VSpace(CPtr(slot::INIT_VSPACE));
pub(crate) const ASID_CONTROL: AsidControl = AsidControl(CPtr(slot::ASID_CONTROL));
pub(crate) const ASID_POOL: AsidPool = AsidPool(CPtr(slot::INIT_ASID_POOL));
pub(crate) const IRQ_CONTROL: IrqControl = IrqControl(CPtr(slot::IRQ_CONTROL));
pub(crate) const SID_CONTROL: SidControl = SidControl(CPtr(slot::SID_CONTROL));
pub(crate) const CB_CONTROL: CbControl = CbControl(CPtr(slot::CB_CONTROL));

pub(crate) const ALL_RIGHTS: CapRights = CapRights::all();
pub(crate) const READ_WRITE: CapRights = CapRights::READ.union(CapRights::WRITE);

/// Where the root task maps pages of others: within the 2 MiB of one table, far from its own image.
pub(crate) const WINDOW: u64 = 0x10_0000_0000;

/// Memory and slots that nobody uses yet.
pub(crate) struct Machine {
    pub(crate) info: &'static BootInfo,
    fdt: &'static [u8],
    memory: Untyped,
    next_slot: u64,
    next_page: u64,
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
        Self { info, fdt, memory: Untyped::from(memory), next_slot: info.empty.start, next_page: 0 }
    }

    /// What the kernel's command line asks for.
    pub(crate) fn plan(&self) -> Plan {
        let Ok(blob) = sluice_platform::validate(self.fdt) else { return Plan::default() };
        let machine = sluice_platform::Machine::from_blob(&blob);
        machine.map_or_else(|_| Plan::default(), |machine| Plan::of(machine.bootargs))
    }

    /// The first of `count` empty slots.
    pub(crate) fn slots(&mut self, count: u64) -> u64 {
        let first = self.next_slot;
        self.next_slot += count;
        assert!(self.next_slot <= self.info.empty.end, "no slots are left");
        first
    }

    /// One past the last slot in use.
    pub(crate) const fn slots_in_use(&self) -> u64 {
        self.next_slot
    }

    /// A new object for the whole run.
    pub(crate) fn make(&mut self, kind: ObjectType, bits: u32) -> u64 {
        let slot = self.slots(1);
        done(self.memory.retype(kind, bits, CNODE.from_offset(slot), 1));
        slot
    }

    /// An address in [`WINDOW`] for one page; its tables are there.
    pub(crate) fn page_address(&mut self) -> u64 {
        if self.next_page == 0 {
            for _ in 0..2 {
                let table = PageTable::from(self.make(ObjectType::PageTable, 0));
                done(table.map(VSPACE, VirtAddr(WINDOW), VmAttributes::DEFAULT));
            }
        }
        self.next_page += 1;
        WINDOW + (self.next_page - 1) * PAGE_SIZE
    }

    /// A page of the root task's for the whole run, zeroed.
    pub(crate) fn page(&mut self) -> u64 {
        let address = self.page_address();
        let frame = Frame::from(self.make(ObjectType::SmallPage, 0));
        done(frame.map(VSPACE, VirtAddr(address), READ_WRITE, VmAttributes::DEFAULT));
        address
    }
}

/// A slot of the root CNode.
pub(crate) fn at(slot: u64) -> Slot {
    CNODE.slot(slot)
}

/// Slots of a CNode, as `Untyped_Retype` wants them.
pub(crate) fn into(slot: u64) -> Destination {
    CNODE.from_offset(slot)
}

/// Of what the root task itself does, nothing may be refused.
#[track_caller]
pub(crate) fn done<T>(result: Result<T, sluice_sys::Failure>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}

/// Loads a word of a page that is mapped for the root task.
pub(crate) fn load(address: u64) -> u64 {
    // SAFETY: callers pass aligned addresses of pages mapped by `Machine::page` or a life; other threads and the kernel
    // may write there, so the access is volatile and no reference is made.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() }
}

/// Stores a word of a page that is mapped for the root task.
pub(crate) fn store(address: u64, value: u64) {
    // SAFETY: as for `load`; no object of this program lives in such a page.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(address as usize).write_volatile(value) }
}
