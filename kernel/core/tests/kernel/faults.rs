//! Faults as messages, and what the handler's answer does.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::object::{Fault, ThreadState};

use crate::user::*;

const PC: u64 = 0x40_0500;
const BADGE: u64 = 0xfa;

/// A handler that waits and, with a higher priority than the root thread, a thread whose faults it gets.
struct Supervised {
    system: System,
    handler: Thread,
    faulter: Thread,
    endpoint: u64,
}

impl Supervised {
    fn new(rights: u64) -> Self {
        let mut system = System::boot();
        let endpoint = system.make(ObjectType::Endpoint, 0);
        let badged = system.minted(endpoint, rights, BADGE);
        system.set_priority(INIT_TCB, 50);
        let (handler, faulter) = (system.running(200), system.thread_with_handler(badged));
        system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
        system.resume(faulter);
        assert_eq!(system.current(), faulter.tcb);
        Self { system, handler, faulter, endpoint }
    }

    fn fault(&mut self, fault: Fault) {
        let context = &self.system.kernel.tcb(self.faulter.tcb).context;
        context.pc.set(PC);
        context.sp.set(0x7000);
        context.spsr.set(0x8000_0040);
        for (index, register) in context.x.iter().enumerate() {
            register.set(0x100 + index as u64);
        }
        self.system.kernel.enter_fault(fault);
        crate::invariants::check(&self.system.kernel);
    }

    fn told(&self) -> Message {
        assert_eq!(self.system.current(), self.handler.tcb);
        assert_eq!(self.system.state(self.faulter.tcb), ThreadState::BlockedOnReply);
        self.system.message(self.handler.tcb)
    }

    /// The handler answers and waits again; the faulter is current when it goes on.
    fn answer(&mut self, label: u64, words: &[u64]) {
        self.system.syscall(Syscall::ReplyRecv, self.endpoint, label, &[], words);
    }
}

impl System {
    fn thread_with_handler(&mut self, cptr: u64) -> Thread {
        // Made by the handler, which runs.
        let thread = self.thread(100);
        self.done(thread.cptr, Label::TcbSetSpace, &[INIT_CNODE, INIT_VSPACE], &[cptr, 0, 0]);
        thread
    }
}

fn message(label: u64, words: &[u64]) -> Message {
    Message { badge: BADGE, label, unwrapped: 0, caps: 0, words: words.to_vec() }
}

#[test]
fn a_translation_fault_is_told_and_retried() {
    let mut this = Supervised::new(15);
    this.fault(Fault::Vm { address: 0xdead_b000, syndrome: 0x9200_0007, instruction: false });
    assert_eq!(this.told(), message(5, &[PC, 0xdead_b000, 0, 0x9200_0007]));
    this.answer(1, &[1, 2, 3]);
    assert_eq!(this.system.current(), this.faulter.tcb);
    assert_eq!(this.system.kernel.tcb(this.faulter.tcb).context.pc.get(), PC);
    this.fault(Fault::Vm { address: PC, syndrome: 0x8200_0007, instruction: true });
    assert_eq!(this.told(), message(5, &[PC, PC, 1, 0x8200_0007]));
}

#[test]
fn a_user_exception_can_be_skipped() {
    let mut this = Supervised::new(9);
    this.fault(Fault::User { number: 0x0200_0000, code: 0 });
    assert_eq!(this.told(), message(3, &[PC, 0x7000, 0x8000_0040, 0x0200_0000, 0]));
    this.answer(0, &[PC + 4, 0x6000, 0xffff_ffff_ffff_ffff, 9, 9]);
    assert_eq!(this.system.current(), this.faulter.tcb);
    let context = &this.system.kernel.tcb(this.faulter.tcb).context;
    assert_eq!((context.pc.get(), context.sp.get(), context.spsr.get()), (PC + 4, 0x6000, 0xf000_0040));
}

#[test]
fn an_answer_with_a_label_stops_the_thread() {
    let mut this = Supervised::new(15);
    this.fault(Fault::User { number: 1, code: 0 });
    this.told();
    this.answer(1, &[PC + 4]);
    assert_eq!(this.system.state(this.faulter.tcb), ThreadState::Inactive);
    assert_eq!(this.system.kernel.tcb(this.faulter.tcb).fault.get(), None);
}

