//! Exceptions that attacks lead to: they are noted, and the instruction behind is next.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::gic;

/// What the vectors save: x0 to x30, ELR_EL1 and SPSR_EL1.
#[repr(C)]
struct Frame {
    x: [u64; 31],
    elr: u64,
    spsr: u64,
}

unsafe extern "C" {
    /// The vectors (`start.rs`).
    static vectors: [u32; 512];
}

/// Has the processor that asks take exceptions here.
pub(crate) fn begin() {
    sluice_bare::write_system!("esr_el1", 0);
    sluice_bare::write_system!("vbar_el1", &raw const vectors as u64);
}

static TAKEN: AtomicU64 = AtomicU64::new(0);
static SYNDROME: AtomicU64 = AtomicU64::new(0);

/// ESR_EL1.EC of an instruction abort from EL1 (DDI 0487, D24.2).
const FETCH: u64 = 0x21;
/// That of a data abort from EL1.
pub(crate) const DATA: u64 = 0x25;

/// How often an exception was taken since the start.
pub(crate) fn taken() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// The class of the exception that `attempt` led to, the last if there were several.
pub(crate) fn class_of(attempt: impl FnOnce()) -> Option<u64> {
    let before = taken();
    attempt();
    (taken() != before).then(|| SYNDROME.load(Ordering::Relaxed) >> 26)
}

#[unsafe(no_mangle)]
extern "C" fn hostile_exception(frame: &mut Frame) {
    let syndrome = sluice_bare::read_system!("esr_el1");
    // What the next exception leaves there differs from zero: IL is set in all of ours.
    sluice_bare::write_system!("esr_el1", 0);
    if syndrome == 0 {
        return gic::interrupt();
    }
    TAKEN.fetch_add(1, Ordering::Relaxed);
    SYNDROME.store(syndrome, Ordering::Relaxed);
    // Nothing is where it jumped to: back to the caller.
    frame.elr = if syndrome >> 26 == FETCH { frame.x[30] } else { frame.elr.wrapping_add(4) };
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::console::line(format_args!("CHECK FAIL payload: {info}"));
    crate::firmware::power_off()
}
