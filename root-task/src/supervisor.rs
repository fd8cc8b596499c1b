//! What the root task does once everything runs: listens for components that finish, give up or fault, and counts.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::fault::{FaultLabel, UNKNOWN_SYSCALL_WORDS};
use sluice_manifest::supervisor::{self, DeviceAction};
use sluice_spec::{Restart, System};

use crate::syndrome::{Access, Syndrome};

/// Badge of the capability that clients have in the place of that to a server which stays stopped; components' badges are lower.
pub const UNSERVED: u64 = 1 << 32;

/// A message to the supervisor's endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Badge: the component's position plus one.
    pub badge: u64,
    /// Label.
    pub label: u64,
    /// Its words, as many as the longest fault has; missing ones are 0.
    pub words: [u64; UNKNOWN_SYSCALL_WORDS],
}

/// What follows the end of a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing.
    Over,
    /// Another life.
    Again,
}

/// What to do about a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// Line to print.
    pub line: Option<String>,
    /// Whether the sender goes on; it is suspended otherwise.
    pub reply: bool,
    /// Whether it was meant for a server that stays stopped: that is the answer.
    pub unserved: bool,
    /// Position of the component whose life is over, and what follows.
    pub end: Option<(usize, Fate)>,
    /// Component, device of it, and what is to be done to that before the reply.
    pub device: Option<(usize, u64, DeviceAction)>,
    /// Position of the component whose guest is about to run; it does not before the reply.
    pub guest: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Running,
    Finished,
    Dead,
}

#[derive(Clone, Debug)]
struct Component {
    name: String,
    must_finish: bool,
    /// Whether it is the machine monitor of a guest.
    is_monitor: bool,
    state: State,
    /// Whether it is between two lives.
    away: bool,
    restart: Restart,
    /// How often it has been started again.
    restarts: u32,
}

impl Component {
    /// Whether another life is due after one that was not to end; it counts as begun then.
    fn fate(&mut self) -> Fate {
        let again = match self.restart {
            Restart::Never => false,
            Restart::Always => true,
            Restart::Times(most) => self.restarts < most,
        };
        self.restarts = self.restarts.saturating_add(u32::from(again));
        if again { Fate::Again } else { Fate::Over }
    }
}

/// The components and their results so far.
#[derive(Clone, Debug)]
pub struct Supervisor {
    components: Vec<Component>,
    passed: u64,
    failed: u64,
}

impl Supervisor {
    /// All components of `system`, running.
    #[must_use]
    pub fn new(system: &System) -> Self {
        let components = system.components.iter().map(|component| Component {
            name: component.name.clone(),
            must_finish: component.must_finish,
            is_monitor: component.guest.is_some(),
            state: State::Running,
            away: false,
            restart: component.restart,
            restarts: 0,
        });
        Self { components: components.collect(), passed: 0, failed: 0 }
    }

    /// A component has its next life, and is heard again.
    pub fn begins(&mut self, index: usize) {
        if let Some(component) = self.components.get_mut(index) {
            component.away = false;
        }
    }

    /// A component that was to have another life has none.
    pub fn lost(&mut self, index: usize) {
        if let Some(component) = self.components.get_mut(index) {
            component.state = State::Dead;
            self.failed = self.failed.saturating_add(1);
        }
    }

    /// Takes note of a message. Its content is the component's word: a component can spoil its own result only.
    pub fn receive(&mut self, message: &Message) -> Response {
        if message.badge == UNSERVED {
            return Response { unserved: true, ..Response::default() };
        }
        let position = message.badge.checked_sub(1).and_then(|position| usize::try_from(position).ok());
        let Some(index) = position.filter(|index| *index < self.components.len()) else { return Response::default() };
        let Some(component) = self.components.get_mut(index) else { return Response::default() };
        // Copies of its capability, with others, outlive it.
        if component.away || component.state == State::Dead {
            return Response::default();
        }
        let [first, second, ..] = message.words;
        if message.label == supervisor::FINISHED {
            if component.state == State::Running {
                component.state = State::Finished;
                self.passed = self.passed.saturating_add(first);
                self.failed = self.failed.saturating_add(second);
            }
            return Response { reply: true, ..Response::default() };
        }
        if message.label == supervisor::DEVICE
            && let Some(action) = DeviceAction::from_word(second)
        {
            return Response { reply: true, device: Some((index, first, action)), ..Response::default() };
        }
        if message.label == supervisor::GUEST_MADE && component.is_monitor {
            return Response { reply: true, guest: Some(index), ..Response::default() };
        }
        let what = match message.label {
            supervisor::PANICKED => String::from("panicked"),
            label => describe_fault(label, &message.words).unwrap_or_else(|| format!("sent message {label:#x}")),
        };
        let fate = component.fate();
        if fate == Fate::Over {
            component.state = State::Dead;
            self.failed = self.failed.saturating_add(1);
        }
        component.away = true;
        let line = Some(format!("{} stopped: {what}", component.name));
        Response { line, end: Some((index, fate)), ..Response::default() }
    }

