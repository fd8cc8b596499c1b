//! System calls as such: what each does to registers, and what it does when there is nothing to do.

use sluice_abi::{CapRights, Label, MessageInfo, ObjectType, Register, Syscall};

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::puppet::{Puppet, Start};
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "syscall",
    checks: &[
        Entry::new("registers-are-kept", registers_are_kept),
        Entry::new("signals-and-polls", signals_and_polls),
        Entry::new("nothing-to-do", nothing_to_do),
    ],
};

/// Condition flags that no call may change.
const FLAGS: u64 = 0xa000_0000;

/// Runs one system call and observes every register: `wanted` are `x0`..`x5` after it.
fn call(world: &mut World, what: &str, puppet: Puppet, start: Start, wanted: [u64; 6]) -> Outcome {
    let start = start.with(Register::Spsr, FLAGS);
    world.that(format_args!("{what} comes back"), world.run(puppet, start)?);
    let found = puppet.reported();
    for (number, wanted) in wanted.into_iter().enumerate() {
        world.equal(format_args!("x{number} after {what}"), found[number], wanted);
    }
    for number in 6..31u8 {
        let wanted = start.get(Register::X(number));
        world.equal(format_args!("x{number} after {what}"), found[usize::from(number)], wanted);
    }
    world.equal(format_args!("flags after {what}"), puppet.reported_flags(), FLAGS);
    let registers = world.registers(puppet.tcb);
    world.equal(format_args!("tpidr_el0 after {what}"), registers[34], start.get(Register::TpidrEl0));
    Ok(())
}

const A: [u64; 5] = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5];

fn with_first(first: u64) -> [u64; 6] {
    [first, A[0], A[1], A[2], A[3], A[4]]
}

fn registers_are_kept(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let badged = world.mint(notification, CapRights::all(), 0x1_0000_0001)?;
    let puppet = world.puppet()?;
    let syscall = |number: Syscall, registers| Start::syscall(number.word(), registers);

    call(world, "Yield", puppet, syscall(Syscall::Yield, with_first(0xa0)), with_first(0xa0))?;
    call(world, "a signal by Send", puppet, syscall(Syscall::Send, with_first(badged)), with_first(badged))?;
    call(
        world,
        "Recv of a signal",
        puppet,
        syscall(Syscall::Recv, with_first(notification)),
        with_first(0x1_0000_0001),
    )?;
    call(world, "a signal by NBSend", puppet, syscall(Syscall::NbSend, with_first(badged)), with_first(badged))?;
    let poll = syscall(Syscall::NbRecv, with_first(notification));
    call(world, "NBRecv of a signal", puppet, poll, with_first(0x1_0000_0001))?;
    call(world, "NBRecv of no signal", puppet, poll, with_first(0))?;
    call(world, "NBRecv of no message", puppet, syscall(Syscall::NbRecv, with_first(endpoint)), with_first(0))?;
    call(world, "NBSend to nobody", puppet, syscall(Syscall::NbSend, with_first(endpoint)), with_first(endpoint))?;
    call(world, "Reply to nobody", puppet, syscall(Syscall::Reply, with_first(0xa0)), with_first(0xa0))?;

    let info = MessageInfo::new(Label::TcbUnbindNotification as u64, 0, 0, 0);
    let refused = [puppet.tcb, info.word(), A[1], A[2], A[3], A[4]];
    let error = MessageInfo::new(sluice_abi::Error::IllegalOperation as u64, 0, 0, 0);
    let answer = [0, error.word(), A[1], A[2], A[3], A[4]];
    call(world, "a refused Call", puppet, syscall(Syscall::Call, refused), answer)?;
    call(world, "a refused Send", puppet, syscall(Syscall::Send, refused), refused)?;

    let info = MessageInfo::new(Label::PageGetAddress as u64, 0, 0, 0);
    let asked = [puppet.frame, info.word(), A[1], A[2], A[3], A[4]];
    let address = world.call(&Call::of(puppet.frame, Label::PageGetAddress)).word(0);
    let answer = [0, MessageInfo::new(0, 0, 0, 1).word(), address, A[2], A[3], A[4]];
    call(world, "a Call with an answer", puppet, syscall(Syscall::Call, asked), answer)?;
    call(world, "a Send with an answer", puppet, syscall(Syscall::Send, asked), asked)?;

    // The call is received and answered by the root thread.
    let sent = [endpoint, MessageInfo::new(3, 0, 0, 2).word(), A[1], A[2], A[3], A[4]];
    world.that("a Call to an endpoint waits", !world.run(puppet, syscall(Syscall::Call, sent))?);
    let received = trap(Syscall::Recv.word(), with_first(endpoint));
    world.equal("what was called with", received, [0, sent[1], A[1], A[2], A[3], A[4]]);
    let reports = puppet.reports();
    trap(Syscall::Reply.word(), [0, MessageInfo::new(8, 0, 0, 1).word(), 0xb0, 0xb1, 0xb2, 0xb3]);
    world.that("the caller goes on", world.waits_for(puppet, reports));
    let answer = [0, MessageInfo::new(8, 0, 0, 1).word(), 0xb0, A[2], A[3], A[4]];
    world.equal("the answer", &puppet.reported()[..6], &answer[..]);
    for number in 6..31u8 {
        let wanted = Start::syscall(Syscall::Call.word(), sent).get(Register::X(number));
        world.equal(format_args!("x{number} of the caller"), puppet.reported()[usize::from(number)], wanted);
    }
    Ok(())
}

