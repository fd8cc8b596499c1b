//! Every sequence of invocations to a stated length, in a small world. States reached twice are looked at once.

use std::collections::{HashSet, VecDeque};

use crate::scope::{
    CAPABILITIES, DEVICES, EXITS, FORWARDED, GUESTS, IPC, MEMORY, NO_STAGE1, SINGLE, STAGE1, STREAMS, Scope, THREADS,
};
use crate::system::{System, report};
use crate::watch::dma;

/// From each state less than `depth` acts away from the start, everything the world's alphabet has.
fn explore(scope: &Scope, depth: usize) {
    let start = scope.start(true);
    let again = System::after(scope.identity, &start.inputs, &start.state);
    for sid in crate::watch::STREAMS {
        let [here, there] = [&start, &again].map(|system| dma(&system.kernel.hal.model, sid));
        assert_eq!(here, there, "what was done to the world, done again, is another world");
    }
    let mut effort = start.effort;
    let mut seen = HashSet::from([start.state.clone()]);
    let mut open = VecDeque::from([(start.inputs, start.state, 0)]);
    while let Some((inputs, state, length)) = open.pop_front() {
        let mut system = System::after(scope.identity, &inputs, &state);
        for act in (scope.alphabet)(&system) {
            let Some(outcome) = system.act(&act) else { continue };
            if outcome.changed {
                effort.add(system.effort);
                if seen.insert(system.state.clone()) && length + 1 < depth {
                    open.push_back((system.inputs, system.state, length + 1));
                }
                system = System::after(scope.identity, &inputs, &state);
            }
        }
        effort.add(system.effort);
    }
    report(&format!("{}: all sequences to length {depth}: {} states, {effort}", scope.name, seen.len()));
    assert!(effort.accepted > 100 && effort.refused > 100, "the world is too small to mean anything");
}

/// Length of the sequences: `SLUICE_REFINEMENT_LENGTH`, or 3, which takes a minute.
fn length() -> usize {
    std::env::var("SLUICE_REFINEMENT_LENGTH").ok().and_then(|length| length.parse().ok()).unwrap_or(3)
}

#[test]
fn capabilities_agree_in_every_short_sequence() {
    explore(&CAPABILITIES, length());
}

#[test]
fn memory_agrees_in_every_short_sequence() {
    explore(&MEMORY, length());
}

#[test]
fn streams_agree_in_every_short_sequence() {
    explore(&STREAMS, length());
}

#[test]
fn stage_1_agrees_in_every_short_sequence() {
    explore(&STAGE1, length());
}

#[test]
fn the_lack_of_stage_1_agrees_in_every_short_sequence() {
    explore(&NO_STAGE1, length() - 1);
}

#[test]
fn one_stage_agrees_in_every_short_sequence() {
    explore(&SINGLE, length());
}

#[test]
fn devices_agree_in_every_short_sequence() {
    explore(&DEVICES, length());
}

#[test]
fn guests_agree_in_every_short_sequence() {
    explore(&GUESTS, length());
}

#[test]
fn exits_agree_in_every_short_sequence() {
    explore(&EXITS, length());
}

#[test]
fn forwarded_interrupts_agree_in_every_short_sequence() {
    explore(&FORWARDED, length());
}

#[test]
fn ipc_agrees_in_every_short_sequence() {
    explore(&IPC, length());
}

#[test]
fn threads_agree_in_every_short_sequence() {
    explore(&THREADS, length());
}
