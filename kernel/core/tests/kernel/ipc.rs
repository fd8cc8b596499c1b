//! Messages between threads.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB};
use sluice_abi::{Label, ObjectType, Syscall};
use sluice_core::cap::Cap;
use sluice_core::object::{TcbSlot, ThreadState};

use crate::user::*;

const ALL: u64 = 15;
const WRITE: u64 = 1;
const READ: u64 = 2;
const GRANT: u64 = 4;
const GRANT_REPLY: u64 = 8;

/// A server above a client above the root thread, and an endpoint.
struct Pair {
    system: System,
    endpoint: u64,
    server: Thread,
    client: Thread,
}

impl Pair {
    /// Both stopped.
    fn new() -> Self {
        let mut system = System::boot();
        let endpoint = system.make(ObjectType::Endpoint, 0);
        system.set_priority(INIT_TCB, 50);
        let (server, client) = (system.thread(200), system.thread(100));
        Self { system, endpoint, server, client }
    }

    /// The server waits to receive; the root thread runs.
    fn listening() -> Self {
        let mut pair = Self::new();
        let (server, endpoint) = (pair.server, pair.endpoint);
        pair.system.resume(server);
        pair.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
        assert_eq!(pair.system.current(), pair.system.root);
        pair
    }

    fn start_client(&mut self) {
        let client = self.client;
        self.system.resume(client);
        assert_eq!(self.system.current(), client.tcb);
    }
}

fn words(count: u64) -> Vec<u64> {
    (0..count).map(|index| 0x1000 + index).collect()
}

#[test]
fn a_waiting_receiver_gets_the_message_and_the_badge() {
    for length in [0, 1, 4, 5, 119, 120] {
        let mut pair = Pair::listening();
        let badged = pair.system.minted(pair.endpoint, ALL, 77);
        pair.start_client();
        pair.system.syscall(Syscall::Send, badged, 42, &[], &words(length));
        assert_eq!(pair.system.current(), pair.server.tcb);
        let expected = Message { badge: 77, label: 42, unwrapped: 0, caps: 0, words: words(length) };
        assert_eq!(pair.system.message(pair.server.tcb), expected);
        assert!(pair.system.state(pair.client.tcb).is_runnable());
    }
}

#[test]
fn a_sender_waits_for_its_receiver() {
    let mut pair = Pair::new();
    let badged = pair.system.minted(pair.endpoint, ALL, 3);
    pair.start_client();
    pair.system.syscall(Syscall::Send, badged, 9, &[], &words(7));
    assert!(matches!(pair.system.state(pair.client.tcb), ThreadState::BlockedOnSend(how) if !how.call));
    let (server, endpoint) = (pair.server, pair.endpoint);
    pair.system.resume(server);
    pair.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    assert_eq!(pair.system.current(), server.tcb);
    let expected = Message { badge: 3, label: 9, unwrapped: 0, caps: 0, words: words(7) };
    assert_eq!(pair.system.message(server.tcb), expected);
    assert_eq!(pair.system.state(pair.client.tcb), ThreadState::Running);
    assert_eq!(pair.system.kernel.tcb(pair.client.tcb).context.pc.get(), AFTER_SVC);
}

#[test]
fn without_a_receiver_a_nonblocking_send_is_dropped() {
    let mut pair = Pair::new();
    pair.start_client();
    pair.system.syscall(Syscall::NbSend, pair.endpoint, 9, &[], &[1]);
    assert_eq!(pair.system.current(), pair.client.tcb);
    pair.system.syscall(Syscall::NbRecv, pair.endpoint, 7, &[], &[8, 9]);
    assert_eq!(pair.system.current(), pair.client.tcb);
    let message = pair.system.message(pair.client.tcb);
    assert_eq!((message.badge, message.label, message.words), (0, 7, vec![8, 9]), "only x0 is written");
}