#[test]
fn an_unknown_system_call_can_be_emulated() {
    let mut this = Supervised::new(15);
    let context = &this.system.kernel.tcb(this.faulter.tcb).context;
    for (index, register) in context.x.iter().enumerate() {
        register.set(0x100 + index as u64);
    }
    context.sp.set(0x7000);
    this.system.raw_syscall(99);
    let mut words: Vec<u64> = (0..7).map(|index| 0x100 + index).collect();
    words.extend([99, AFTER_SVC - 4, 0x7000, AFTER_SVC, 0x40, 99]);
    assert_eq!(this.told(), message(2, &words));
    let answer: Vec<u64> = (0..8).map(|index| 0x200 + index).chain([AFTER_SVC, 0x6ff0, 0x1234, 0x2000_03c5]).collect();
    this.answer(0, &answer);
    assert_eq!(this.system.current(), this.faulter.tcb);
    let context = &this.system.kernel.tcb(this.faulter.tcb).context;
    assert!((0..8).all(|index| context.x[index].get() == 0x200 + index as u64));
    assert_eq!(context.x[8].get(), 0x108);
    assert_eq!((context.pc.get(), context.sp.get(), context.spsr.get()), (AFTER_SVC, 0x6ff0, 0x2000_0040));
}

#[test]
fn numbers_without_a_call_are_unknown() {
    for number in [
        0,
        1,
        (-15i64) as u64,
        Syscall::BenchmarkNull.word(),
        Syscall::BenchmarkSmmuCommands.word(),
        (-30i64) as u64,
        i64::MIN as u64,
    ] {
        let mut this = Supervised::new(15);
        this.system.raw_syscall(number);
        assert_eq!(this.told().words[12], number);
    }
}

#[test]
fn a_capability_pointer_that_does_not_resolve_is_told() {
    let mut this = Supervised::new(15);
    this.system.syscall(Syscall::Call, 1 << 20, 0, &[], &[]);
    let expected = message(1, &[AFTER_SVC - 4, 1 << 20, 0, 4, 64, 0, 54]);
    assert_eq!(this.told(), expected);
    this.answer(0, &[]);
    assert_eq!(this.system.kernel.tcb(this.faulter.tcb).context.pc.get(), AFTER_SVC - 4);
    // In an extra capability, sending without waiting: nothing happens.
    this.system.syscall(Syscall::NbSend, INIT_CNODE, Label::CNodeDelete as u64, &[1 << 20], &[1, 64]);
    assert_eq!(this.system.current(), this.faulter.tcb);
    this.system.syscall(Syscall::Call, INIT_CNODE, Label::CNodeDelete as u64, &[2, 1 << 30], &[1, 64]);
    assert_eq!(this.told(), message(1, &[AFTER_SVC - 4, 1 << 30, 0, 4, 64, 0, 54]));
}

#[test]
fn receiving_from_what_is_no_endpoint_is_a_fault_of_the_receive_phase() {
    for call in [Syscall::Recv, Syscall::NbRecv, Syscall::ReplyRecv] {
        let mut this = Supervised::new(15);
        this.system.syscall(call, INIT_TCB, 0, &[], &[]);
        assert_eq!(this.told(), message(1, &[AFTER_SVC - 4, INIT_TCB, 1, 2, 0]), "{call:?}");
    }
}

#[test]
fn a_fault_waits_for_its_handler() {
    let mut this = Supervised::new(15);
    this.fault(Fault::User { number: 7, code: 0 });
    this.told();
    // The handler is busy: a second thread's fault waits in the endpoint's queue.
    let badged = this.system.minted(this.endpoint, 15, 0xfb);
    let second = this.system.thread_with_handler(badged);
    this.system.resume(second);
    this.system.set_priority(this.handler.cptr, 60);
    assert_eq!(this.system.current(), second.tcb);
    this.system.kernel.tcb(second.tcb).context.pc.set(PC);
    this.system.kernel.enter_fault(Fault::User { number: 8, code: 0 });
    assert!(matches!(this.system.state(second.tcb), ThreadState::BlockedOnSend(how) if how.call));
    crate::invariants::check(&this.system.kernel);
    this.answer(0, &[]);
    assert_eq!(this.system.message(this.handler.tcb).badge, 0xfb);
    assert_eq!(this.system.state(second.tcb), ThreadState::BlockedOnReply);
    assert_eq!(this.system.current(), this.faulter.tcb);
}

