//! From the first instruction to `main`, and what happens when something panics.

use sluice_abi::VirtAddr;
use sluice_manifest::{Manifest, Start, layout};

use crate::{Env, heap, log, supervise};

// The root task sets SP and passes what `Start` describes. A zero frame pointer and link register end a back trace.
core::arch::global_asm!(
    ".section .text._start, \"ax\"",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "b {start}",
    ".size _start, . - _start",
    start = sym start,
);

unsafe extern "Rust" {
    /// Defined by `entry!` in the component.
    safe fn sluice_component_main(env: &Env);
}

extern "C" fn start(_manifest: u64, heap_bytes: u64, manifest_bytes: u64) -> ! {
    // SAFETY: the root task mapped the buffer at this address for this thread and registered it with the kernel; it
    // stays mapped, and nothing of the program is placed there.
    unsafe { sluice_sys::set_ipc_buffer(VirtAddr(layout::IPC_BUFFER)) };
    // SAFETY: entered once, with the heap's size from the root task, which mapped that many bytes for nothing else.
    unsafe { heap::init(heap_bytes) };
    run(Start { heap_bytes, manifest_bytes })
}

fn run(start: Start) -> ! {
    let bytes = start.manifest_bytes.min(layout::MANIFEST_MAX) as usize;
    let address = core::ptr::with_exposed_provenance::<u8>(layout::MANIFEST as usize);
    // SAFETY: the root task mapped the manifest's bytes at this address, read-only, and changes them no more.
    let encoded = unsafe { core::slice::from_raw_parts(address, bytes) };
    let manifest = match Manifest::decode(encoded) {
        Ok(manifest) => manifest,
        Err(error) => panic!("the manifest's {bytes} bytes do not decode: {error}"),
    };
    log::open(&manifest);
    let env = Env::new(manifest);
    sluice_component_main(&env);
    supervise::finish();
    supervise::exit()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log::print_panic(format_args!("PANIC {info}"));
    supervise::panicked()
}