#[test]
fn senders_are_served_in_order() {
    let mut pair = Pair::new();
    let threads = [pair.system.thread(90), pair.system.thread(80), pair.system.thread(99)];
    for (index, thread) in threads.into_iter().enumerate() {
        pair.system.resume(thread);
        pair.system.syscall(Syscall::Send, pair.endpoint, index as u64, &[], &[]);
    }
    let server = pair.server;
    pair.system.resume(server);
    for index in 0..3 {
        pair.system.syscall(Syscall::Recv, pair.endpoint, 0, &[], &[]);
        assert_eq!(pair.system.message(server.tcb).label, index);
    }
}

#[test]
fn a_call_is_answered_once() {
    let mut pair = Pair::listening();
    pair.start_client();
    pair.system.syscall(Syscall::Call, pair.endpoint, 5, &[], &words(6));
    assert_eq!(pair.system.current(), pair.server.tcb);
    assert_eq!(pair.system.message(pair.server.tcb).words, words(6));
    assert_eq!(pair.system.state(pair.client.tcb), ThreadState::BlockedOnReply);
    pair.system.syscall(Syscall::Reply, 0, 6, &[], &words(5));
    assert_eq!(pair.system.current(), pair.server.tcb);
    let expected = Message { badge: 0, label: 6, unwrapped: 0, caps: 0, words: words(5) };
    assert_eq!(pair.system.message(pair.client.tcb), expected);
    assert_eq!(pair.system.state(pair.client.tcb), ThreadState::Running);
    pair.system.syscall(Syscall::Reply, 0, 7, &[], &[]);
    assert_eq!(pair.system.message(pair.client.tcb).label, 6, "there was nobody to answer");
}

#[test]
fn reply_and_receive_go_together() {
    let mut pair = Pair::listening();
    pair.start_client();
    for round in 0..5 {
        pair.system.syscall(Syscall::Call, pair.endpoint, round, &[], &[round]);
        assert_eq!(pair.system.current(), pair.server.tcb);
        assert_eq!(pair.system.message(pair.server.tcb).label, round);
        pair.system.syscall(Syscall::ReplyRecv, pair.endpoint, 100 + round, &[], &[]);
        assert_eq!(pair.system.current(), pair.client.tcb);
        assert_eq!(pair.system.message(pair.client.tcb).label, 100 + round);
    }
}

#[test]
fn a_saved_reply_capability_answers_once() {
    let mut pair = Pair::listening();
    pair.start_client();
    pair.system.syscall(Syscall::Call, pair.endpoint, 5, &[], &[]);
    let saved = pair.system.free_slot();
    let save = [saved, DEPTH];
    pair.system.done(INIT_CNODE, Label::CNodeSaveCaller, &[], &save);
    assert!(matches!(pair.system.cap(saved), Cap::Reply(reply) if reply.caller == pair.client.tcb));
    let copy = pair.system.free_slot();
    assert_eq!(pair.system.copy(saved, copy, ALL), illegal());
    pair.system.syscall(Syscall::Reply, 0, 1, &[], &[]);
    assert_eq!(pair.system.state(pair.client.tcb), ThreadState::BlockedOnReply, "it is not in its place any more");
    pair.system.syscall(Syscall::Send, saved, 8, &[], &[4]);
    assert_eq!(pair.system.message(pair.client.tcb).words, [4]);
    assert_eq!(pair.system.cap(saved), Cap::Null);
}

#[test]
fn rights_of_both_sides_decide_about_replies() {
    // Rights of the caller, of the receiver; whether there is a reply capability, and whether it may carry others.
    let cases = [
        (ALL, ALL, Some(true)),
        (WRITE | GRANT_REPLY, READ | GRANT, Some(true)),
        (WRITE | GRANT, READ, Some(false)),
        (WRITE | GRANT_REPLY, READ, Some(false)),
        (WRITE, ALL, None),
    ];
    for (of_caller, of_receiver, expected) in cases {
        for receiver_first in [true, false] {
            let mut pair = Pair::new();
            let call = pair.system.free_slot();
            assert_eq!(pair.system.copy(pair.endpoint, call, of_caller), ok());
            let receive = pair.system.free_slot();
            assert_eq!(pair.system.copy(pair.endpoint, receive, of_receiver), ok());
            let (server, client) = (pair.server, pair.client);
            if receiver_first {
                pair.system.resume(server);
                pair.system.syscall(Syscall::Recv, receive, 0, &[], &[]);
            }
            pair.system.resume(client);
            pair.system.syscall(Syscall::Call, call, 0, &[], &[]);
            if !receiver_first {
                pair.system.resume(server);
                pair.system.syscall(Syscall::Recv, receive, 0, &[], &[]);
            }
            let caller = pair.system.cap_at(server.tcb.slot(TcbSlot::Caller as u64));
            let found = if let Cap::Reply(reply) = caller { Some(reply.grant) } else { None };
            assert_eq!(found, expected, "{of_caller:#b} {of_receiver:#b}");
            let state = if expected.is_some() { ThreadState::BlockedOnReply } else { ThreadState::Inactive };
            assert_eq!(pair.system.state(client.tcb), state);
        }
    }
}