#[test]
fn a_handler_without_the_rights_is_none() {
    for rights in [14, 1, 3, 2] {
        let mut system = System::boot();
        let endpoint = system.make(ObjectType::Endpoint, 0);
        let badged = system.minted(endpoint, rights, BADGE);
        system.set_priority(INIT_TCB, 50);
        let faulter = system.thread_with_handler(badged);
        system.resume(faulter);
        system.kernel.enter_fault(Fault::User { number: 7, code: 0 });
        assert_eq!(system.state(faulter.tcb), ThreadState::Inactive, "rights {rights:#b}");
        assert_eq!(system.machine().take_console().lines().count(), 1);
    }
}

#[test]
fn a_fault_nobody_was_told_of_is_not_told_later() {
    let mut system = System::boot();
    let endpoint = system.make(ObjectType::Endpoint, 0);
    system.set_priority(INIT_TCB, 50);
    let (server, thread) = (system.running(200), system.thread(100));
    system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    system.resume(thread);
    system.kernel.enter_fault(Fault::User { number: 7, code: 0 });
    assert_eq!(system.state(thread.tcb), ThreadState::Inactive);
    system.resume(thread);
    system.syscall(Syscall::Send, endpoint, 33, &[], &[34]);
    let message = system.message(server.tcb);
    assert_eq!((message.label, message.words), (33, vec![34]));
}

/// A thread whose fault waits at an endpoint where its handler, who is busy, does not listen.
fn unheard() -> Supervised {
    let mut this = Supervised::new(15);
    let (handler, faulter, endpoint) = (this.handler, this.faulter, this.endpoint);
    this.system.syscall(Syscall::Send, endpoint, 1, &[], &[]);
    assert_eq!(this.system.current(), handler.tcb);
    this.system.set_priority(handler.cptr, 60);
    assert_eq!(this.system.current(), faulter.tcb);
    this.fault(Fault::User { number: 7, code: 0 });
    assert_eq!(this.system.current(), handler.tcb);
    this
}

#[test]
fn a_fault_that_was_cancelled_is_told_in_place_of_the_next_message() {
    let mut this = unheard();
    let (handler, faulter, endpoint) = (this.handler, this.faulter, this.endpoint);
    let told = |this: &Supervised| {
        let message = this.system.message(handler.tcb);
        (message.label, message.words.get(3).copied(), message.words.len())
    };
    this.system.done(faulter.cptr, Label::TcbSuspend, &[], &[]);
    this.system.resume(faulter);
    // In place of every message, as long as nobody answers to it.
    for _ in 0..2 {
        assert_eq!(this.system.current(), faulter.tcb);
        this.system.syscall(Syscall::Send, endpoint, 33, &[], &[34]);
        this.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
        assert_eq!(told(&this), (3, Some(7), 5));
        assert_eq!(this.system.state(faulter.tcb), ThreadState::Running);
    }
    // What waits is a call now, and is answered as a fault is.
    this.system.syscall(Syscall::Call, endpoint, 33, &[], &[34]);
    this.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    assert_eq!(told(&this), (3, Some(7), 5));
    this.system.syscall(Syscall::Reply, endpoint, 0, &[], &[PC, 0x9000]);
    assert_eq!(this.system.current(), faulter.tcb);
    let context = &this.system.kernel.tcb(faulter.tcb).context;
    assert_eq!((context.pc.get(), context.sp.get()), (PC, 0x9000));
    // Now it has been heard.
    this.system.syscall(Syscall::Send, endpoint, 33, &[], &[34]);
    this.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    let message = this.system.message(handler.tcb);
    assert_eq!((message.label, message.words), (33, vec![34]));
}

#[test]
fn a_handlers_end_cancels_and_keeps_faults() {
    let mut this = unheard();
    let (faulter, endpoint) = (this.faulter, this.endpoint);
    this.system.set_priority(this.handler.cptr, 200);
    assert_eq!(this.system.revoke(endpoint), ok());
    assert_eq!(this.system.delete(endpoint), ok());
    assert_eq!(this.system.state(faulter.tcb), ThreadState::Restart);
    assert_eq!(this.system.kernel.tcb(faulter.tcb).fault.get(), Some(Fault::User { number: 7, code: 0 }));
}