/// Badges of signals are collected until somebody looks; a waiting thread gets only what wakes it.
fn signals_and_polls(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    let badges = [0x1, 0x2, 0x4, 0x8000_0000_0000_0000, 0x3];
    let mut caps = [0; 5];
    for (cap, badge) in caps.iter_mut().zip(badges) {
        *cap = world.mint(notification, CapRights::WRITE, badge)?;
    }
    let signal = |cap: u64| trap(Syscall::Send.word(), with_first(cap));
    let poll = || trap(Syscall::NbRecv.word(), with_first(notification));
    world.equal("nothing was signalled", poll(), with_first(0));
    for cap in caps {
        signal(cap);
    }
    world.equal("all badges", poll(), with_first(0x8000_0000_0000_0007));
    world.equal("taken", poll(), with_first(0));

    let puppet = world.puppet()?;
    let wait = Start::syscall(Syscall::Recv.word(), with_first(notification));
    world.that("the waiter waits", !world.run(puppet, wait)?);
    let reports = puppet.reports();
    signal(caps[1]);
    signal(caps[2]);
    world.that("the waiter goes on", world.waits_for(puppet, reports));
    world.equal("what woke it", &puppet.reported()[..6], &with_first(0x2)[..]);
    world.equal("what came after", poll(), with_first(0x4));
    Ok(())
}

fn nothing_to_do(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let empty = world.slot();
    let puppet = world.puppet()?;
    let before = world.snapshot();
    for (what, number, first) in [
        ("NBSend through an empty slot", Syscall::NbSend, empty),
        ("NBSend through a pointer that leads nowhere", Syscall::NbSend, 1 << 50),
        ("NBSend to an endpoint without receivers", Syscall::NbSend, endpoint),
        ("Reply without a caller", Syscall::Reply, endpoint),
    ] {
        let registers = trap(number.word(), with_first(first));
        world.equal(what, registers, with_first(first));
    }
    let changed = world.snapshot().difference(&before);
    world.equal("capability that changed", changed, None);
    // A message that nobody waited for is lost: the receiver that comes after it waits.
    let receive = Start::syscall(Syscall::Recv.word(), with_first(endpoint));
    world.that("the receiver waits", !world.run(puppet, receive)?);
    Ok(())
}
