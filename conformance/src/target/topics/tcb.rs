//! Invocations of threads: registers, spaces, priorities, flags, bound notifications.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, Label, ObjectType, Register, Syscall, USER_CONTEXT_WORDS};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::puppet::Start;
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic {
    name: "tcb",
    checks: &[
        Entry::new("read-and-write-registers", read_and_write_registers),
        Entry::new("copy-registers", copy_registers),
        Entry::new("suspend-and-resume", suspend_and_resume),
        Entry::new("thread-pointer-and-flags", thread_pointer_and_flags),
        Entry::new("register-refusals", register_refusals),
        Entry::new("configure-refusals", configure_refusals),
        Entry::new("priority-refusals", priority_refusals),
        Entry::new("bound-notification", bound_notification),
        Entry::new("bind-refusals", bind_refusals),
        Entry::new("domain", domain),
    ],
};

const ALL: u64 = USER_CONTEXT_WORDS as u64;

fn position(register: Register) -> usize {
    Register::ORDER.iter().position(|each| *each == register).unwrap_or(0)
}

fn read_and_write_registers(world: &mut World) -> Outcome {
    let tcb = world.make(ObjectType::Tcb, 0)?;
    world.equal(
        "registers of a new thread, but for its flags",
        {
            let mut registers = world.registers(tcb);
            registers[position(Register::Spsr)] = 0;
            registers
        },
        [0; USER_CONTEXT_WORDS],
    );
    let masks = if world.debug { 0x40 } else { 0x140 };
    world.equal("flags of a new thread", world.registers(tcb)[2], masks);
    let mut words = [0; USER_CONTEXT_WORDS + 2];
    words[1] = ALL;
    for (index, word) in words.iter_mut().enumerate().skip(2) {
        *word = 0x5a5a_0000_ffff_ff00 | index as u64;
    }
    words[2 + position(Register::Spsr)] = u64::MAX;
    let write = Call::of(tcb, Label::TcbWriteRegisters).words(&words);
    world.ok(&write)?;
    let mut wanted = [0; USER_CONTEXT_WORDS];
    wanted.copy_from_slice(&words[2..]);
    // Of the saved state a user chooses the condition flags; the mode is EL0 and the masks are the kernel's.
    wanted[position(Register::Spsr)] = 0xf000_0000 | masks;
    world.equal("registers as written", world.registers(tcb), wanted);
    // Every count of words: the first so many are read, and written.
    for count in 1..=ALL {
        let reply = world.ok(&Call::of(tcb, Label::TcbReadRegisters).words(&[0, count]))?;
        world.equal(format_args!("{count} registers read"), reply.words(), &wanted[..count as usize]);
    }
    for count in [0, 1, 3, 17, 18, 35] {
        let mut some = [7; USER_CONTEXT_WORDS + 2];
        (some[0], some[1]) = (0, count as u64);
        world.ok(&Call::of(tcb, Label::TcbWriteRegisters).words(&some[..2 + count]))?;
        let now = world.registers(tcb);
        let written = now.iter().enumerate().take(count).all(|(index, word)| *word == 7 || index == 2);
        world.that(format_args!("{count} registers are written"), written);
        world.equal(format_args!("registers behind {count}"), &now[count..], &wanted[count..]);
        world.ok(&write)?;
    }
    // More than there are: the rest is ignored.
    world.ok(&write.word(1, ALL).length(40))?;
    world.equal("registers after a long message", world.registers(tcb), wanted);
    Ok(())
}

