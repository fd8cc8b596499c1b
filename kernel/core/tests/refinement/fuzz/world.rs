//! A fuzzer's threads with what they are given, and the root thread, which gets their faults.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, PhysAddr, Syscall, VirtAddr};
use sluice_abstract::{Cap, Invocation, NewBuffer, NewSpace, Rights, Slot, ThreadSlot};
use sluice_core::boot::Range;
use sluice_fuzz::{FAULT_HANDLER, Gift, INNER, MAPPED, NODE_BITS, POINTER_SHIFT, ROOT_BITS, START, THREADS, pointer};

use crate::boot::{FREE_SLOT, kernel_with};
use crate::input::{Act, Say};
use crate::machine::IDENTITY;
use crate::scope::{free, retype};
use crate::system::System;

/// Priority of the fuzzer's threads, and the highest they may give.
const PRIORITY: u64 = 10;
/// Where a thread's buffer would be mapped.
const BUFFER: u64 = 0x1000_0000;
/// The fuzzer's interrupt.
pub(super) const INTERRUPT: u32 = 35;
/// The interrupt that wakes the root thread.
const WAKE: u32 = 36;
/// Streams that the watched ones among the machine's are.
const STREAMS: [u32; 2] = [8, 16];
/// Memory for the root task's objects and the fuzzer's.
const MEMORY: Range = Range { start: 0x4040_0000, end: 0x4080_0000 };

/// The root thread's slots, counted from the first that is free at boot.
mod at {
    pub(super) const NODE: u64 = 0;
    pub(super) const ROOT: u64 = 1;
    pub(super) const INNER: u64 = 2;
    pub(super) const ENDPOINT: u64 = 3;
    pub(super) const HANDLER: u64 = 4;
    pub(super) const NOTIFICATION: u64 = 5;
    pub(super) const BADGED: u64 = 6;
    pub(super) const WAKE: u64 = 7;
    pub(super) const VSPACE: u64 = 8;
    pub(super) const POOL: u64 = 9;
    pub(super) const POOL_UNTYPED: u64 = 10;
    pub(super) const TABLES: u64 = 11;
    pub(super) const THREADS: u64 = 14;
    pub(super) const FRAMES: u64 = 17;
    pub(super) const INNER_IN_PLACE: u64 = 20;
}

/// A kernel with a fuzzer in it, and the abstract machine beside it.
pub(super) struct World {
    pub(super) system: System,
    pub(super) threads: [PhysAddr; THREADS],
    untyped: Slot,
    /// The fuzzer's CNodes.
    node: PhysAddr,
    inner: PhysAddr,
}

impl World {
    pub(super) fn new() -> Self {
        let mut system = System::with(kernel_with(IDENTITY, MEMORY), IDENTITY);
        system.looking = false;
        let (untyped, nowhere) = (system.untyped(false), PhysAddr(0));
        let mut world = Self { system, threads: [nowhere; THREADS], untyped, node: nowhere, inner: nowhere };
        world.prepare_spaces();
        world.prepare_root();
        for index in 0..THREADS {
            world.make(ObjectType::Tcb, 0, at::THREADS + index as u64);
            world.make(ObjectType::SmallPage, 0, at::FRAMES + index as u64);
            let thread = world.cap(at::THREADS + index as u64);
            let Cap::Thread(thread) = thread else { panic!("{thread:?} is no thread") };
            world.threads[index] = thread;
        }
        for (place, gift) in START {
            world.give(gift, place);
        }
        for index in 0..THREADS {
            for invocation in world.healing(index) {
                let is_there =
                    matches!(invocation, Invocation::Copy { dest, .. } if world.system.state.cap(dest).is_some());
                if !is_there {
                    world.system.done(&invocation);
                }
            }
        }
        world.system.happens(&world.waiting());
        world
    }

    fn own(&self, index: u64) -> Slot {
        free(self.system.node, index)
    }

    fn initial(&self, index: u64) -> Slot {
        Slot::Node { node: self.system.node, index }
    }

    fn cap(&self, index: u64) -> Cap {
        self.system.state.cap(self.own(index)).expect("a capability")
    }

    fn make(&mut self, kind: ObjectType, bits: u32, index: u64) {
        self.system.done(&retype(self.untyped, kind, bits, self.own(index)));
    }

    fn mint(&mut self, source: u64, dest: u64, data: u64) {
        let (source, dest) = (self.own(source), self.own(dest));
        self.system.done(&Invocation::Mint { source, dest, rights: Rights::ALL, data });
    }

    fn prepare_spaces(&mut self) {
        self.make(ObjectType::CNode, ROOT_BITS, at::NODE);
        self.mint(at::NODE, at::ROOT, cnode_data(0, 64 - ROOT_BITS - POINTER_SHIFT));
        self.make(ObjectType::CNode, NODE_BITS, at::INNER);
        self.mint(at::INNER, at::INNER_IN_PLACE, cnode_data(0, POINTER_SHIFT - NODE_BITS));
        let base = |cap| if let Cap::CNode { base, .. } = cap { base } else { panic!("{cap:?} is no CNode") };
        (self.node, self.inner) = (base(self.cap(at::NODE)), base(self.cap(at::INNER)));
        self.make(ObjectType::VSpace, 0, at::VSPACE);
        self.make(ObjectType::Untyped, 12, at::POOL_UNTYPED);
        let (control, untyped, dest) =
            (self.initial(slot::ASID_CONTROL), self.own(at::POOL_UNTYPED), self.own(at::POOL));
        self.system.done(&Invocation::MakePool { control, untyped, dest });
        let (pool, vspace) = (self.own(at::POOL), self.own(at::VSPACE));
        self.system.done(&Invocation::AssignAsid { pool, vspace });
        for index in at::TABLES..at::TABLES + 3 {
            self.make(ObjectType::PageTable, 0, index);
            let table = self.own(index);
            self.system.done(&Invocation::TableMap { table, vspace, at: VirtAddr(MAPPED) });
        }
    }

