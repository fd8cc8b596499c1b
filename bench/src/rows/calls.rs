//! Messages: one way, and both with the user's stubs.

use sluice_abi::{MessageInfo, ObjectType, Syscall};

use super::{ALL, read_overhead};
use crate::counter::{self, syscall};
use crate::helper::{self, PRIORITY, Plan, Time};
use crate::machine::Machine;
use crate::samples::Samples;
use crate::stub::Buffer;

/// When the server's last answer was about to be sent, and when the message after it had come.
static ANSWERED: Time = Time::new();
static RECEIVED: Time = Time::new();

const SHORT: u64 = MessageInfo::new(0, 0, 0, 0).word();
const LONG: u64 = MessageInfo::new(0, 0, 0, 10).word();

extern "C" fn short_server(endpoint: u64) -> ! {
    serve(endpoint, SHORT)
}

extern "C" fn long_server(endpoint: u64) -> ! {
    serve(endpoint, LONG)
}

fn serve(endpoint: u64, answer: u64) -> ! {
    let mut timed = syscall(Syscall::Recv, endpoint, 0, 0);
    loop {
        ANSWERED.set(timed.before);
        RECEIVED.set(timed.after);
        timed = syscall(Syscall::ReplyRecv, endpoint, answer, 0);
    }
}

pub(super) fn short(machine: &mut Machine, overhead: u64) {
    one_way(machine, overhead, short_server, SHORT, ["call-0", "reply-recv-0"]);
}

pub(super) fn long(machine: &mut Machine, overhead: u64) {
    one_way(machine, overhead, long_server, LONG, ["call-10", "reply-recv-10"]);
}

fn one_way(machine: &mut Machine, overhead: u64, entry: helper::Entry, info: u64, names: [&'static str; 2]) {
    let endpoint = machine.make(ObjectType::Endpoint, 0);
    helper::start(machine, &Plan { entry, argument: endpoint, priority: PRIORITY, faults: 0 });
    sluice_sys::yield_now();
    let [call, reply] = names;
    let (mut calls, mut replies) = (Samples::new(call, overhead), Samples::new(reply, overhead));
    // The server tells when it answered once the next call has reached it.
    let mut last = syscall(Syscall::Call, endpoint, info, 0);
    for _ in 0..ALL {
        let timed = syscall(Syscall::Call, endpoint, info, 0);
        calls.add(RECEIVED.get() - timed.before);
        replies.add(last.after - ANSWERED.get());
        last = timed;
    }
    calls.print();
    replies.print();
}

extern "C" fn receiver(endpoint: u64) -> ! {
    loop {
        RECEIVED.set(syscall(Syscall::Recv, endpoint, 0, 0).after);
    }
}

/// To a receiver of a higher priority.
pub(super) fn sends(machine: &mut Machine, overhead: u64) {
    let endpoint = machine.make(ObjectType::Endpoint, 0);
    helper::start(machine, &Plan { entry: receiver, argument: endpoint, priority: PRIORITY + 1, faults: 0 });
    let mut samples = Samples::new("send-0", overhead);
    for _ in 0..ALL {
        let timed = syscall(Syscall::Send, endpoint, SHORT, 0);
        samples.add(RECEIVED.get() - timed.before);
    }
    samples.print();
}

/// Where the IPC buffer is in every address space of the program.
static BUFFER: Time = Time::new();

extern "C" fn stub_server(endpoint: u64) -> ! {
    let buffer = Buffer::at(BUFFER.get());
    buffer.recv(endpoint);
    loop {
        buffer.reply_recv(endpoint, SHORT);
    }
}

pub(super) fn round_trips(machine: &mut Machine) {
    BUFFER.set(machine.info.ipc_buffer);
    let buffer = Buffer::at(BUFFER.get());
    let endpoint = machine.make(ObjectType::Endpoint, 0);
    helper::start(machine, &Plan { entry: stub_server, argument: endpoint, priority: PRIORITY, faults: 0 });
    sluice_sys::yield_now();
    for (name, info) in [("round-trip-0", SHORT), ("round-trip-10", LONG)] {
        let mut samples = Samples::new(name, read_overhead());
        for _ in 0..ALL {
            let before = counter::now();
            buffer.call(endpoint, info);
            let after = counter::now();
            samples.add(after - before);
        }
        samples.print();
    }
}