    /// The final line, once every component that must finish has finished or died; `None` before, and for a system
    /// that runs for ever.
    #[must_use]
    pub fn result(&self) -> Option<String> {
        let mut awaited = self.components.iter().filter(|component| component.must_finish).peekable();
        awaited.peek()?;
        let over = awaited.all(|component| component.state != State::Running);
        over.then(|| format!("RESULT {} passed, {} failed", self.passed, self.failed))
    }
}

/// A fault message in words (`sluice_abi::fault`); `None` for a label that is no fault.
fn describe_fault(label: u64, words: &[u64; UNKNOWN_SYSCALL_WORDS]) -> Option<String> {
    let [first, second, third, fourth, .., pc, _, _, _, number] = *words;
    let is = |fault: FaultLabel| label == fault as u64;
    Some(if is(FaultLabel::Vm) {
        let access = Syndrome(fourth).access().unwrap_or(if third == 1 { Access::Fetch } else { Access::Load });
        format!("{access} address {second:#x} at pc {first:#x}: {} (ESR {fourth:#x})", Syndrome(fourth))
    } else if is(FaultLabel::Cap) {
        let phase = if third == 1 { "receives from" } else { "invokes" };
        format!("{phase} capability {second:#x}, which leads nowhere (lookup failure {fourth}), at pc {first:#x}")
    } else if is(FaultLabel::UnknownSyscall) {
        format!("makes system call {}, which the kernel does not know, at pc {pc:#x}", number as i64)
    } else if is(FaultLabel::UserException) {
        format!("{} at pc {first:#x}, sp {second:#x} (ESR {fourth:#x})", Syndrome(fourth))
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;

    use super::*;

    fn supervisor(must_finish: &[bool]) -> Supervisor {
        let components = must_finish.iter().enumerate().map(|(index, must_finish)| Component {
            name: format!("c{index}"),
            must_finish: *must_finish,
            is_monitor: false,
            state: State::Running,
            away: false,
            restart: Restart::Never,
            restarts: 0,
        });
        Supervisor { components: components.collect(), passed: 0, failed: 0 }
    }

    fn words(first: &[u64]) -> [u64; UNKNOWN_SYSCALL_WORDS] {
        core::array::from_fn(|index| first.get(index).copied().unwrap_or(0))
    }

    fn finished(badge: u64, passed: u64, failed: u64) -> Message {
        Message { badge, label: supervisor::FINISHED, words: words(&[passed, failed]) }
    }

    fn vm_fault(badge: u64) -> Message {
        Message { badge, label: 5, words: words(&[0x40_0010, 0xdead_0000, 0, 0x9200_0046]) }
    }

    #[test]
    fn results_add_up_when_all_that_must_have_finished() {
        let mut supervisor = supervisor(&[false, true, true]);
        assert_eq!(supervisor.result(), None);
        assert_eq!(supervisor.receive(&finished(2, 5, 0)), Response { reply: true, ..Response::default() });
        assert_eq!(supervisor.result(), None);
        supervisor.receive(&finished(3, 7, 1));
        assert_eq!(supervisor.result(), Some("RESULT 12 passed, 1 failed".to_string()));
    }

    #[test]
    fn nobody_finishes_twice_or_for_somebody_else() {
        let mut supervisor = supervisor(&[true, true]);
        supervisor.receive(&finished(1, 3, 0));
        supervisor.receive(&finished(1, 3, 0));
        assert_eq!(supervisor.receive(&finished(0, 9, 0)), Response::default());
        assert_eq!(supervisor.receive(&finished(3, 9, 0)), Response::default());
        assert_eq!(supervisor.receive(&finished(u64::MAX, 9, 0)), Response::default());
        assert_eq!(supervisor.result(), None);
        supervisor.receive(&finished(2, u64::MAX, u64::MAX));
        assert_eq!(supervisor.result(), Some(format!("RESULT {} passed, {} failed", u64::MAX, u64::MAX)));
    }

    #[test]
    fn a_fault_names_who_what_and_where_and_counts_as_failure() {
        let mut supervisor = supervisor(&[true]);
        let response = supervisor.receive(&vm_fault(1));
        assert_eq!((response.reply, response.end), (false, Some((0, Fate::Over))));
        let line = response.line.unwrap();
        for part in ["c0 stopped: stores to", "0xdead0000", "0x400010", "translation fault, level 2", "0x92000046"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(supervisor.result(), Some("RESULT 0 passed, 1 failed".to_string()));
        assert_eq!(supervisor.receive(&finished(1, 9, 0)), Response::default());
        assert_eq!(supervisor.result(), Some("RESULT 0 passed, 1 failed".to_string()));
    }

    #[test]
    fn whatever_is_no_report_stops_its_sender() {
        for (label, part) in
            [(1, "capability"), (2, "system call"), (3, "undefined instruction"), (0x101, "panicked"), (0x103, "0x103")]
        {
            let mut supervisor = supervisor(&[true]);
            let response = supervisor.receive(&Message { badge: 1, label, words: words(&[]) });
            assert!(response.line.unwrap().contains(part));
            assert_eq!((response.reply, response.end), (false, Some((0, Fate::Over))));
            assert_eq!(supervisor.failed, 1);
        }
    }

    #[test]
    fn a_monitor_says_that_its_guest_is_made_and_goes_on() {
        let mut supervisor = supervisor(&[true, true]);
        supervisor.components[1].is_monitor = true;
        let message = Message { badge: 2, label: sluice_manifest::supervisor::GUEST_MADE, words: words(&[]) };
        let response = Response { reply: true, guest: Some(1), ..Response::default() };
        assert_eq!(supervisor.receive(&message), response);
        assert_eq!(supervisor.failed, 0);
    }

    #[test]
    fn a_fault_after_finishing_counts_but_does_not_undo_the_results() {
        let mut supervisor = supervisor(&[true, true]);
        supervisor.receive(&finished(1, 4, 0));
        supervisor.receive(&vm_fault(1));
        supervisor.receive(&finished(2, 1, 0));
        assert_eq!(supervisor.result(), Some("RESULT 5 passed, 1 failed".to_string()));
    }

    #[test]
    fn lives_are_counted_and_only_the_last_end_is_a_failure() {
        let mut supervisor = supervisor(&[true]);
        supervisor.components[0].restart = Restart::Times(2);
        for fate in [Fate::Again, Fate::Again, Fate::Over] {
            assert_eq!(supervisor.result(), None);
            let response = supervisor.receive(&vm_fault(1));
            assert_eq!(response.end, Some((0, fate)));
            assert!(response.line.unwrap().contains("0xdead0000"));
            supervisor.begins(0);
        }
        assert_eq!(supervisor.result(), Some("RESULT 0 passed, 1 failed".to_string()));
    }

    #[test]
    fn who_is_between_two_lives_is_not_heard() {
        let mut supervisor = supervisor(&[true, true]);
        supervisor.components[0].restart = Restart::Times(2);
        supervisor.components[0].is_monitor = true;
        for life in 1..=2 {
            assert_eq!(supervisor.receive(&vm_fault(1)).end, Some((0, Fate::Again)));
            for label in
                [supervisor::PANICKED, supervisor::FINISHED, supervisor::DEVICE, supervisor::GUEST_MADE, 5, 0x200]
            {
                let message = Message { badge: 1, label, words: words(&[1, 1]) };
                assert_eq!(supervisor.receive(&message), Response::default(), "{label:#x}");
            }
            assert_eq!((supervisor.components[0].restarts, supervisor.result()), (life, None));
            supervisor.begins(0);
        }
        // It has had the lives that it was to have, and what it says counts again.
        supervisor.receive(&finished(1, 4, 0));
        supervisor.receive(&finished(2, 1, 0));
        assert_eq!(supervisor.result(), Some("RESULT 5 passed, 0 failed".to_string()));
    }

    #[test]
    fn a_next_life_after_finishing_undoes_no_results() {
        let mut supervisor = supervisor(&[true]);
        supervisor.components[0].restart = Restart::Always;
        supervisor.receive(&finished(1, 4, 0));
        assert_eq!(supervisor.receive(&vm_fault(1)).end, Some((0, Fate::Again)));
        assert_eq!(supervisor.result(), Some("RESULT 4 passed, 0 failed".to_string()));
        supervisor.begins(0);
        supervisor.receive(&finished(1, 9, 9));
        assert_eq!(supervisor.result(), Some("RESULT 4 passed, 0 failed".to_string()));
    }

    #[test]
    fn a_component_that_restarts_always_can_finish_or_be_lost() {
        let mut supervisor = supervisor(&[true, true]);
        supervisor.components.iter_mut().for_each(|component| component.restart = Restart::Always);
        for badge in [1, 2, 1, 2, 1] {
            assert_eq!(supervisor.receive(&vm_fault(badge)).end, Some((badge as usize - 1, Fate::Again)));
            supervisor.begins(badge as usize - 1);
        }
        supervisor.receive(&finished(1, 4, 0));
        supervisor.lost(1);
        assert_eq!(supervisor.result(), Some("RESULT 4 passed, 1 failed".to_string()));
        assert_eq!(supervisor.receive(&vm_fault(2)), Response::default(), "who is dead is not heard");
    }

    #[test]
    fn calls_of_servers_that_are_gone_say_nothing_about_components() {
        let mut supervisor = supervisor(&[true]);
        for label in [supervisor::FINISHED, supervisor::PANICKED, supervisor::DEVICE, 5, 0x200] {
            let response = supervisor.receive(&Message { badge: UNSERVED, label, words: words(&[1, 1]) });
            assert_eq!(response, Response { unserved: true, ..Response::default() });
        }
        assert_eq!(supervisor.result(), None);
    }

    #[test]
    fn a_system_without_ends_has_no_result() {
        let mut supervisor = supervisor(&[false, false]);
        supervisor.receive(&finished(1, 4, 0));
        assert_eq!(supervisor.result(), None);
        assert_eq!(Supervisor { components: vec![], passed: 0, failed: 0 }.result(), None);
    }
}