fn copy_registers(world: &mut World) -> Outcome {
    let [from, to] = [world.make(ObjectType::Tcb, 0)?, world.make(ObjectType::Tcb, 0)?];
    let fill = |tcb, value: u64| {
        let mut words = [value; USER_CONTEXT_WORDS + 2];
        (words[0], words[1]) = (0, ALL);
        Call::of(tcb, Label::TcbWriteRegisters).words(&words)
    };
    // Which registers are the "frame" ones is the order of the message: the first seventeen.
    for (flags, frame, integer) in [(0, false, false), (4, true, false), (8, false, true), (12, true, true)] {
        world.ok(&fill(from, 0x1111))?;
        world.ok(&fill(to, 0x2222))?;
        world.ok(&Call::of(to, Label::TcbCopyRegisters).words(&[flags]).caps(&[from]))?;
        let found = world.registers(to);
        for (index, register) in Register::ORDER.into_iter().enumerate() {
            let thread_pointer = matches!(register, Register::TpidrEl0 | Register::TpidrroEl0);
            let copied = if index < 17 { frame } else { integer };
            if register != Register::Spsr && !thread_pointer {
                let wanted = if copied { 0x1111 } else { 0x2222 };
                world.equal(format_args!("{register:?} with flags {flags}"), found[index], wanted);
            }
        }
    }
    // Resume the target on the way, and suspend the source.
    let (source, target) = (world.puppet()?, world.puppet()?);
    let spin = Start::syscall(Syscall::Yield.word(), [1, 2, 3, 4, 5, 6]);
    world.run(source, spin)?;
    let start = Start::syscall(Syscall::Yield.word(), [1, 2, 3, 4, 5, 6]);
    world.run(target, start)?;
    world.ok(&Call::of(target.tcb, Label::TcbSuspend))?;
    let reports = target.reports();
    world.ok(&Call::of(target.tcb, Label::TcbCopyRegisters).words(&[0b0011]).caps(&[source.tcb]))?;
    let parked = world.registers(source.tcb);
    for _ in 0..4 {
        world.give_way();
    }
    world.equal("the source stands still", world.registers(source.tcb), parked);
    world.equal("the target had nothing more to report", target.reports(), reports);
    // The present thread may be the target: seL4 copies, and goes on with what its registers then are.
    world.ok(&Call::of(slot::INIT_TCB, Label::TcbCopyRegisters).words(&[0]).caps(&[from]))?;
    Ok(())
}

fn suspend_and_resume(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    let puppet = world.puppet()?;
    let wait = Start::syscall(Syscall::Recv.word(), [notification, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5]);
    world.run(puppet, wait)?;
    world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    trap(Syscall::Send.word(), [notification, 0, 0, 0, 0, 0]);
    let reports = puppet.reports();
    world.that("a stopped thread is not woken", !world.waits_for(puppet, reports));
    let registers = world.registers(puppet.tcb);
    world.equal("it would make its system call again", registers[0], wait.get(Register::Pc));
    world.equal("x0", registers[3], notification);
    world.ok(&Call::of(puppet.tcb, Label::TcbResume))?;
    world.that("resumed, it finds the signal", world.waits_for(puppet, reports));
    world.equal("x1", puppet.reported()[1], 0xa1);
    // Resuming a thread that waits makes it start over; one that runs goes on.
    world.run(puppet, wait)?;
    let reports = puppet.reports();
    world.ok(&Call::of(puppet.tcb, Label::TcbResume))?;
    world.that("resumed, it waits again", !world.waits_for(puppet, reports));
    trap(Syscall::Send.word(), [notification, 0, 0, 0, 0, 0]);
    world.that("and is woken", world.waits_for(puppet, reports));
    world.ok(&Call::of(puppet.tcb, Label::TcbResume))?;
    // Reading with the suspend flag stops the thread.
    world.run(puppet, wait)?;
    world.ok(&Call::of(puppet.tcb, Label::TcbReadRegisters).words(&[1, 1]))?;
    let reports = puppet.reports();
    trap(Syscall::Send.word(), [notification, 0, 0, 0, 0, 0]);
    world.that("a thread that was read and stopped", !world.waits_for(puppet, reports));
    Ok(())
}

fn thread_pointer_and_flags(world: &mut World) -> Outcome {
    let tcb = world.make(ObjectType::Tcb, 0)?;
    world.ok(&Call::of(tcb, Label::TcbSetTlsBase).words(&[0x1234_5678_9abc]))?;
    world.equal("tpidr_el0", world.registers(tcb)[position(Register::TpidrEl0)], 0x1234_5678_9abc);
    world.refused("no base", &Call::of(tcb, Label::TcbSetTlsBase), Refusal::Truncated);
    let flags = |clear: u64, set: u64| Call::of(tcb, Label::TcbSetFlags).words(&[clear, set]);
    for (clear, set, wanted) in [(0, 0, 0), (0, 1, 1), (0, 0, 1), (1, 0, 0), (1, 1, 1), (u64::MAX, 0, 0)] {
        let reply = world.ok(&flags(clear, set))?;
        world.equal(format_args!("flags after clearing {clear:#x}, setting {set:#x}"), reply.words(), &[wanted][..]);
    }
    world.equal("flags nobody knows", world.ok(&flags(0, !1))?.words(), &[0][..]);
    world.refused("one word", &flags(0, 1).length(1), Refusal::Truncated);
    Ok(())
}