    fn prepare_root(&mut self) {
        self.make(ObjectType::Endpoint, 0, at::ENDPOINT);
        self.mint(at::ENDPOINT, at::HANDLER, 0);
        self.make(ObjectType::Notification, 0, at::NOTIFICATION);
        self.mint(at::NOTIFICATION, at::BADGED, 1);
        let (control, dest) = (self.initial(slot::IRQ_CONTROL), self.own(at::WAKE));
        self.system.done(&Invocation::GetIrq { control, intid: WAKE.into(), edge: None, dest });
        let (handler, notification) = (self.own(at::WAKE), self.own(at::BADGED));
        self.system.done(&Invocation::SetIrqNotification { handler, notification });
        let (thread, notification) = (self.initial(slot::INIT_TCB), self.own(at::NOTIFICATION));
        self.system.done(&Invocation::BindNotification { thread, notification });
    }

    /// A slot of the fuzzer's.
    fn place(&self, place: usize) -> Slot {
        match place.checked_sub(INNER) {
            None => Slot::Node { node: self.node, index: place as u64 },
            Some(index) => Slot::Node { node: self.inner, index: index as u64 },
        }
    }

    fn give(&mut self, gift: Gift, place: usize) {
        let (dest, untyped) = (self.place(place), self.untyped);
        let copy = |source| Invocation::Copy { source, dest, rights: Rights::ALL };
        let made = |kind, bits| retype(untyped, kind, bits, dest);
        let (sids, cbs) = (self.initial(slot::SID_CONTROL), self.initial(slot::CB_CONTROL));
        let invocation = match gift {
            Gift::Untyped(bits) => made(ObjectType::Untyped, bits.into()),
            Gift::Thread(index) => copy(self.own(at::THREADS + index as u64)),
            Gift::LooseVSpace => made(ObjectType::VSpace, 0),
            Gift::Endpoint => made(ObjectType::Endpoint, 0),
            Gift::Notification => made(ObjectType::Notification, 0),
            Gift::Frame => made(ObjectType::SmallPage, 0),
            Gift::PageTable => made(ObjectType::PageTable, 0),
            Gift::IrqHandler => {
                let control = self.initial(slot::IRQ_CONTROL);
                Invocation::GetIrq { control, intid: INTERRUPT.into(), edge: None, dest }
            }
            Gift::Sid(index) => {
                Invocation::GetSid { control: sids, stream: StreamId { smmu: 0, sid: STREAMS[index] }, dest }
            }
            Gift::Cb(index) => Invocation::GetCb { control: cbs, smmu: 0, cb: index as u32, dest },
            Gift::Node => copy(self.own(at::INNER_IN_PLACE)),
            Gift::Domain => copy(self.initial(slot::DOMAIN)),
            Gift::AsidControl => copy(self.initial(slot::ASID_CONTROL)),
            Gift::Root => copy(self.own(at::ROOT)),
            Gift::VSpace => copy(self.own(at::VSPACE)),
            Gift::AsidPool => copy(self.own(at::POOL)),
        };
        self.system.done(&invocation);
    }

    /// What gives a thread back what it may have lost: handler and root in their places, spaces, buffer, priority.
    pub(super) fn healing(&self, index: usize) -> Vec<Invocation> {
        let copy = |source, dest| Invocation::Copy { source, dest, rights: Rights::ALL };
        let thread = self.own(at::THREADS + index as u64);
        let (cspace, vspace) = (self.own(at::ROOT), self.own(at::VSPACE));
        let space = NewSpace { handler: pointer(FAULT_HANDLER), cspace, cspace_data: 0, vspace, vspace_data: 0 };
        let buffer = NewBuffer { address: BUFFER, frame: self.own(at::FRAMES + index as u64) };
        let (authority, priority) = (self.initial(slot::INIT_TCB), Some(PRIORITY));
        vec![
            copy(self.own(at::HANDLER), self.place(FAULT_HANDLER)),
            copy(self.own(at::ROOT), self.place(INNER)),
            Invocation::Suspend(thread),
            Invocation::Configure { thread, space: Some(space), buffer: Some(buffer) },
            Invocation::SetPriorities { thread, authority, max_priority: priority, priority },
            Invocation::Resume(thread),
        ]
    }

    /// The root thread waits for a fault, or to be woken. It answers to its own threads alone: one that the fuzzer made would
    /// do nothing but fault again.
    pub(super) fn waiting(&self) -> Act {
        let owed = Slot::Thread { thread: self.system.root.at(), which: ThreadSlot::Caller };
        let to_its_own =
            matches!(self.system.state.cap(owed), Some(Cap::Reply { caller, .. }) if self.threads.contains(&caller));
        let call = if to_its_own { Syscall::ReplyRecv } else { Syscall::Recv };
        Act::Say(Say::new(call, FREE_SLOT + at::ENDPOINT, 0))
    }

    /// The root thread is woken.
    pub(super) fn wake(&self) -> [Act; 2] {
        [Act::Interrupt(WAKE), Act::Invoke(Invocation::AcknowledgeIrq(self.own(at::WAKE)))]
    }
}
