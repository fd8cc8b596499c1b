//! What confined threads are given, made of one Untyped.

use sluice_abi::cap::cnode_data;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{ObjectType, VirtAddr, VmAttributes, bootinfo};
use sluice_fuzz::{FAULT_HANDLER, Gift, INNER, MAPPED, NODE_BITS, POINTER_SHIFT, ROOT_BITS, START, THREADS, pointer};
use sluice_sys::{CNode, Configuration, Frame, PageTable, Slot, Tcb, Untyped, VSpace};

use crate::machine::{
    ALL_RIGHTS, ASID_CONTROL, ASID_POOL, CB_CONTROL, CNODE, IRQ_CONTROL, READ_WRITE, SID_CONTROL, TCB, VSPACE, at,
    done, into,
};
use crate::stub::Stub;

/// Priority of the threads, and the highest they may give.
pub(crate) const PRIORITY: u8 = 10;
/// An interrupt that nobody has.
const INTERRUPT: u64 = 100;
/// Streams that no device of the machine has.
const STREAMS: [u32; 2] = [0xf0, 0xf8];
/// Contexts that nobody has.
const CONTEXTS: [u16; 2] = [40, 41];
/// Slots of the root CNode that the threads' objects take.
pub(crate) const SLOTS: u64 = 64;

/// The threads and their objects, by slot of the root CNode.
pub(crate) struct Confined {
    memory: Untyped,
    next: u64,
    pub(crate) endpoint: u64,
    node: u64,
    inner: u64,
    root: u64,
    vspace: u64,
    pool: u64,
    handlers: [u64; THREADS],
    pub(crate) threads: [u64; THREADS],
    buffers: [u64; THREADS],
}

impl Confined {
    /// Everything anew, from `memory`, into `SLOTS` slots from `first`; `windows` are where the root task has the threads'
    /// buffers.
    pub(crate) fn new(memory: Untyped, first: u64, stub: &Stub, windows: &[u64; THREADS]) -> Self {
        let mut new = Self {
            memory,
            next: first,
            endpoint: 0,
            node: 0,
            inner: 0,
            root: 0,
            vspace: 0,
            pool: 0,
            handlers: [0; THREADS],
            threads: [0; THREADS],
            buffers: [0; THREADS],
        };
        new.endpoint = new.make(ObjectType::Endpoint, 0);
        new.handlers = core::array::from_fn(|index| new.minted(new.endpoint, index as u64 + 1));
        new.node = new.make(ObjectType::CNode, ROOT_BITS);
        new.inner = new.make(ObjectType::CNode, NODE_BITS);
        new.root = new.minted(new.node, cnode_data(0, 64 - ROOT_BITS - POINTER_SHIFT));
        new.threads = core::array::from_fn(|_| new.make(ObjectType::Tcb, 0));
        new.buffers = core::array::from_fn(|_| new.make(ObjectType::SmallPage, 0));
        for (frame, window) in new.buffers.into_iter().zip(windows) {
            let how = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
            done(Frame::from(frame).map(VSPACE, VirtAddr(*window), READ_WRITE, how));
        }
        new.make_space(stub);
        for (slot, gift) in START {
            let source = new.gift(gift);
            done(new.place(slot).move_from(at(source)));
            new.next -= 1;
        }
        for index in 0..THREADS {
            new.heal(index);
        }
        new
    }

    fn make_space(&mut self, stub: &Stub) {
        self.vspace = self.make(ObjectType::VSpace, 0);
        let vspace = VSpace::from(self.vspace);
        done(ASID_POOL.assign(vspace));
        for _ in 0..3 {
            let table = PageTable::from(self.make(ObjectType::PageTable, 0));
            done(table.map(vspace, VirtAddr(MAPPED), VmAttributes::DEFAULT));
        }
        let code = self.copied(stub.frame());
        stub.map(Frame::from(code), vspace);
        let untyped = self.make(ObjectType::Untyped, sluice_abi::PAGE_BITS);
        self.pool = self.slot();
        done(ASID_CONTROL.make_pool(Untyped::from(untyped), at(self.pool)));
    }

