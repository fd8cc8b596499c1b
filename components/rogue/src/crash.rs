//! Crashes that no Rust program makes without being told to.

core::arch::global_asm!(
    ".section .text.rogue, \"ax\"",
    ".globl rogue_store_to_null",
    "rogue_store_to_null:",
    "mov x0, xzr",
    "str x0, [x0]",
    "ret",
    ".globl rogue_run",
    "rogue_run:",
    "br x0",
    ".globl rogue_run_nothing",
    "rogue_run_nothing:",
    "udf #0",
    "ret",
);

// SAFETY: these are the routines above. Each ends the thread by an exception or returns, and changes nothing that Rust knows of:
// nothing is mapped at address 0, and no data is executable.
unsafe extern "C" {
    safe fn rogue_store_to_null();
    safe fn rogue_run(address: u64);
    safe fn rogue_run_nothing();
}

/// What data looks like that would return at once, were it run.
static RET: u32 = 0xd65f_03c0;

/// The crash of a life.
pub(crate) fn of(life: u32) {
    match life % 3 {
        0 => rogue_store_to_null(),
        1 => rogue_run(core::ptr::from_ref(&RET).addr() as u64),
        _ => rogue_run_nothing(),
    }
}