#[test]
fn one_capability_goes_along_into_the_receive_slot() {
    let mut pair = Pair::listening();
    let object = pair.system.make(ObjectType::Notification, 0);
    let dest = pair.system.free_slot();
    pair.system.set_receive_path(pair.server.tcb, INIT_CNODE, dest, DEPTH);
    pair.start_client();
    pair.system.syscall(Syscall::Send, pair.endpoint, 1, &[object, INIT_TCB], &[3]);
    let message = pair.system.message(pair.server.tcb);
    assert_eq!((message.caps, message.unwrapped, message.words), (1, 0, vec![3]));
    assert_eq!(pair.system.cap(dest), pair.system.cap(object));
    assert_eq!(pair.system.revoke(object), ok());
    assert_eq!(pair.system.cap(dest), Cap::Null, "what was received is derived from what was sent");
}

#[test]
fn capabilities_to_the_endpoint_itself_arrive_as_badges() {
    let mut pair = Pair::listening();
    let badged = pair.system.minted(pair.endpoint, ALL, 0xb1);
    let object = pair.system.make(ObjectType::Notification, 0);
    let other = pair.system.minted(pair.endpoint, 0, 0xb2);
    let dest = pair.system.free_slot();
    pair.system.set_receive_path(pair.server.tcb, INIT_CNODE, dest, DEPTH);
    pair.start_client();
    pair.system.syscall(Syscall::Send, badged, 1, &[badged, object, other], &[]);
    let message = pair.system.message(pair.server.tcb);
    assert_eq!((message.caps, message.unwrapped), (3, 0b101));
    assert_eq!(pair.system.received_badge(pair.server.tcb, 0), 0xb1);
    assert_eq!(pair.system.received_badge(pair.server.tcb, 2), 0xb2);
    assert_eq!(pair.system.cap(dest), pair.system.cap(object));
}

#[test]
fn capabilities_stay_behind_when_something_is_missing() {
    let sent = |without_grant: bool, dest_in_use: bool, source: fn(&mut System) -> u64| {
        let mut pair = Pair::listening();
        let source = source(&mut pair.system);
        let rights = if without_grant { WRITE | READ } else { ALL };
        let through = pair.system.minted(pair.endpoint, rights, 1);
        let dest = if dest_in_use { INIT_TCB } else { pair.system.free_slot() };
        pair.system.set_receive_path(pair.server.tcb, INIT_CNODE, dest, DEPTH);
        pair.start_client();
        pair.system.syscall(Syscall::Send, through, 1, &[source], &[6]);
        let message = pair.system.message(pair.server.tcb);
        assert_eq!(message.words, [6]);
        message.caps
    };
    let notification = |system: &mut System| system.make(ObjectType::Notification, 0);
    assert_eq!(sent(false, false, notification), 1);
    assert_eq!(sent(true, false, notification), 0, "no grant");
    assert_eq!(sent(false, true, notification), 0, "no slot");
    assert_eq!(sent(false, false, |system| system.make(ObjectType::PageTable, 0)), 0, "unmapped table");
    assert_eq!(sent(false, false, |_| sluice_abi::bootinfo::slot::IRQ_CONTROL), 0, "never copied");
    assert_eq!(sent(false, false, System::free_slot), 0, "nothing there");
}

