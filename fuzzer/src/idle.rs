//! The thread that says so when nothing goes on any more: all confined threads are blocked, or one of them runs for ever,
//! as a guest's vectors that lead nowhere do.

use core::cell::UnsafeCell;

use sluice_abi::{CPtr, ObjectType, Register, VirtAddr};
use sluice_sys::{Configuration, Frame, Notification, Resume, Tcb, UserContext};

use crate::confined::PRIORITY;
use crate::machine::{CNODE, Machine, TCB, VSPACE, at, done, load, store};

/// What it signals.
pub(crate) const IDLE_BADGE: u64 = 1 << 20;
const STACK_SIZE: usize = 4 << 10;
/// How often it gives way before it takes the others for stuck: so many time slices where one of them runs.
const PATIENCE: u32 = 16;

#[repr(align(16))]
pub(crate) struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: nothing refers to the stack but the one thread whose stack pointer starts at its end.
unsafe impl Sync for Stack {}

impl Stack {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new([0; STACK_SIZE]))
    }

    /// Where a stack pointer starts.
    pub(crate) fn top(&self) -> u64 {
        self.0.get() as u64 + STACK_SIZE as u64
    }
}

static STACK: Stack = Stack::new();

/// A thread in the root task's own spaces.
pub(crate) fn spawn(machine: &mut Machine, priority: u8, stack: &Stack, entry: extern "C" fn(u64) -> !, argument: u64) {
    let thread = Tcb::from(machine.make(ObjectType::Tcb, 0));
    let buffer_frame = Frame::from(machine.make(ObjectType::SmallPage, 0));
    done(thread.configure(&Configuration {
        fault_endpoint: CPtr(0),
        cspace: CNODE,
        cspace_data: 0,
        vspace: VSPACE,
        buffer: VirtAddr(0),
        buffer_frame,
    }));
    done(thread.set_sched_params(TCB, priority, priority));
    let context = UserContext::default()
        .with(Register::Pc, entry as usize as u64)
        .with(Register::Sp, stack.top())
        .with(Register::X(0), argument);
    done(thread.write_registers(&context, Resume::Now));
}

/// What the thread watches: how often the root thread has heard of something, and where it signals.
pub(crate) struct Watch {
    page: u64,
}

impl Watch {
    /// Starts the thread, of the confined threads' priority; its signals come to the root thread while it waits for a
    /// message.
    pub(crate) fn start(machine: &mut Machine) -> Self {
        let notification = machine.make(ObjectType::Notification, 0);
        done(TCB.bind_notification(Notification::from(notification)));
        let badged = machine.slots(1);
        done(at(badged).mint_from(at(notification), sluice_abi::CapRights::all(), IDLE_BADGE));
        let page = machine.page();
        store(page + 8, badged);
        spawn(machine, PRIORITY, &STACK, run, page);
        Self { page }
    }

    /// Something goes on.
    pub(crate) fn progress(&self) {
        store(self.page, load(self.page) + 1);
    }
}

extern "C" fn run(page: u64) -> ! {
    let notification = Notification::from(load(page + 8));
    loop {
        let before = load(page);
        let stuck = (0..PATIENCE).all(|_| {
            sluice_sys::yield_now();
            load(page) == before
        });
        if stuck {
            notification.signal();
        }
    }
}
