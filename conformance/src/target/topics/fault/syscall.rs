//! System calls that the kernel does not know.

use sluice_abi::fault::FaultLabel;
use sluice_abi::{Label, Register};

use super::{FLAGS, Rig, rig, status, unknown};
use crate::target::call::Call;
use crate::target::puppet::{Start, syscall_at};
use crate::target::world::{Outcome, World};

/// What a handler is told of an unknown system call.
fn told_of_unknown(world: &World, rig: &Rig, start: &Start) -> [u64; 13] {
    let mut words = [0; 13];
    for (number, word) in (0..8).zip(&mut words) {
        *word = start.get(Register::X(number));
    }
    let pc = start.get(Register::Pc);
    words[8..].copy_from_slice(&[pc, rig.sp(), pc + 4, status(world, FLAGS), start.get(Register::X(7))]);
    words
}

pub(super) fn unknown_system_calls(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let mut numbers = [0, 1, 7, 100, u64::MAX - 29, 1 << 40, 1 << 63, u64::MAX >> 1, u64::MAX << 32, 0, 0, 0, 0, 0, 0];
    let mut count = 9;
    if !world.debug {
        // Debug system calls are unknown to a release kernel.
        for number in 9..=14u64 {
            numbers[count] = number.wrapping_neg();
            count += 1;
        }
    }
    for number in &numbers[..count] {
        let start = unknown(*number);
        let message = rig.fault(world, "an unknown system call", start)?;
        world.equal(format_args!("label for {number:#x}"), message.label(), FaultLabel::UnknownSyscall as u64);
        let wanted = told_of_unknown(world, &rig, &start);
        world.equal(format_args!("words for {number:#x}"), message.words(), &wanted[..]);
        // An empty answer makes the thread start the call over: it faults again.
        world.that("an empty answer starts the call over", !rig.answer(world, 0, &[]));
        let again = rig.take(world, "the call started over");
        world.equal("words of the call started over", again.words(), &wanted[..]);
        world.that("stopped for good", !rig.answer(world, 1, &[]));
    }
    Ok(())
}

pub(super) fn answers_to_unknown(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let (pc, sp) = (syscall_at(), rig.sp());
    let answer = [0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, pc + 4, sp, 0x1234, u64::MAX, 0xdead];
    // A handler that emulates the call moves on past it: that takes nine words at least.
    for count in 9..=13 {
        let start = unknown(99);
        rig.fault(world, "to be emulated", start)?;
        world.that(format_args!("{count} words resume the thread"), rig.answer(world, 0, &answer[..count]));
        let found = rig.puppet.reported();
        world.equal(format_args!("x0..x7 after {count} words"), &found[..8], &answer[..8]);
        for number in 8..31u8 {
            let wanted = start.get(Register::X(number));
            world.equal(format_args!("x{number} after {count} words"), found[usize::from(number)], wanted);
        }
        let flags = if count >= 12 { 0xf000_0000 } else { FLAGS };
        world.equal(format_args!("flags after {count} words"), rig.puppet.reported_flags(), flags);
    }
    // Fewer words write fewer registers and leave the thread at its call.
    for count in 1..8 {
        let start = unknown(99);
        rig.fault(world, "answered in part", start)?;
        world.that(format_args!("{count} words do not get past the call"), !rig.answer(world, 0, &answer[..count]));
        let mut wanted = told_of_unknown(world, &rig, &start);
        wanted[..count].copy_from_slice(&answer[..count]);
        let message = rig.take(world, "the call started over");
        world.equal(format_args!("words after {count} were written"), message.words(), &wanted[..]);
        rig.answer(world, 1, &[]);
    }
    // A label other than 0 writes the words and leaves the thread stopped, until it is resumed.
    rig.fault(world, "to be stopped", unknown(99))?;
    world.that("a label stops the thread", !rig.answer(world, 3, &answer[..9]));
    let reports = rig.puppet.reports();
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbResume))?;
    world.that("resumed, it goes on where the answer said", world.waits_for(rig.puppet, reports));
    world.equal("x0", rig.puppet.reported()[0], 0xb0);
    Ok(())
}
