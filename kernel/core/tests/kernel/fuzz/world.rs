//! A fuzzer's threads and what they are given, and a bystander who must not notice.

use sluice_abi::bootinfo::slot::{
    ASID_CONTROL, CB_CONTROL, DOMAIN, INIT_CNODE, INIT_TCB, INIT_VSPACE, IRQ_CONTROL, SID_CONTROL,
};
use sluice_abi::cap::cnode_data;
use sluice_abi::{Label, ObjectType, PhysAddr, Syscall};
use sluice_core::cap::Cap;
use sluice_core::object::Tcb;
use sluice_core::{Handle, SlotRef};
use sluice_fuzz::{
    FAULT_HANDLER, Gift, INNER, MAPPED, NODE, NODE_BITS, POINTER_SHIFT, ROOT_BITS, START, THREADS, pointer,
    slot_of_pointer,
};

use crate::user::*;

/// Priority of the fuzzer's threads, and the highest they may give.
const PRIORITY: u64 = 10;
/// Where a thread's buffer would be mapped.
const BUFFER: u64 = 0x1000_0000;
/// The fuzzer's interrupt, and the one that wakes the root thread.
const INTERRUPTS: [u64; 2] = [100, 101];

/// A kernel with a fuzzer in it, and the root thread waiting for its faults.
pub(super) struct World {
    pub(super) system: System,
    pub(super) threads: [Thread; THREADS],
    bystander: Thread,
    bystander_page: PhysAddr,
    /// Slots in the root CNode.
    endpoint: u64,
    wake: u64,
    node: u64,
    root: u64,
    inner: u64,
    vspace: u64,
    pool: u64,
    handler: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let mut system = System::with(kernel_with_smmu(sluice_smmu_model::Identity::QEMU));
        system.watched = false;
        let threads: [Thread; THREADS] = std::array::from_fn(|_| system.thread(PRIORITY));
        let bystander = system.thread(PRIORITY);
        let bystander_page = PhysAddr(system.base(bystander.frame));
        let endpoint = system.make(ObjectType::Endpoint, 0);
        let wake = irq_handler(&mut system, INTERRUPTS[1]);
        let notification = system.make(ObjectType::Notification, 0);
        let badged = system.minted(notification, 3, 1);
        system.done(wake, Label::IrqHandlerSetNotification, &[badged], &[]);
        system.done(INIT_TCB, Label::TcbBindNotification, &[notification], &[]);
        let node = system.make(ObjectType::CNode, ROOT_BITS.into());
        let guard = 64 - ROOT_BITS - POINTER_SHIFT;
        let root = system.minted(node, 0xf, cnode_data(0, guard));
        let inner = system.make(ObjectType::CNode, NODE_BITS.into());
        let vspace = system.make(ObjectType::VSpace, 0);
        let pool = asid_pool(&mut system);
        system.done(pool, Label::AsidPoolAssign, &[vspace], &[]);
        for _ in 0..3 {
            let table = system.make(ObjectType::PageTable, 0);
            system.done(table, Label::PageTableMap, &[vspace], &[MAPPED, 3]);
        }
        let handler = system.copied(endpoint);
        let mut world = Self {
            system,
            threads,
            bystander,
            bystander_page,
            endpoint,
            wake,
            node,
            root,
            inner,
            vspace,
            pool,
            handler,
        };
        for (slot, gift) in START {
            let source = world.gift(gift);
            world.place(source, slot);
        }
        for thread in threads {
            world.heal(thread);
            world.system.resume(thread);
        }
        world.mark_bystander();
        world.wait();
        world
    }

    /// Moves a capability to a slot of the fuzzer's.
    fn place(&mut self, source: u64, slot: usize) {
        match slot.checked_sub(INNER) {
            None => self.system.move_into(source, self.node, slot as u64, ROOT_BITS.into()),
            Some(inner) => self.system.move_into(source, self.inner, inner as u64, NODE_BITS.into()),
        }
    }

    /// A capability in a new slot of the root CNode, to be moved.
    fn gift(&mut self, gift: Gift) -> u64 {
        let system = &mut self.system;
        match gift {
            Gift::Untyped(bits) => system.make(ObjectType::Untyped, bits.into()),
            Gift::Thread(index) => system.copied(self.threads[index].cptr),
            Gift::LooseVSpace => system.make(ObjectType::VSpace, 0),
            Gift::Endpoint => system.make(ObjectType::Endpoint, 0),
            Gift::Notification => system.make(ObjectType::Notification, 0),
            Gift::Frame => system.make(ObjectType::SmallPage, 0),
            Gift::PageTable => system.make(ObjectType::PageTable, 0),
            Gift::IrqHandler => irq_handler(system, INTERRUPTS[0]),
            Gift::Sid(index) => issue(system, SID_CONTROL, Label::SidControlGetSid, index as u64),
            Gift::Cb(index) => issue(system, CB_CONTROL, Label::CbControlGetCb, index as u64),
            Gift::Node => system.minted(self.inner, 0xf, cnode_data(0, POINTER_SHIFT - NODE_BITS)),
            Gift::Domain => system.copied(DOMAIN),
            Gift::AsidControl => system.copied(ASID_CONTROL),
            Gift::Root => system.copied(self.root),
            Gift::VSpace => system.copied(self.vspace),
            Gift::AsidPool => system.copied(self.pool),
        }
    }

    /// The root thread waits for a fault, or to be woken.
    pub(super) fn wait(&mut self) {
        self.system.syscall(Syscall::ReplyRecv, self.endpoint, 0, &[], &[]);
    }

    /// Lets the root thread run although nobody faults, and lets thread `index` start over.
    pub(super) fn restart(&mut self, index: usize) {
        self.system.kernel.enter_interrupt(INTERRUPTS[1] as u32);
        assert_eq!(self.system.current(), self.system.root);
        self.system.done(self.wake, Label::IrqHandlerAck, &[], &[]);
        let thread = self.threads[index];
        self.system.done(thread.cptr, Label::TcbSuspend, &[], &[]);
        self.heal(thread);
        self.system.kernel.tcb(thread.tcb).context.restart_pc.set(AFTER_SVC);
        self.system.resume(thread);
        self.wait();
    }

    /// Gives a thread back what it may have lost: spaces, buffer, fault handler, priority, and the CSpace its own root.
    fn heal(&mut self, thread: Thread) {
        let node = (self.node, FAULT_HANDLER as u64, u64::from(ROOT_BITS), self.handler);
        let inner = (self.inner, 0, u64::from(NODE_BITS), self.root);
        for (node, slot, depth, source) in [node, inner] {
            let copied = self.system.call(node, Label::CNodeCopy, &[INIT_CNODE], &[slot, depth, source, DEPTH, 0xf]);
            assert!(copied == ok() || copied == delete_first(), "{copied:?}");
        }
        let caps = [self.root, self.vspace, thread.frame];
        self.system.done(thread.cptr, Label::TcbConfigure, &caps, &[pointer(FAULT_HANDLER), 0, 0, BUFFER]);
        self.system.done(thread.cptr, Label::TcbSetSchedParams, &[INIT_TCB], &[PRIORITY, PRIORITY]);
    }

    pub(super) fn is_fuzzer(&self, thread: Handle<Tcb>) -> bool {
        self.threads.iter().any(|known| known.tcb == thread)
    }

    /// What is in a slot of the fuzzer's root CNode as the thread names it; nothing for pointers that lead elsewhere.
    pub(super) fn named(&self, thread: Handle<Tcb>, pointer: u64) -> Option<Cap> {
        let own = self.system.cap_at(thread.slot(0)) == self.system.cap(self.root);
        let slot = slot_of_pointer(pointer).filter(|_| own)?;
        let Cap::CNode(node) = self.system.cap(self.node) else { return None };
        let first = SlotRef::new(node.base);
        let named = match slot.checked_sub(INNER) {
            None => self.system.cap_at(first.nth(slot as u64)),
            Some(index) => {
                let Cap::CNode(inner) = self.system.cap_at(first.nth(NODE as u64)) else { return None };
                let ends = u64::from(inner.radix) + u64::from(inner.guard_bits) == POINTER_SHIFT.into();
                self.system.cap_at(SlotRef::new(inner.base).nth((ends && inner.guard == 0).then_some(index as u64)?))
            }
        };
        // Below a CNode in the root CNode goes on what the pointer's last bits say.
        if let Cap::CNode(_) = named
            && slot < INNER
        {
            None
        } else {
            Some(named)
        }
    }

    pub(super) fn assert_is_no_bystander(&self, thread: Handle<Tcb>) {
        assert_ne!(thread, self.bystander.tcb, "a stopped thread of somebody else runs");
    }

    fn mark_bystander(&mut self) {
        let context = &self.system.kernel.tcb(self.bystander.tcb).context;
        for (index, register) in context.x.iter().enumerate() {
            register.set(mark(index as u64));
        }
        for word in 0..512 {
            self.system.machine().memory.store(self.bystander_page.offset(8 * word), mark(word));
        }
    }

    /// The bystander's registers and memory are as they were, and its spaces the root thread's.
    pub(super) fn assert_bystander_is_untouched(&self) {
        let context = &self.system.kernel.tcb(self.bystander.tcb).context;
        let kept = context.x.iter().enumerate().all(|(index, register)| register.get() == mark(index as u64));
        assert!(kept, "registers of a bystander changed");
        let kept =
            (0..512).all(|word| self.system.machine().memory.load(self.bystander_page.offset(8 * word)) == mark(word));
        assert!(kept, "memory of a bystander changed");
        for (slot, given) in [(0, INIT_CNODE), (1, INIT_VSPACE)] {
            assert_eq!(self.system.cap_at(self.bystander.tcb.slot(slot)), self.system.cap(given));
        }
    }
}

const fn mark(index: u64) -> u64 {
    0x5afe_0000_0000_0000 | index.wrapping_mul(0x9e37_79b9)
}

fn irq_handler(system: &mut System, intid: u64) -> u64 {
    issue(system, IRQ_CONTROL, Label::IrqControlGet, intid)
}

fn issue(system: &mut System, control: u64, label: Label, number: u64) -> u64 {
    let dest = system.free_slot();
    system.done(control, label, &[INIT_CNODE], &[number, dest, DEPTH]);
    dest
}

fn asid_pool(system: &mut System) -> u64 {
    let untyped = system.make(ObjectType::Untyped, 12);
    let dest = system.free_slot();
    system.done(ASID_CONTROL, Label::AsidControlMakePool, &[untyped, INIT_CNODE], &[dest, DEPTH]);
    dest
}
