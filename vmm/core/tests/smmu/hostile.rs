//! Guests that mean harm: indices, bases and sizes that make no sense.

use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::smmu::Interrupt;

use crate::guest::{BEYOND, COMMANDS, DESCRIPTORS, FEATURES, Guest, RAM_BYTES, SYNC, at};
use crate::world::Call;

const SID: u64 = 0x18;
const ABORT: u32 = 2 << 24;

/// A guest with its command queue, disabled, at `base`.
fn with_queue(base: u64) -> Guest {
    let mut guest = Guest::running(FEATURES, &[SID as u32]);
    guest.attach(SID, DESCRIPTORS);
    guest.write(at::CR0, 0x5);
    guest.write64(at::CMDQ_BASE, base);
    guest.write(at::CMDQ_PROD, 0);
    guest.write(at::CMDQ_CONS, 0);
    guest.write(at::CR0, 0xd);
    guest.calls();
    guest.machine.ram.reads.set(0);
    guest
}

#[test]
fn a_queue_outside_memory_aborts() {
    for base in [0, RAM_BASE - 0x1000, BEYOND, (1 << 44) - 0x1000] {
        let mut guest = with_queue(base | 8);
        guest.write(at::CMDQ_PROD, 5);
        assert_eq!(guest.calls(), [Call::Interrupt(Interrupt::Errors)]);
        assert_eq!((guest.read(at::CMDQ_CONS), guest.errors(), guest.machine.ram.reads.get()), (ABORT, 1, 1));
        // Acknowledged with nothing mended, it is the same again, once.
        guest.write(at::GERRORN, 1);
        assert_eq!(guest.calls(), [Call::Interrupt(Interrupt::Errors)]);
        assert_eq!((guest.read(at::CMDQ_CONS), guest.errors(), guest.machine.ram.reads.get()), (ABORT, 1, 2));
    }
}

#[test]
fn a_queue_that_leaves_memory_runs_up_to_there() {
    let base = BEYOND - 0x1000;
    let mut guest = with_queue(base | 8);
    for index in 0..252 {
        guest.machine.ram.store(base + 16 * index, 0x10);
    }
    guest.write(at::CMDQ_PROD, 256);
    assert_eq!((guest.read(at::CMDQ_CONS), guest.errors(), guest.machine.ram.reads.get()), (ABORT | 252, 1, 253));
    let invalidated = guest.calls().iter().fold(0, |sum, call| match call {
        Call::Invalidate(_, commands) => sum + commands.len(),
        Call::Stage1(..) | Call::Interrupt(_) => sum,
    });
    assert_eq!(invalidated, 252);
}

#[test]
fn more_than_a_queue_holds_is_not_carried_out() {
    let mut guest = with_queue(COMMANDS | 8);
    for index in 0..256 {
        guest.machine.ram.store(COMMANDS + 16 * index, 0x10);
    }
    guest.write(at::CMDQ_PROD, 257);
    assert_eq!(guest.calls(), [Call::Interrupt(Interrupt::Errors)]);
    assert_eq!((guest.read(at::CMDQ_CONS), guest.machine.ram.reads.get()), (ABORT, 0));
    // A full queue is none too much.
    guest.write(at::CMDQ_PROD, 256);
    guest.write(at::GERRORN, 1);
    assert_eq!((guest.read(at::CMDQ_CONS) & 0xf_ffff, guest.machine.ram.reads.get()), (256, 256));
    assert_eq!(guest.calls().len(), 256usize.div_ceil(59));
}

#[test]
fn sizes_are_capped() {
    for bits in [9, 19, 31] {
        // At the start of memory, which is aligned to any size, and all of it commands.
        let mut guest = with_queue(RAM_BASE | bits);
        for at in (RAM_BASE..RAM_BASE + RAM_BYTES).step_by(16) {
            guest.machine.ram.store(at, 0x46);
        }
        guest.write(at::CMDQ_PROD, 0x2ff);
        assert_eq!((guest.machine.ram.reads.get(), guest.read(at::CMDQ_CONS), guest.errors()), (0xff, 0xff, 0));
    }
    // A queue of one command.
    let mut guest = with_queue(COMMANDS);
    guest.machine.ram.store(COMMANDS, 0x10);
    for prod in [1, 0, 1] {
        guest.write(at::CMDQ_PROD, prod);
        assert_eq!(guest.calls(), [Call::Invalidate(0, vec![[0x10, 0]])]);
        assert_eq!(guest.read(at::CMDQ_CONS), prod);
    }
}

#[test]
fn index_bits_beyond_the_queue_mean_nothing() {
    let mut guest = with_queue(COMMANDS | 2);
    guest.machine.ram.store(COMMANDS, 0x10);
    guest.write(at::CMDQ_PROD, 0xf_fff9);
    assert_eq!(guest.calls(), [Call::Invalidate(0, vec![[0x10, 0]])]);
    assert_eq!((guest.read(at::CMDQ_CONS), guest.errors()), (1, 0));
}

#[test]
fn a_disabled_queue_is_not_read() {
    let mut guest = with_queue(COMMANDS | 8);
    guest.write(at::CR0, 5);
    guest.write(at::CMDQ_PROD, 200);
    assert_eq!((guest.read(at::CMDQ_CONS), guest.machine.ram.reads.get()), (0, 0));
    guest.write(at::CMDQ_PROD, 1);
    guest.machine.ram.store(COMMANDS, 0x10);
    guest.write(at::CR0, 0xd);
    assert_eq!(guest.calls(), [Call::Invalidate(0, vec![[0x10, 0]])], "enabled, it goes on");
}

#[test]
fn a_queue_full_of_the_costliest_command_is_bounded() {
    let sids: Vec<u32> = (0..64).collect();
    let mut guest = Guest::running(FEATURES, &sids);
    for sid in 0..64 {
        guest.entry(sid, (DESCRIPTORS + 64 * sid) | 0b1011, 0);
    }
    guest.machine.ram.reads.set(0);
    let all = [[0x04, 31]; 256];
    let calls = guest.issue(&all);
    assert_eq!(guest.machine.ram.reads.get(), 256 * (1 + 64));
    let changes = calls.iter().filter(|call| matches!(call, Call::Stage1(..))).count();
    assert_eq!(changes, 64, "an entry that stays as it was is not assigned again");
    assert!(calls.len() <= 256 * 64 * 2);
}

#[test]
fn errors_do_not_hide_what_came_before() {
    let mut guest = Guest::running(FEATURES, &[SID as u32]);
    guest.attach(SID, DESCRIPTORS);
    guest.calls();
    guest.entry(SID, 0, 0);
    let calls = guest.commands(&[[SID << 32 | 3, 1], [0x1046, 0], [0xff, 0], SYNC]);
    let expected = [
        Call::Stage1(0, sluice_vmm::smmu::Stage1::Abort),
        Call::Interrupt(Interrupt::Sync),
        Call::Interrupt(Interrupt::Errors),
    ];
    assert_eq!(calls, expected);
}
