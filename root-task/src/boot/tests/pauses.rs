//! Pauses between lives.

use sluice_manifest::supervisor::{DeviceAction, PANICKED};
use sluice_spec::{Channel, Restart};

use super::*;
use crate::supervisor::{Fate, Message};

const MS: u64 = TICKS / 1000;

/// The system with a server of alarms (the component `console`) and a driver that lives again.
fn with_timer() -> System {
    let mut system = system();
    system.channels.push(Channel { name: "timer".into(), server: CONSOLE as u32, clients: std::vec![1], notify: true });
    system.components[DRIVER].restart = Restart::Always;
    system
}

/// How often lines of the root task begin so.
fn said(running: &mut Running<'_, &mut Fake>, beginning: &str) -> usize {
    running.kernel().lines.iter().filter(|line| line.starts_with(beginning)).count()
}

fn run(system: System, then: impl FnOnce(&mut Running<'_, &mut Fake>)) -> Fake {
    let mut fake = Fake::new(&UNTYPEDS, host());
    fake.now = 77 * TICKS;
    assert_eq!(boot_then(&mut fake, TREE, system, then), Ok(()));
    fake
}

#[test]
fn who_dies_at_once_waits_longer_each_time_and_then_lives_again() {
    let fake = run(with_timer(), |running| {
        running.end(DRIVER, Fate::Again);
        assert_eq!(said(running, "driver starts life"), 1, "the first end may be an accident");
        for (lives, pause) in [(2, 10), (3, 20), (4, 40), (5, 80)] {
            running.end(DRIVER, Fate::Again);
            running.go_on();
            let due = running.kernel().now + pause * MS;
            assert_eq!(running.kernel().alarms.last().map(|(_, _, at)| *at), Some(due));
            running.kernel().now = due - 1;
            running.go_on();
            assert_eq!(said(running, "driver starts life"), lives - 1, "it is early");
            running.kernel().now = due;
            running.go_on();
            assert_eq!(said(running, "driver starts life"), lives);
        }
        let asked = running.kernel().alarms.len();
        running.go_on();
        assert_eq!(running.kernel().alarms.len(), asked, "nobody waits");
    });
    // The request is that of one more client, and the answer arrives at the root task.
    let (endpoint, badge, _) = fake.alarms[0];
    let server = manifest(&fake, CONSOLE).servers.into_iter().find(|server| server.name == "timer").unwrap();
    assert!(matches!(cap(&fake, CONSOLE, server.endpoint), Some(Cap::Object { base, .. }) if *base == endpoint));
    let caller = server.clients.iter().find(|caller| caller.badge == badge).unwrap();
    let signal = cap(&fake, CONSOLE, caller.signal.unwrap());
    assert!(
        matches!(signal, Some(Cap::Object { base, rights: CapRights::WRITE, .. }) if *base == fake.own_notification)
    );
    assert!(fake.lines.iter().filter(|line| line.contains("NOT AS AT FIRST")).count() == 0, "{:#?}", fake.lines);
}

/// One more component, without devices.
const OTHER: usize = 3;

fn with_another() -> System {
    let mut system = with_timer();
    system.components.push(fixture::component("other", 50));
    system
}

#[test]
fn who_is_away_is_not_missed_in_the_counts() {
    let fake = run(with_another(), |running| {
        running.end(DRIVER, Fate::Again);
        running.end(DRIVER, Fate::Again);
        running.end(OTHER, Fate::Again);
        running.kernel().now += TICKS;
        running.go_on();
    });
    let lives: Vec<&String> = fake.lines.iter().filter(|line| line.contains(" starts life ")).collect();
    assert!(lives.len() == 3 && lives.iter().all(|line| line.ends_with(", as at first")), "{lives:#?}");
    let fake = run(with_another(), |running| {
        let before = running.kernel().slots.clone();
        running.end(DRIVER, Fate::Again);
        running.end(DRIVER, Fate::Again);
        let fake = running.kernel();
        let left = before.into_iter().find(|(at, _)| at.0 == kernel::ROOT && !fake.slots.contains_key(at));
        // It has left something behind.
        fake.slots.extend(left);
        running.end(OTHER, Fate::Again);
    });
    assert!(fake.lines.iter().any(|line| line.starts_with("other starts life") && line.ends_with("NOT AS AT FIRST")));
}

/// A message of the driver, or of whoever has a copy of its capability; what the supervisor makes of it is done.
fn says(running: &mut Running<'_, &mut Fake>, label: u64) {
    let message = Message { badge: DRIVER as u64 + 1, label, words: Default::default() };
    let response = running.supervisor.receive(&message);
    if let Some((component, fate)) = response.end {
        running.end(component, fate);
    }
}

#[test]
fn who_is_away_is_neither_heard_nor_ended_nor_served() {
    let mut system = with_timer();
    system.components[DRIVER].restart = Restart::Times(3);
    let fake = run(system, |running| {
        says(running, PANICKED);
        says(running, PANICKED);
        assert_eq!((said(running, "driver starts life"), said(running, "driver lives again in 10 ms")), (1, 1));
        let (slots, memory) = (running.kernel().slots.clone(), running.kernel().memory.clone());
        running.kernel().steps.clear();
        for label in [PANICKED, PANICKED, PANICKED, 5] {
            says(running, label);
        }
        running.end(DRIVER, Fate::Again);
        running.end(DRIVER, Fate::Over);
        for action in [0, 1, 2, 3, 4].map(|word| DeviceAction::from_word(word).unwrap()) {
            let refused = running.device(DRIVER, 0, action).unwrap_err();
            assert_eq!(refused, "driver does not live: nothing is done for it");
        }
        assert!(running.guest(DRIVER).is_err());
        let fake = running.kernel();
        assert!(fake.slots == slots && fake.memory == memory && fake.steps.is_empty(), "{:?}", fake.steps);
        // It lives again once, has what it had, and the life that it may have after that.
        fake.now += TICKS;
        running.go_on();
        running.kernel().now += TICKS;
        running.go_on();
        assert_eq!((said(running, "driver starts life"), said(running, "driver stays stopped")), (2, 0));
        assert_eq!(running.device(DRIVER, 0, DeviceAction::Master), Ok(()));
        says(running, PANICKED);
        assert_eq!(said(running, "driver starts life"), 3);
        says(running, PANICKED);
        running.kernel().now += TICKS;
        running.go_on();
        assert_eq!(said(running, "driver starts life"), 3, "no life is left");
    });
    assert!(fake.lines.iter().all(|line| !line.contains("NOT AS AT FIRST")), "{:#?}", fake.lines);
}

#[test]
fn the_time_of_a_reset_is_no_life() {
    run(with_timer(), |running| {
        running.kernel().reset_takes = 3 * TICKS;
        running.end(DRIVER, Fate::Again);
        for (lives, pause) in [(2, 10), (3, 20), (4, 40)] {
            running.end(DRIVER, Fate::Again);
            running.go_on();
            let due = running.kernel().now + pause * MS;
            assert_eq!(running.kernel().alarms.last().map(|(_, _, at)| *at), Some(due), "counted from when it is away");
            assert_eq!(said(running, "driver starts life"), lives - 1);
            running.kernel().now = due;
            running.go_on();
            assert_eq!(said(running, "driver starts life"), lives);
        }
        running.kernel().now += TICKS;
        running.end(DRIVER, Fate::Again);
        assert_eq!(said(running, "driver starts life"), 5, "it has lived for a second");
    });
    // Nor is it another's.
    run(with_another(), |running| {
        running.kernel().reset_takes = 3 * TICKS;
        running.end(OTHER, Fate::Again);
        running.end(DRIVER, Fate::Again);
        running.end(OTHER, Fate::Again);
        assert_eq!((said(running, "other starts life"), said(running, "other lives again in 10 ms")), (1, 1));
    });
}

#[test]
fn a_long_life_is_followed_by_the_next_at_once() {
    run(with_timer(), |running| {
        for life in 1..=4 {
            running.kernel().now += TICKS;
            running.end(DRIVER, Fate::Again);
            assert_eq!(said(running, "driver starts life"), life);
        }
    });
}

#[test]
fn a_pause_holds_nobody_else_up() {
    run(with_timer(), |running| {
        running.end(DRIVER, Fate::Again);
        running.end(DRIVER, Fate::Again);
        // The server of alarms itself: nobody could say when.
        for life in 1..=3 {
            running.end(CONSOLE, Fate::Again);
            assert_eq!(said(running, "console starts life"), life);
        }
        let asked = running.kernel().alarms.len();
        running.go_on();
        assert_eq!(running.kernel().alarms.len(), asked + 1, "its next life is asked again");
        assert_eq!(said(running, "driver starts life"), 1);
    });
}

#[test]
fn without_a_server_of_alarms_nobody_waits() {
    let mut without = with_timer();
    without.channels.pop();
    let fake = run(without, |running| {
        for life in 1..=4 {
            running.end(DRIVER, Fate::Again);
            assert_eq!(said(running, "driver starts life"), life);
        }
    });
    assert!(fake.alarms.is_empty() && fake.own_notification == 0);
    // A server that the root task comes before could miss what is asked: nobody waits for it.
    let mut below = with_timer();
    below.channels[0].server = OTHER as u32;
    let timer = below.components[CONSOLE].timer.take();
    below.components.push(Component { timer, ..fixture::component("other", 199) });
    let fake = run(below, |running| {
        for life in 1..=4 {
            running.end(DRIVER, Fate::Again);
            assert_eq!(said(running, "driver starts life"), life);
        }
    });
    assert!(fake.alarms.is_empty() && fake.own_notification == 0);
    run(with_timer(), |running| {
        running.end(DRIVER, Fate::Again);
        running.end(DRIVER, Fate::Again);
        running.end(CONSOLE, Fate::Over);
        assert_eq!(said(running, "driver starts life"), 1);
        running.go_on();
        assert_eq!(said(running, "driver starts life"), 2, "who waits for an alarm that cannot come waits no more");
        running.end(DRIVER, Fate::Again);
        assert_eq!(said(running, "driver starts life"), 3);
    });
}
