//! Clients of servers that end.

use sluice_abi::{Register, Syscall};
use sluice_manifest::supervisor::ServerEnd;
use sluice_sys::UserContext;

use super::*;
use crate::supervisor::{Fate, UNSERVED};

/// Address of the system call in the components' code.
const CALL: u64 = 0x40_0004;

/// A thread in a call with the capability in `slot`.
fn in_call(slot: u64) -> UserContext {
    let context = UserContext::default().with(Register::Pc, CALL).with(Register::Sp, 0x1_0fff_fff0);
    context.with(Register::X(0), slot).with(Register::X(7), Syscall::Call.word())
}

/// Boots, has a client call with the capability of a channel, and does something.
fn calling(client: usize, channel: &str, then: impl FnOnce(&mut Running<'_, &mut Fake>)) -> (Fake, u64, u64) {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let (mut slot, mut base) = (0, 0);
    let outcome = boot_then(&mut fake, TREE, system(), |running| {
        let fake = running.kernel();
        slot = manifest(fake, client).clients.iter().find(|end| end.name == channel).unwrap().endpoint;
        base = *fake.threads.keys().nth(client).unwrap();
        fake.registers.insert(base, in_call(slot));
        then(running);
    });
    assert_eq!(outcome, Ok(()));
    (fake, slot, base)
}

/// What the client whose thread is at `base` holds.
fn held(fake: &Fake, base: u64, slot: u64) -> Option<&Cap> {
    fake.slots.get(&(fake.threads[&base].cnode, slot))
}

fn answer(end: ServerEnd) -> [u64; 5] {
    [CALL + 4, 0x1_0fff_fff0, 0, 0, (end as u64) << 12]
}

#[test]
fn who_waits_for_a_server_that_died_is_told_and_can_call_the_next_life() {
    let (fake, slot, base) = calling(ROGUE, "vault", |running| running.end(DRIVER, Fate::Again));
    assert_eq!(fake.answers, BTreeMap::from([(base, answer(ServerEnd::Died))]));
    assert!(
        fake.lines.iter().any(|line| line == "driver leaves calls without answer: rogue told"),
        "{:#?}",
        fake.lines
    );
    let vault = cap(&booted(), ROGUE, slot).cloned();
    assert!(vault.is_some() && cap(&fake, ROGUE, slot).cloned() == vault, "its capability is what it was");
    assert_eq!((fake.cancelled.len(), fake.signals.len()), (0, 0), "others wait for the next life");
}

#[test]
fn who_waits_for_another_server_is_left_alone() {
    for fate in [Fate::Again, Fate::Over] {
        let (fake, _, _) = calling(ROGUE, "console", |running| running.end(DRIVER, fate));
        assert!(fake.answers.is_empty(), "{fate:?}");
        assert!(!fake.lines.iter().any(|line| line.contains("without answer")));
    }
}

#[test]
fn a_server_that_stays_stopped_is_answered_for_by_the_supervisor() {
    let (fake, slot, base) = calling(ROGUE, "vault", |running| running.end(DRIVER, Fate::Over));
    assert_eq!(fake.answers, BTreeMap::from([(base, answer(ServerEnd::Gone))]));
    let Some(Cap::Object { object: ObjectType::Endpoint, base: endpoint, rights, badge }) = held(&fake, base, slot)
    else {
        panic!("it has nothing to call with")
    };
    assert_eq!((*badge, *rights), (UNSERVED, CapRights::WRITE | CapRights::GRANT_REPLY));
    let supervisor = held(&fake, base, fixed::SUPERVISOR);
    assert!(matches!(supervisor, Some(Cap::Object { base, .. }) if base == endpoint));
    let Some(Cap::Object { base: vault, .. }) = cap(&booted(), ROGUE, slot).cloned() else { panic!("no channel") };
    assert_eq!(fake.cancelled, [(vault, 1)], "threads that nobody knows of call again");
}

#[test]
fn no_client_runs_while_its_capability_is_exchanged() {
    let (fake, _, _) = calling(ROGUE, "vault", |running| running.end(DRIVER, Fate::Over));
    let priorities: Vec<&str> =
        fake.lines.iter().map(String::as_str).filter(|line| line.starts_with("priority ")).collect();
    assert_eq!(priorities, ["priority 199", "priority 255", "priority 199"]);
}

#[test]
fn a_client_that_begins_again_finds_what_has_become_of_its_servers() {
    let (fake, slot, base) = calling(DRIVER, "console", |running| {
        running.end(CONSOLE, Fate::Over);
        running.end(DRIVER, Fate::Again);
    });
    assert!(fake.lines.iter().any(|line| line.starts_with("driver starts life 1")));
    assert!(matches!(held(&fake, base, slot), Some(Cap::Object { badge: UNSERVED, .. })));
}

#[test]
fn clients_that_wait_for_signals_get_one() {
    for fate in [Fate::Again, Fate::Over] {
        let (fake, _, _) = calling(ROGUE, "console", |running| running.end(CONSOLE, fate));
        let before = booted();
        let signalled = |client| {
            let signals = manifest(&before, client).signals;
            let badge = signals.iter().find(|signal| signal.name == "console").unwrap().badge;
            (thread(&before, client).notification, badge)
        };
        assert_eq!(fake.signals, [DRIVER, ROGUE].map(signalled), "{fate:?}");
        assert_eq!(fake.answers.len(), 1);
    }
}

#[test]
fn a_client_that_is_no_more_is_not_looked_for() {
    let (fake, _, _) = calling(ROGUE, "vault", |running| {
        running.end(ROGUE, Fate::Over);
        running.end(DRIVER, Fate::Over);
    });
    assert!(fake.answers.is_empty() && fake.cancelled.is_empty(), "{:#?}", fake.lines);
    assert!(!fake.lines.iter().any(|line| line.contains("refuses")), "{:#?}", fake.lines);
}

#[test]
fn what_is_refused_keeps_the_rest_from_no_client() {
    let mut missed = Vec::new();
    for patience in 0.. {
        let (fake, _, base) = calling(ROGUE, "vault", |running| {
            running.kernel().patience = patience;
            running.kernel().refuses_once = true;
            running.end(DRIVER, Fate::Over);
        });
        if !fake.answers.contains_key(&base) {
            missed.push(patience);
        }
        // Nothing was refused: all was done before.
        if fake.patience < usize::MAX / 2 {
            assert!(patience > 20);
            break;
        }
    }
    assert_eq!(missed.len(), 1, "only the refusal of the answer itself: {missed:?}");
}
