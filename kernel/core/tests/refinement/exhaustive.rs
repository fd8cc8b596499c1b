//! Every sequence of invocations to a stated length, in a small world. States reached twice are looked at once.

use std::collections::{HashSet, VecDeque};

use sluice_abstract::{Invocation, step};

use crate::scope::{CAPABILITIES, MEMORY, STREAMS, Scope};
use crate::system::{Effort, System, report};

/// From each state less than `depth` invocations away from the start, everything the world's alphabet has.
fn explore(scope: &Scope, depth: usize) {
    let start = scope.start(true);
    let mut effort = start.effort;
    let mut seen = HashSet::from([start.state.clone()]);
    let mut open = VecDeque::from([Vec::new()]);
    while let Some(path) = open.pop_front() {
        let mut system = follow(scope, &path);
        let node = system.node;
        for invocation in (scope.alphabet)(node, &system.state.clone()) {
            let caller = system.kernel.current().expect("a running thread");
            let accepted = step(&system.state, caller.at(), &invocation).is_ok();
            if system.invoke(&invocation).is_none() || !accepted {
                continue;
            }
            effort.add(system.effort);
            if seen.insert(system.state.clone()) && path.len() + 1 < depth {
                open.push_back([path.as_slice(), &[invocation]].concat());
            }
            system = follow(scope, &path);
        }
        effort.add(system.effort);
    }
    report(&format!("{}: all sequences to length {depth}: {} states, {effort}", scope.name, seen.len()));
    assert!(effort.accepted > 100 && effort.refused > 100, "the world is too small to mean anything");
}

fn follow(scope: &Scope, path: &[Invocation]) -> System {
    let mut system = scope.start(false);
    for invocation in path {
        system.repeat(invocation);
    }
    system.effort = Effort::default();
    system
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
