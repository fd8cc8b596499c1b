//! The guest's second processor: it does one thing over and over beside the first, until it is told to stop, and turns itself off.

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use sluice_hostile::place::FREE;

use crate::firmware::{number, smc};
use crate::{gic, mmu, trap};
use sluice_bare::machine::within;

/// Its number, which is its affinity.
pub(crate) const SECOND: u64 = 1;
/// Where its stack ends.
const STACK: u64 = FREE + 0x8_0000;
/// AFFINITY_INFO: it is off.
const OFF: u64 = 1;
/// Milliseconds that it has to begin, and to end.
const LIMIT: u64 = 5000;

static JOB: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static STOP: AtomicBool = AtomicBool::new(false);
static TURNS: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    /// Its first instruction (`start.rs`); x0 is the end of its stack.
    fn second();
}

/// Its first instruction's address.
pub(crate) fn entry() -> u64 {
    second as *const () as u64
}

/// CPU_ON of the second, with what it takes to begin: the call's answer.
pub(crate) fn start() -> i64 {
    smc([number::CPU_ON, SECOND, entry(), STACK]) as i64
}

/// Gives it something to do once it begins.
pub(crate) fn prepare(job: fn(u64)) {
    TURNS.store(0, Ordering::SeqCst);
    STOP.store(false, Ordering::SeqCst);
    JOB.store(job as *mut (), Ordering::SeqCst);
}

/// How often it has done that.
pub(crate) fn turns() -> u64 {
    TURNS.load(Ordering::SeqCst)
}

/// Has it stop, and waits until it is off.
pub(crate) fn stop() -> bool {
    STOP.store(true, Ordering::SeqCst);
    within(LIMIT, is_off)
}

/// Whether firmware says that it is off.
pub(crate) fn is_off() -> bool {
    smc([number::AFFINITY_INFO, SECOND, 0, 0]) == OFF
}

/// Does `body` while the second does `job`, which is told how often it has been done; how often that was, when it began before and
/// ended behind.
pub(crate) fn beside(job: fn(u64), body: impl FnOnce()) -> Option<u64> {
    prepare(job);
    let began = start() == 0 && within(LIMIT, || turns() > 0);
    if began {
        body();
    }
    (stop() && began).then(turns)
}

#[unsafe(no_mangle)]
extern "C" fn hostile_second() -> ! {
    trap::begin();
    mmu::on(mmu::TABLE);
    gic::restore_own();
    while !STOP.load(Ordering::SeqCst) {
        let job = JOB.load(Ordering::SeqCst);
        // SAFETY: nothing but `prepare` writes there, and it writes a function of this type; the null of the beginning is before any
        // start, which `prepare` precedes.
        let job: fn(u64) = unsafe { core::mem::transmute::<*mut (), fn(u64)>(job) };
        job(TURNS.fetch_add(1, Ordering::SeqCst));
    }
    loop {
        smc([number::CPU_OFF, 0, 0, 0]);
    }
}