fn register_refusals(world: &mut World) -> Outcome {
    let tcb = world.make(ObjectType::Tcb, 0)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let read = |tcb, count: u64| Call::of(tcb, Label::TcbReadRegisters).words(&[0, count]);
    let write = |tcb, count: u64| Call::of(tcb, Label::TcbWriteRegisters).words(&[0; 38]).word(1, count);
    let copy = Call::of(tcb, Label::TcbCopyRegisters).words(&[0]).caps(&[tcb]);
    for (what, call, refusal) in [
        ("read: one word", read(tcb, 1).length(1), Refusal::Truncated),
        ("read: no registers", read(tcb, 0), Refusal::Range(1, ALL)),
        ("read: too many registers", read(tcb, ALL + 1), Refusal::Range(1, ALL)),
        ("read: the present thread", read(slot::INIT_TCB, 1), Refusal::IllegalOperation),
        ("read: the present thread, no registers", read(slot::INIT_TCB, 0), Refusal::Range(1, ALL)),
        ("write: one word", write(tcb, 1).length(1), Refusal::Truncated),
        ("write: fewer words than said", write(tcb, 3).length(4), Refusal::Truncated),
        ("write: the present thread", write(slot::INIT_TCB, 1), Refusal::IllegalOperation),
        ("write: the present thread, too few words", write(slot::INIT_TCB, 40), Refusal::Truncated),
        ("copy: no words", copy.length(0), Refusal::Truncated),
        ("copy: no capability", copy.caps(&[]), Refusal::Truncated),
        ("copy: from an endpoint", copy.cap(0, endpoint), Refusal::InvalidCapability(1)),
        ("no label", Call::raw(tcb, 0), Refusal::IllegalOperation),
        ("a label of CNodes", Call::of(tcb, Label::CNodeDelete).words(&[0, 0]), Refusal::IllegalOperation),
        ("a label beyond all", Call::raw(tcb, 1000), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    Ok(())
}

fn configure_refusals(world: &mut World) -> Outcome {
    let tcb = world.make(ObjectType::Tcb, 0)?;
    let (frame, _) = world.page()?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let vspace = world.make(ObjectType::VSpace, 0)?;
    let node = world.make(ObjectType::CNode, 4)?;
    let device = device_frame(world)?;
    let caps = [slot::INIT_CNODE, slot::INIT_VSPACE, frame];
    let configure = Call::of(tcb, Label::TcbConfigure).words(&[0, 0, 0, 0x1000]).caps(&caps);
    let space = Call::of(tcb, Label::TcbSetSpace).words(&[0, 0, 0]).caps(&caps[..2]);
    let buffer = Call::of(tcb, Label::TcbSetIpcBuffer).words(&[0x1000]).caps(&[frame]);
    let too_long = cnode_data(0, 61);
    for (what, call, refusal) in [
        ("configure: three words", configure.length(3), Refusal::Truncated),
        ("configure: two capabilities", configure.caps(&caps[..2]), Refusal::Truncated),
        ("configure: no CNode", configure.cap(0, endpoint), Refusal::IllegalOperation),
        ("configure: a guard too long", configure.cap(0, node).word(1, too_long), Refusal::IllegalOperation),
        ("configure: no VSpace", configure.cap(1, endpoint), Refusal::IllegalOperation),
        ("configure: a VSpace without an ASID", configure.cap(1, vspace), Refusal::IllegalOperation),
        ("configure: a buffer that is no frame", configure.cap(2, endpoint), Refusal::IllegalOperation),
        ("configure: a buffer of device memory", configure.cap(2, device), Refusal::IllegalOperation),
        ("configure: a buffer not aligned", configure.word(3, 0x1200), Refusal::Alignment),
        ("space: two words", space.length(2), Refusal::Truncated),
        ("space: one capability", space.caps(&caps[..1]), Refusal::Truncated),
        ("space: no CNode", space.cap(0, frame), Refusal::IllegalOperation),
        ("space: a guard too long", space.cap(0, node).word(1, too_long), Refusal::IllegalOperation),
        ("space: no VSpace", space.cap(1, frame), Refusal::IllegalOperation),
        ("space: a VSpace without an ASID", space.cap(1, vspace), Refusal::IllegalOperation),
        ("buffer: no words", buffer.length(0), Refusal::Truncated),
        ("buffer: no capability", buffer.caps(&[]), Refusal::Truncated),
        ("buffer: no frame", buffer.cap(0, endpoint), Refusal::IllegalOperation),
        ("buffer: device memory", buffer.cap(0, device), Refusal::IllegalOperation),
        ("buffer: 8 bytes off", buffer.word(0, 0x1008), Refusal::Alignment),
    ] {
        world.refused(what, &call, refusal);
    }
    // Address 0 takes the buffer away, whatever the capability is.
    world.ok(&buffer.word(0, 0).cap(0, endpoint))?;
    // The capabilities a thread holds are derived: revoking the original empties its slots. Without a VSpace it faults.
    let own = world.mint(node, CapRights::all(), cnode_data(0, 60))?;
    world.ok(&space.cap(0, own))?;
    world.revoke(node)?;
    world.that("the named copy is gone", world.is_empty(own));
    // A deletion that would take long stands in the way of a new space.
    let big = world.make(ObjectType::CNode, 4)?;
    world.ok(&space.cap(0, big).word(1, cnode_data(0, 60)))?;
    world.delete(big)?;
    world.refused("space: the old CNode would be deleted", &space, Refusal::IllegalOperation);
    world.refused("configure: the old CNode would be deleted", &configure, Refusal::IllegalOperation);
    Ok(())
}

/// A frame of device memory; nothing is behind it, and it is never touched.
pub(super) fn device_frame(world: &mut World) -> Outcome<u64> {
    let device = world.untypeds().filter(|(_, desc)| desc.is_device == 1).max_by_key(|(_, desc)| desc.size_bits);
    let (device, _) = device.ok_or_else(|| crate::target::world::stop("no device Untyped"))?;
    let frame = world.slot();
    world.ok(&crate::target::world::retype(device, ObjectType::SmallPage, 0, frame, 1))?;
    Ok(frame)
}

fn priority_refusals(world: &mut World) -> Outcome {
    let [tcb, authority] = [world.make(ObjectType::Tcb, 0)?, world.make(ObjectType::Tcb, 0)?];
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let set = |label, words: &[u64]| Call::of(tcb, label).words(words).caps(&[authority]);
    let mcp = Call::of(authority, Label::TcbSetMcPriority).words(&[100]).caps(&[slot::INIT_TCB]);
    world.ok(&mcp)?;
    for (label, words) in [
        (Label::TcbSetPriority, &[101][..]),
        (Label::TcbSetMcPriority, &[101][..]),
        (Label::TcbSetSchedParams, &[101, 5][..]),
        (Label::TcbSetSchedParams, &[5, 101][..]),
        (Label::TcbSetPriority, &[256 + 5][..]),
        (Label::TcbSetMcPriority, &[1 << 40][..]),
    ] {
        let call = set(label, words);
        world.refused("above what the authority allows", &call, Refusal::Range(0, 100));
        world.refused("no words", &call.length(words.len() - 1), Refusal::Truncated);
        world.refused("no authority", &call.caps(&[]), Refusal::Truncated);
        world.refused("an authority that is no thread", &call.cap(0, endpoint), Refusal::InvalidCapability(1));
    }
    world.refused("256 by the root thread", &set(Label::TcbSetPriority, &[256]).cap(0, slot::INIT_TCB), {
        Refusal::Range(0, 255)
    });
    // What is allowed is allowed to the last number; an authority lowers its own.
    world.ok(&set(Label::TcbSetPriority, &[100]))?;
    world.ok(&set(Label::TcbSetSchedParams, &[100, 100]))?;
    world.ok(&mcp.word(0, 10).cap(0, authority))?;
    world.refused("it cannot be raised again by itself", &mcp.cap(0, authority), Refusal::Range(0, 10));
    Ok(())
}

fn bound_notification(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let badged = world.mint(notification, CapRights::all(), 0x40)?;
    let puppet = world.puppet()?;
    let bind = Call::of(puppet.tcb, Label::TcbBindNotification).caps(&[notification]);
    world.ok(&bind)?;
    let receive = Start::syscall(Syscall::Recv.word(), [endpoint, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5]);
    let signal = || trap(Syscall::Send.word(), [badged, 0, 0, 0, 0, 0]);
    world.that("it waits at the endpoint", !world.run(puppet, receive)?);
    let reports = puppet.reports();
    signal();
    world.that("a signal reaches it there", world.waits_for(puppet, reports));
    world.equal("badge and nothing else", &puppet.reported()[..6], &[0x40, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5][..]);
    // A signal that came before is what the next receive finds, before any sender.
    signal();
    let sender = world.puppet()?;
    world.run(sender, Start::syscall(Syscall::Send.word(), [endpoint, 1, 0x99, 0, 0, 0]))?;
    world.that("it need not wait", world.run(puppet, receive)?);
    world.equal("the signal comes first", puppet.reported()[0], 0x40);
    world.that("then the message", world.run(puppet, receive)?);
    world.equal("its word", puppet.reported()[2], 0x99);
    // While it is bound only that thread may wait for it.
    let unbind = Call::of(puppet.tcb, Label::TcbUnbindNotification);
    world.ok(&unbind)?;
    world.run(puppet, receive)?;
    let reports = puppet.reports();
    signal();
    world.that("unbound, the signal does not reach it", !world.waits_for(puppet, reports));
    world.equal("but stays", trap(Syscall::NbRecv.word(), [notification, 0, 0, 0, 0, 0])[0], 0x40);
    world.refused("nothing to unbind", &unbind, Refusal::IllegalOperation);
    // Deleting the notification unbinds it.
    world.ok(&bind)?;
    world.revoke(notification)?;
    world.delete(notification)?;
    world.refused("nothing to unbind after deletion", &unbind, Refusal::IllegalOperation);
    Ok(())
}

fn bind_refusals(world: &mut World) -> Outcome {
    let [one, two] = [world.make(ObjectType::Notification, 0)?, world.make(ObjectType::Notification, 0)?];
    let write_only = world.mint(one, CapRights::WRITE, 0)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let (puppet, other) = (world.puppet()?, world.make(ObjectType::Tcb, 0)?);
    let bind = Call::of(other, Label::TcbBindNotification).caps(&[one]);
    world.run(puppet, Start::syscall(Syscall::Recv.word(), [two, 0, 0, 0, 0, 0]))?;
    for (what, call, refusal) in [
        ("no notification", bind.caps(&[]), Refusal::Truncated),
        ("an endpoint", bind.cap(0, endpoint), Refusal::IllegalOperation),
        ("a notification that cannot be waited for", bind.cap(0, write_only), Refusal::IllegalOperation),
        ("one that somebody waits for", bind.cap(0, two), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&bind)?;
    world.refused("a thread that has one", &bind, Refusal::IllegalOperation);
    let second = Call::of(puppet.tcb, Label::TcbBindNotification).caps(&[one]);
    world.refused("a notification that is bound", &second, Refusal::IllegalOperation);
    Ok(())
}

fn domain(world: &mut World) -> Outcome {
    let tcb = world.make(ObjectType::Tcb, 0)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let set = Call::of(slot::DOMAIN, Label::DomainSetSet).words(&[0]).caps(&[tcb]);
    world.ok(&set)?;
    for (what, call, refusal) in [
        ("no words", set.length(0), Refusal::Truncated),
        ("no thread", set.caps(&[]), Refusal::Truncated),
        ("a domain that is not there", set.word(0, 1), Refusal::InvalidArgument(0)),
        ("a thread that is none", set.cap(0, endpoint), Refusal::InvalidArgument(1)),
        ("another label", Call::of(slot::DOMAIN, Label::TcbSuspend), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    Ok(())
}
