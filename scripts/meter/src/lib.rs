//! A QEMU plugin that sees every instruction of the machine and counts those of the kernel.
//!
//! It answers what the machine cannot ask itself without changing the answer: how many instructions boot takes, how long
//! the kernel goes without noticing an interrupt, and in which function instructions are spent. The kernel runs with
//! interrupts masked; it notices one when a thread's instruction is next, or where it asks for pending ones (reads of
//! ISR_EL1 and ICC_IAR1_EL1, and WFI). The instructions between two such points are a *stretch*.
//!
//! Arguments: `kernel=ADDRESS` (where the kernel is linked; what is above is the kernel), `out=FILE`.
//!
//! Lines of the output, numbers in decimal, addresses in hexadecimal:
//!
//! | line | meaning |
//! |---|---|
//! | `boot COUNT` | instructions before the first of a thread |
//! | `stretch COUNT START END` | the longest from START to END, after boot |
//! | `mark NUMBER` | a thread executed `hint #65`, the NUMBER-th time |
//! | `count ADDRESS COUNT` | how often the kernel's instruction at ADDRESS ran since the last `hint #64` or `#65` |
//!
//! With the argument `totals` it is quicker and counts less: whole blocks, by where they are. A block that is left early counts
//! as a whole. Then the lines are:
//!
//! | line | meaning |
//! |---|---|
//! | `kernel COUNT` | instructions of the kernel |
//! | `guest COUNT` | instructions of a guest's kernel, above 0xffff000000000000 |
//! | `low COUNT` | all others: threads, and programs of guests |
//!
//! The safe part is [`meter`]; here is QEMU's interface (`qemu-plugin.h`, API version 4).

mod meter;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use meter::{Instruction, METER};

/// QEMU checks it before it loads the plugin.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 4;

/// A translated block; QEMU's.
#[repr(C)]
struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block; QEMU's.
#[repr(C)]
struct BlockInstruction {
    _opaque: [u8; 0],
}

type OnTranslate = extern "C" fn(u64, *mut Block);
type OnExecute = extern "C" fn(c_uint, *mut c_void);
type AtExit = extern "C" fn(u64, *mut c_void);

/// `QEMU_PLUGIN_CB_NO_REGS`.
const NO_REGISTERS: c_int = 0;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: OnTranslate);
    fn qemu_plugin_register_atexit_cb(id: u64, callback: AtExit, data: *mut c_void);
    fn qemu_plugin_register_vcpu_tb_exec_cb(block: *mut Block, callback: OnExecute, flags: c_int, data: *mut c_void);
    fn qemu_plugin_tb_vaddr(block: *const Block) -> u64;
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut BlockInstruction;
    fn qemu_plugin_insn_vaddr(instruction: *const BlockInstruction) -> u64;
    fn qemu_plugin_insn_data(instruction: *const BlockInstruction, to: *mut c_void, len: usize) -> usize;
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut BlockInstruction,
        callback: OnExecute,
        flags: c_int,
        data: *mut c_void,
    );
}

extern "C" fn translate(_: u64, block: *mut Block) {
    // SAFETY: QEMU passes a block that is valid during the callback.
    let count = unsafe { qemu_plugin_tb_n_insns(block) };
    if METER.is_total() {
        // SAFETY: the block is valid.
        let address = unsafe { qemu_plugin_tb_vaddr(block) };
        let data = core::ptr::without_provenance_mut(METER.block(address, count));
        // SAFETY: the block is valid, and `pass` takes the data for the number it is.
        unsafe { qemu_plugin_register_vcpu_tb_exec_cb(block, pass, NO_REGISTERS, data) };
        return;
    }
    for index in 0..count {
        // SAFETY: the block is valid, and `index` is one of its instructions.
        let instruction = unsafe { qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: the instruction is valid during the callback.
        let address = unsafe { qemu_plugin_insn_vaddr(instruction) };
        let mut word = 0u32;
        // SAFETY: at most the four bytes of `word` are written.
        unsafe { qemu_plugin_insn_data(instruction, (&raw mut word).cast(), size_of::<u32>()) };
        let known: &'static Instruction = METER.instruction(address, u32::from_le(word));
        let data = core::ptr::from_ref(known).cast_mut().cast();
        // SAFETY: the instruction is valid; the data lives for ever, and only `execute` uses it.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(instruction, execute, NO_REGISTERS, data) };
    }
}

extern "C" fn pass(_: c_uint, data: *mut c_void) {
    METER.pass(data.addr());
}

extern "C" fn execute(_: c_uint, data: *mut c_void) {
    // SAFETY: `translate` registered a reference that lives for ever.
    let instruction = unsafe { &*data.cast::<Instruction>() };
    METER.execute(instruction);
}

extern "C" fn finish(_: u64, _: *mut c_void) {
    METER.finish();
}

/// Called by QEMU when it loads the plugin; 0 is success.
///
/// # Safety
/// `argv` must be `argc` strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: by the caller's promise.
    let arguments = if count == 0 { &[] } else { unsafe { core::slice::from_raw_parts(argv, count) } };
    // SAFETY: by the caller's promise.
    let arguments = arguments.iter().map(|text| unsafe { CStr::from_ptr(*text) }.to_string_lossy().into_owned());
    if let Err(error) = METER.configure(arguments) {
        eprintln!("meter: {error}");
        return 1;
    }
    // SAFETY: QEMU's own functions, with its id and callbacks that live for ever.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translate) };
    // SAFETY: as above.
    unsafe { qemu_plugin_register_atexit_cb(id, finish, core::ptr::null_mut()) };
    0
}