    fn slot(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn make(&mut self, kind: ObjectType, bits: u32) -> u64 {
        let slot = self.slot();
        done(self.memory.retype(kind, bits, into(slot), 1));
        slot
    }

    fn copied(&mut self, source: u64) -> u64 {
        let slot = self.slot();
        done(at(slot).copy_from(at(source), ALL_RIGHTS));
        slot
    }

    fn minted(&mut self, source: u64, data: u64) -> u64 {
        let slot = self.slot();
        done(at(slot).mint_from(at(source), ALL_RIGHTS, data));
        slot
    }

    /// A slot of the threads' CSpace.
    fn place(&self, slot: usize) -> Slot {
        match slot.checked_sub(INNER) {
            None => CNode::from(self.node).slot_at(slot as u64, ROOT_BITS as u8),
            Some(inner) => CNode::from(self.inner).slot_at(inner as u64, NODE_BITS as u8),
        }
    }

    /// A capability in a new slot of the root CNode, to be moved.
    fn gift(&mut self, gift: Gift) -> u64 {
        match gift {
            Gift::Root => self.copied(self.root),
            Gift::Node => self.minted(self.inner, cnode_data(0, POINTER_SHIFT - NODE_BITS)),
            Gift::Untyped(bits) => self.make(ObjectType::Untyped, bits.into()),
            Gift::Thread(index) => self.copied(self.threads[index]),
            Gift::VSpace => self.copied(self.vspace),
            Gift::LooseVSpace => self.make(ObjectType::VSpace, 0),
            Gift::Endpoint => self.make(ObjectType::Endpoint, 0),
            Gift::Notification => self.make(ObjectType::Notification, 0),
            Gift::Frame => self.make(ObjectType::SmallPage, 0),
            Gift::PageTable => self.make(ObjectType::PageTable, 0),
            Gift::AsidPool => self.copied(self.pool),
            Gift::IrqHandler => {
                let slot = self.slot();
                done(IRQ_CONTROL.get(INTERRUPT, at(slot)));
                slot
            }
            Gift::Sid(index) => {
                let slot = self.slot();
                done(SID_CONTROL.get_sid(StreamId { smmu: 0, sid: STREAMS[index] }, at(slot)));
                slot
            }
            Gift::Cb(index) => {
                let slot = self.slot();
                done(CB_CONTROL.get_cb(ContextId { smmu: 0, cb: CONTEXTS[index] }, at(slot)));
                slot
            }
            Gift::Domain => self.copied(bootinfo::slot::DOMAIN),
            Gift::AsidControl => self.copied(bootinfo::slot::ASID_CONTROL),
        }
    }

    /// Gives a thread back what it may have lost: spaces, buffer, fault handler, priority, and the CSpace its own root.
    pub(crate) fn heal(&self, index: usize) {
        let thread = Tcb::from(self.threads[index]);
        done(thread.suspend());
        for (slot, source) in [(FAULT_HANDLER - index, self.handlers[index]), (INNER, self.root)] {
            // What is still there stays.
            let _refused = self.place(slot).copy_from(at(source), ALL_RIGHTS);
        }
        done(thread.configure(&Configuration {
            fault_endpoint: sluice_abi::CPtr(pointer(FAULT_HANDLER - index)),
            cspace: CNode::from(self.root),
            cspace_data: 0,
            vspace: VSpace::from(self.vspace),
            buffer: VirtAddr(0x1000_0000),
            buffer_frame: Frame::from(self.buffers[index]),
        }));
        done(thread.set_sched_params(TCB, PRIORITY, PRIORITY));
        done(thread.set_flags(u64::MAX, 0).map(drop));
    }

    /// Takes everything away. Whether all slots of the root task's own are empty then.
    pub(crate) fn end(self, memory: u64, first: u64) -> bool {
        done(at(memory).revoke());
        // Copies of what was there before are no descendants of the memory.
        (first..first + SLOTS).for_each(|slot| done(CNODE.slot(slot).delete()));
        (first..first + SLOTS).all(|slot| sluice_sys::debug_cap_identify(sluice_abi::CPtr(slot)) == 0)
    }
}

const _: () = assert!(START.len() < SLOTS as usize);
