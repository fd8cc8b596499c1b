//! Those who must not notice: a stopped thread, a running one, memory on both sides of the fuzzer's, and every slot of
//! the root task.

use core::arch::asm;

use sluice_abi::{CPtr, ObjectType, PAGE_SIZE, Register, Syscall};
use sluice_sys::{Configuration, Frame, Notification, Resume, Tcb, UserContext};

use crate::idle::{Stack, spawn};
use crate::machine::{CNODE, Machine, TCB, VSPACE, done, load, store};

/// Above the fuzzer's threads, below the root thread.
const PRIORITY: u8 = 20;
/// Pages with a pattern.
const PAGES: usize = 4;
const WORDS: u64 = PAGE_SIZE / 8;
/// Slots of the root task whose kinds of capability are remembered.
const SLOTS: usize = 4096;

static STACK: Stack = Stack::new();

/// What was seen, and how much of it was not as it should be.
#[derive(Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) looks: u64,
    pub(crate) registers: u64,
    pub(crate) rounds: u64,
    pub(crate) disturbed: u64,
    pub(crate) words: u64,
    pub(crate) changed: u64,
    pub(crate) slots: u64,
    pub(crate) exchanged: u64,
}

impl Sight {
    pub(crate) const NOTHING: Self =
        Self { looks: 0, registers: 0, rounds: 0, disturbed: 0, words: 0, changed: 0, slots: 0, exchanged: 0 };

    pub(crate) fn add(&mut self, other: &Self) {
        self.looks += other.looks;
        self.registers += other.registers;
        self.rounds += other.rounds;
        self.disturbed += other.disturbed;
        self.words += other.words;
        self.changed += other.changed;
        self.slots += other.slots;
        self.exchanged += other.exchanged;
    }
}

pub(crate) struct Bystanders {
    stopped: Tcb,
    /// The running thread's page: rounds at word 0, disturbed ones at word 1, its notification's pointer at word 2.
    running: u64,
    notification: Notification,
    pages: [u64; PAGES],
    rounds: u64,
    tags: Option<[u8; SLOTS]>,
}

fn pattern(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5afe_5afe
}

/// A value for each register that keeps what is written to it.
fn register(index: usize) -> u64 {
    pattern(index as u64) & !0xfff
}

impl Bystanders {
    pub(crate) fn new(machine: &mut Machine) -> Self {
        let stopped = Tcb::from(machine.make(ObjectType::Tcb, 0));
        let buffer_frame = Frame::from(machine.make(ObjectType::SmallPage, 0));
        done(stopped.configure(&Configuration {
            fault_endpoint: CPtr(0),
            cspace: CNODE,
            cspace_data: 0,
            vspace: VSPACE,
            buffer: sluice_abi::VirtAddr(0),
            buffer_frame,
        }));
        done(stopped.set_sched_params(TCB, PRIORITY, PRIORITY));
        done(stopped.write_registers(&expected(), Resume::Later));
        let pages = core::array::from_fn(|_| machine.page());
        for page in pages {
            (0..WORDS).map(|word| page + 8 * word).for_each(|at| store(at, pattern(at)));
        }
        let running = machine.page();
        let notification = machine.make(ObjectType::Notification, 0);
        store(running + 16, notification);
        spawn(machine, PRIORITY, &STACK, wait_for_rounds, running);
        Self { stopped, running, notification: Notification::from(notification), pages, rounds: 0, tags: None }
    }

    /// Looks at everything, and has the running thread make one round more.
    pub(crate) fn look(&mut self, machine: &Machine) -> Sight {
        let mut sight = Sight { looks: 1, ..Sight::NOTHING };
        let now = done(self.stopped.read_registers());
        sight.registers = u64::from(now != expected());
        for page in self.pages {
            sight.words += WORDS;
            sight.changed +=
                (0..WORDS).map(|word| page + 8 * word).filter(|at| load(*at) != pattern(*at)).count() as u64;
        }
        // The thread has finished the round before when the root thread waited for the fuzzer.
        sight.rounds = u64::from(load(self.running) == self.rounds);
        sight.disturbed = load(self.running + 8);
        self.rounds += 1;
        self.notification.signal();
        self.look_at_slots(machine, &mut sight);
        sight
    }

    fn look_at_slots(&mut self, machine: &Machine, sight: &mut Sight) {
        let count = (machine.slots_in_use() as usize).min(SLOTS);
        let tag = |slot: usize| sluice_sys::debug_cap_identify(CPtr(slot as u64)) as u8;
        match &self.tags {
            Some(tags) => {
                sight.slots = count as u64;
                sight.exchanged = (0..count).filter(|slot| tags[*slot] != tag(*slot)).count() as u64;
            }
            // Lives begin and end with the same slots in use.
            None => {
                let mut tags = [0; SLOTS];
                tags.iter_mut().enumerate().take(count).for_each(|(slot, known)| *known = tag(slot));
                self.tags = Some(tags);
            }
        }
    }
}

/// The stopped thread's registers. Of SPSR the kernel takes only the flags over.
fn expected() -> UserContext {
    let mut context = UserContext::default();
    for (index, which) in Register::ORDER.into_iter().enumerate() {
        if which != Register::Spsr {
            context = context.with(which, register(index));
        }
    }
    context.with(Register::Spsr, 0x40)
}

/// Waits for a signal with known values in registers, and looks whether they are still there.
extern "C" fn wait_for_rounds(page: u64) -> ! {
    loop {
        let difference: u64;
        // SAFETY: the system call changes x0..x5 only; the other registers are set before it and compared after it, and
        // all are declared. Memory is not touched.
        unsafe {
            asm!(
                ".irp n, 8,9,10,11,12,13,14,15,16,17,20,21,22,23,24,25,26,27,28",
                "mov x\\n, #(\\n * 100)",
                ".endr",
                "svc #0",
                "mov x6, #0",
                ".irp n, 8,9,10,11,12,13,14,15,16,17,20,21,22,23,24,25,26,27,28",
                "sub x\\n, x\\n, #(\\n * 100)",
                "orr x6, x6, x\\n",
                ".endr",
                inout("x0") load(page + 16) => _,
                out("x1") _, out("x2") _, out("x3") _, out("x4") _, out("x5") _,
                out("x6") difference,
                inout("x7") Syscall::Recv.word() => _,
                out("x8") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _,
                out("x15") _, out("x16") _, out("x17") _, out("x20") _, out("x21") _, out("x22") _, out("x23") _,
                out("x24") _, out("x25") _, out("x26") _, out("x27") _, out("x28") _,
                options(nostack),
            );
        }
        store(page + 8, load(page + 8) + u64::from(difference != 0));
        store(page, load(page) + 1);
    }
}