#[test]
fn without_a_buffer_messages_are_four_words() {
    let mut pair = Pair::listening();
    let server = pair.server;
    pair.system.done(server.cptr, Label::TcbSetIpcBuffer, &[server.frame], &[0]);
    // The setting was made while it waits: it stays where it is.
    assert!(matches!(pair.system.state(server.tcb), ThreadState::BlockedOnReceive { .. }));
    pair.start_client();
    pair.system.syscall(Syscall::Send, pair.endpoint, 1, &[INIT_TCB], &words(10));
    let message = pair.system.message(server.tcb);
    assert_eq!((message.caps, message.words), (0, words(4)));
}

#[test]
fn suspended_waiters_leave_their_queue_and_start_over() {
    let mut pair = Pair::new();
    pair.start_client();
    pair.system.syscall(Syscall::Send, pair.endpoint, 1, &[], &[]);
    let (client, server, endpoint) = (pair.client, pair.server, pair.endpoint);
    pair.system.done(client.cptr, Label::TcbSuspend, &[], &[]);
    assert_eq!(pair.system.state(client.tcb), ThreadState::Inactive);
    pair.system.resume(server);
    pair.system.syscall(Syscall::NbRecv, endpoint, 0, &[], &[]);
    assert_eq!(pair.system.message(server.tcb).badge, 0);
    pair.system.syscall(Syscall::Recv, endpoint, 0, &[], &[]);
    pair.system.resume(client);
    assert_eq!(pair.system.kernel.tcb(client.tcb).context.pc.get(), AFTER_SVC - 4);
}

#[test]
fn a_suspended_caller_cannot_be_answered() {
    let mut pair = Pair::listening();
    pair.start_client();
    pair.system.syscall(Syscall::Call, pair.endpoint, 1, &[], &[]);
    let client = pair.client;
    pair.system.done(client.cptr, Label::TcbSuspend, &[], &[]);
    assert_eq!(pair.system.cap_at(pair.server.tcb.slot(TcbSlot::Caller as u64)), Cap::Null);
    pair.system.syscall(Syscall::Reply, 0, 1, &[], &[]);
    assert_eq!(pair.system.state(client.tcb), ThreadState::Inactive);
}

#[test]
fn a_second_receive_forgets_the_first_caller() {
    let mut pair = Pair::listening();
    pair.start_client();
    pair.system.syscall(Syscall::Call, pair.endpoint, 1, &[], &[]);
    pair.system.syscall(Syscall::Recv, pair.endpoint, 0, &[], &[]);
    assert_eq!(pair.system.state(pair.client.tcb), ThreadState::BlockedOnReply);
    assert_eq!(pair.system.cap_at(pair.server.tcb.slot(TcbSlot::Caller as u64)), Cap::Null);
}

#[test]
fn badged_sends_are_cancelled_by_badge() {
    let mut pair = Pair::new();
    let threads = [pair.system.thread(90), pair.system.thread(80), pair.system.thread(70)];
    let badges = [pair.system.minted(pair.endpoint, ALL, 1), pair.system.minted(pair.endpoint, ALL, 2)];
    for (thread, badge) in threads.into_iter().zip([0, 1, 0]) {
        pair.system.resume(thread);
        pair.system.syscall(Syscall::Send, badges[badge], 0, &[], &[]);
    }
    let words = [badges[0], DEPTH];
    pair.system.syscall(Syscall::Call, INIT_CNODE, Label::CNodeCancelBadgedSends as u64, &[], &words);
    assert_eq!(pair.system.current(), threads[0].tcb);
    assert_eq!(pair.system.kernel.tcb(threads[0].tcb).context.pc.get(), AFTER_SVC - 4);
    assert!(matches!(pair.system.state(threads[1].tcb), ThreadState::BlockedOnSend(_)));
    assert_eq!(pair.system.state(threads[2].tcb), ThreadState::Restart);
}

#[test]
fn sending_to_yourself_waits_for_ever() {
    let mut pair = Pair::new();
    pair.start_client();
    pair.system.syscall(Syscall::Call, pair.endpoint, 0, &[], &[]);
    assert_eq!(pair.system.current(), pair.system.root);
    assert!(matches!(pair.system.state(pair.client.tcb), ThreadState::BlockedOnSend(how) if how.call));
}
