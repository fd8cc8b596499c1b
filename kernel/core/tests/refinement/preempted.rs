//! Long invocations that an interrupt breaks off at every point where it can, and that start over each time.

use std::collections::HashSet;

use sluice_abstract::{Invocation, Thread, invariant, trespasses};
use sluice_core::Handle;

use crate::abstraction::abstraction;
use crate::input::{Act, NEXT, forget};
use crate::scope::{CAPABILITIES, IPC, MEMORY, SINGLE, STAGE1, STREAMS, Scope};
use crate::system::{System, assert_same, report};
use crate::watch::Watch;

/// Whether it can be interrupted.
fn is_long(act: &Act) -> bool {
    matches!(act, Act::Invoke(Invocation::Delete(_) | Invocation::Revoke(_) | Invocation::Retype { .. }))
}

/// Carries out an act while an interrupt is always pending; the number of times it started over.
///
/// # Panics
/// When in between an invariant does not hold, something is there that was not, something changed that the caller has no
/// authority for, or somebody reaches too much; and when it comes to something else than without interrupts.
fn interrupted(system: &mut System, act: &Act) -> Option<usize> {
    let input = system.input(act)?;
    let actor = system.state.running?;
    let mut before = system.state.clone();
    let event = input.event(&mut before);
    let mut expected = before.after_event(&event).state;
    let watch = Watch::between(&before, &expected, &system.kernel.hal.model);
    watch.look(&system.kernel.hal.model, &system.kernel.hal.tlb);
    *system.kernel.hal.watch.borrow_mut() = Some(watch);
    // Who stops itself does not start over.
    if !expected.thread(actor).is_some_and(Thread::is_runnable) {
        return None;
    }
    let mut points = 0;
    loop {
        system.kernel.hal.interrupt_after.set(Some(0));
        input.put(&mut system.kernel);
        system.kernel.hal.interrupt_after.set(None);
        let current = system.kernel.current();
        let starts_over = current.is_some_and(|thread| system.kernel.tcb(thread).context.pc.get() != NEXT);
        if !starts_over {
            break;
        }
        points += 1;
        assert!(points < 1000, "{act:?} gets nowhere");
        let middle = abstraction(&system.kernel);
        assert_eq!(invariant::broken(&middle), None, "in the middle of {act:?}");
        let new = middle.slots.keys().find(|slot| !before.slots.contains_key(slot));
        assert_eq!(new, None, "in the middle of {act:?} there is something new");
        let trespasses = trespasses(&before, actor, &middle);
        assert!(trespasses.is_empty(), "{act:?} changes {trespasses:?} in the middle");
        forget(&system.kernel);
    }
    drop(system.kernel.hal.watch.take());
    expected.run(system.kernel.current().map(Handle::at));
    assert_same(act, &expected, &abstraction(&system.kernel));
    Some(points)
}

/// In each state at most one act away from the start, every act that can be interrupted.
fn interrupt(scope: &Scope) {
    let start = scope.start(false);
    let mut states = vec![(start.inputs.clone(), start.state.clone())];
    let mut seen = HashSet::from([start.state.clone()]);
    for act in (scope.alphabet)(&start) {
        let mut system = System::after(scope.identity, &start.inputs, &start.state);
        let changed = system.act(&act).is_some_and(|outcome| outcome.changed);
        if changed && seen.insert(system.state.clone()) {
            states.push((system.inputs, system.state));
        }
    }
    let (mut acts, mut points) = (0, 0);
    for (inputs, state) in &states {
        let alphabet = (scope.alphabet)(&System::after(scope.identity, inputs, state));
        for act in alphabet.iter().filter(|act| is_long(act)) {
            let broken_off = interrupted(&mut System::after(scope.identity, inputs, state), act).unwrap_or(0);
            acts += usize::from(broken_off > 0);
            points += broken_off;
        }
    }
    report(&format!("{}: {acts} invocations broken off at {points} points in {} states", scope.name, states.len()));
    assert!(points > 50, "there is too little to interrupt");
}

#[test]
fn capabilities_agree_when_interrupted() {
    interrupt(&CAPABILITIES);
}

#[test]
fn memory_agrees_when_interrupted() {
    interrupt(&MEMORY);
}

#[test]
fn streams_agree_when_interrupted() {
    interrupt(&STREAMS);
}

#[test]
fn stage_1_agrees_when_interrupted() {
    interrupt(&STAGE1);
}

#[test]
fn one_stage_agrees_when_interrupted() {
    interrupt(&SINGLE);
}

#[test]
fn ipc_agrees_when_interrupted() {
    interrupt(&IPC);
}
