//! More threads: servers, handlers, partners.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::{CPtr, MAX_PRIORITY, ObjectType, Register, VirtAddr};
use sluice_sys::{Configuration, Resume, Tcb, UserContext};

use crate::machine::{CNODE, Machine, TCB, done};
use crate::space::Space;

/// Priority of the thread that measures, once [`settle`] was called.
pub(crate) const PRIORITY: u8 = 100;
/// Bytes of a helper's stack.
const STACK_SIZE: usize = 8 << 10;
/// Helpers there can be.
const MOST: usize = 16;

#[repr(align(16))]
struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: nothing refers to a stack but the one thread whose stack pointer starts at its end.
unsafe impl Sync for Stack {}

static STACKS: [Stack; MOST] = [const { Stack(UnsafeCell::new([0; STACK_SIZE])) }; MOST];
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Leaves room above and below the measuring thread's priority.
pub(crate) fn settle() {
    done(TCB.set_priority(TCB, PRIORITY));
}

/// What a helper runs; it gets the argument that its maker chose.
pub(crate) type Entry = extern "C" fn(u64) -> !;

/// How a helper is made.
pub(crate) struct Plan {
    pub(crate) entry: Entry,
    pub(crate) argument: u64,
    pub(crate) priority: u8,
    /// Where its faults go; 0 for nowhere.
    pub(crate) faults: u64,
}

/// Starts a thread in an address space of its own. It runs before this returns if its priority is higher, and when this
/// thread waits or yields if it is equal.
pub(crate) fn start(machine: &mut Machine, plan: &Plan) -> Tcb {
    let space = Space::new(machine);
    let thread = Tcb::from(machine.make(ObjectType::Tcb, 0));
    done(thread.configure(&Configuration {
        fault_endpoint: CPtr(plan.faults),
        cspace: CNODE,
        cspace_data: 0,
        vspace: space.root,
        buffer: VirtAddr(machine.info.ipc_buffer),
        buffer_frame: space.buffer,
    }));
    done(thread.set_sched_params(TCB, MAX_PRIORITY, plan.priority));
    let number = STARTED.fetch_add(1, Ordering::Relaxed) as usize;
    let Some(stack) = STACKS.get(number) else { panic!("no stack is left") };
    let context = UserContext::default()
        .with(Register::Pc, plan.entry as usize as u64)
        .with(Register::Sp, stack.0.get() as u64 + STACK_SIZE as u64)
        .with(Register::X(0), plan.argument);
    done(thread.write_registers(&context, Resume::Now));
    thread
}

/// A time that one thread tells another.
pub(crate) struct Time(AtomicU64);

impl Time {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn set(&self, time: u64) {
        self.0.store(time, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
