//! Deletion of much: deep trees, CNodes full of capabilities and of each other, and time that it must leave to others.

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, Label, ObjectType, Register};

use super::schedule::{frequency, ticks};
use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::memory::{load, load32, store, store32};
use crate::target::puppet::{Act, Start};
use crate::target::world::{DEPTH, Outcome, World, retype, stop};

pub(crate) const TOPIC: Topic = Topic {
    name: "revoke",
    checks: &[
        Entry::new("a-deep-tree", deep_tree),
        Entry::new("a-wide-tree", wide_tree),
        Entry::new("full-cnodes", full_cnodes),
        Entry::new("cnodes-that-hold-each-other", cycles),
        Entry::new("threads-that-hold-each-other", threads),
        Entry::new("interrupts-are-served-meanwhile", interrupts_served),
    ],
};

/// A copy of an Untyped is its child, and may be copied in turn.
fn deep_tree(world: &mut World) -> Outcome {
    const LEVELS: u64 = 600;
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let copies = world.slots(LEVELS);
    let mut source = untyped;
    for dest in copies..copies + LEVELS {
        let words = [dest, DEPTH, source, DEPTH, CapRights::all().bits()];
        world.ok(&Call::of(slot::INIT_CNODE, Label::CNodeCopy).words(&words).caps(&[slot::INIT_CNODE]))?;
        source = dest;
    }
    let middle = copies + LEVELS / 2;
    world.revoke(middle)?;
    let wrong = (copies..copies + LEVELS).find(|index| world.is_empty(*index) != (*index > middle));
    world.equal("capability on the wrong side of the cut", wrong, None);
    let object = world.slot();
    world.ok(&retype(middle, ObjectType::SmallPage, 0, object, 1))?;
    world.revoke(untyped)?;
    let left = (copies..=object).find(|index| !world.is_empty(*index));
    world.equal("capability that outlives the root of the tree", left, None);
    world.ok(&retype(untyped, ObjectType::SmallPage, 0, object, 1))?;
    Ok(())
}

/// Copies of one object across several CNodes, all gone when the call returns.
fn wide_tree(world: &mut World) -> Outcome {
    let notification = world.make(ObjectType::Notification, 0)?;
    let nodes = [world.make(ObjectType::CNode, 10)?, world.make(ObjectType::CNode, 10)?];
    fill(world, &nodes, 10, notification)?;
    world.revoke(notification)?;
    let left = nodes.iter().map(|node| occupied(world, *node, 10)).sum::<u64>();
    world.equal("copies left", left, 0);
    world.that("the original stays", !world.is_empty(notification));
    Ok(())
}

/// Puts a badged copy of `source` into every slot of each CNode.
fn fill(world: &World, nodes: &[u64], radix: u64, source: u64) -> Outcome {
    for node in nodes {
        for index in 0..1 << radix {
            let words = [index, radix, source, DEPTH, CapRights::all().bits(), index + 1];
            world.ok(&Call::of(*node, Label::CNodeMint).words(&words).caps(&[slot::INIT_CNODE]))?;
        }
    }
    Ok(())
}

/// Slots in use of a CNode.
fn occupied(world: &World, node: u64, radix: u64) -> u64 {
    let probe = |index| Call::of(node, Label::CNodeMove).words(&[index, radix, 7, DEPTH]).caps(&[slot::INIT_CNODE]);
    (0..1 << radix).filter(|index| world.call(&probe(*index)).label() == 8).count() as u64
}

/// Deleting a CNode deletes what is in it. What had its last capability there may stay half deleted, out of reach, until
/// the memory is revoked: seL4 leaves the zombies of objects inside of zombies for that.
fn full_cnodes(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 18)?;
    let (outer, first) = (world.slot(), world.slot());
    world.ok(&retype(untyped, ObjectType::CNode, 8, outer, 1))?;
    // In the outer CNode: CNodes, in the first of them endpoints; and threads.
    world.ok(&retype(untyped, ObjectType::CNode, 4, 0, 200).cap(0, outer))?;
    let words = [first, DEPTH, 0, 8, CapRights::all().bits()];
    world.ok(&Call::of(slot::INIT_CNODE, Label::CNodeCopy).words(&words).caps(&[outer]))?;
    world.ok(&retype(untyped, ObjectType::Endpoint, 0, 0, 16).cap(0, first))?;
    world.ok(&retype(untyped, ObjectType::Tcb, 0, 200, 8).cap(0, outer))?;
    world.delete(outer)?;
    world.that("it is gone", world.is_empty(outer));
    world.equal("a CNode that is still named keeps what it holds", occupied(world, first, 4), 16);
    world.delete(first)?;
    world.revoke(untyped)?;
    world.equal("bytes left", world.bytes_left(untyped), 1 << 18);
    // A CNode of capabilities to objects elsewhere is gone at once.
    let notification = world.make(ObjectType::Notification, 0)?;
    world.ok(&retype(untyped, ObjectType::CNode, 12, outer, 1))?;
    fill(world, &[outer], 12, notification)?;
    world.delete(outer)?;
    world.equal("bytes left of a full CNode", world.bytes_left(untyped), 1 << 18);
    Ok(())
}

/// CNodes that hold the last capabilities to each other and to themselves cannot be named any more, but revoked.
fn cycles(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 16)?;
    let nodes = world.slots(3);
    world.ok(&retype(untyped, ObjectType::CNode, 2, nodes, 3))?;
    let put = |node: u64, index: u64, source: u64, label: Label| {
        let words = [index, 2, source, DEPTH, CapRights::all().bits()];
        let count = if label == Label::CNodeMove { 4 } else { 5 };
        Call::of(node, label).words(&words[..count]).caps(&[slot::INIT_CNODE])
    };
    // Deleting a CNode that holds a copy of itself, and one that holds its last capability.
    world.ok(&put(nodes, 1, nodes, Label::CNodeCopy))?;
    world.ok(&put(nodes, 3, nodes + 1, Label::CNodeCopy))?;
    world.ok(&put(nodes + 1, 0, nodes, Label::CNodeCopy))?;
    world.ok(&put(nodes + 2, 2, nodes + 2, Label::CNodeCopy))?;
    for node in nodes..nodes + 3 {
        world.delete(node)?;
    }
    let full = retype(untyped, ObjectType::Untyped, 16, nodes, 1);
    world.that("what cannot be named is there", world.bytes_left(untyped) < 1 << 16);
    world.revoke(untyped)?;
    world.equal("bytes left", world.bytes_left(untyped), 1 << 16);
    world.ok(&full)?;
    Ok(())
}

/// A thread whose CSpace holds the last capability to itself goes with it.
fn threads(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 16)?;
    let (tcb, node) = (world.slot(), world.slot());
    world.ok(&retype(untyped, ObjectType::Tcb, 0, tcb, 1))?;
    world.ok(&retype(untyped, ObjectType::CNode, 4, node, 1))?;
    let space = Call::of(tcb, Label::TcbSetSpace).words(&[0, 60, 0]).caps(&[node, slot::INIT_VSPACE]);
    world.ok(&space)?;
    let inward = |index: u64, source: u64| {
        Call::of(node, Label::CNodeMove).words(&[index, 4, source, DEPTH]).caps(&[slot::INIT_CNODE])
    };
    world.ok(&inward(3, tcb))?;
    world.that("it is not here any more", world.is_empty(tcb));
    world.delete(node)?;
    world.that("thread and CNode hold each other", world.bytes_left(untyped) < 1 << 16);
    world.revoke(untyped)?;
    world.equal("bytes left", world.bytes_left(untyped), 1 << 16);
    Ok(())
}

/// Registers of a PL031 (DDI 0224, 3.3): the time in seconds, the second to interrupt at, the mask.
const NOW: u64 = 0x00;
const MATCH: u64 = 0x04;
const MASK: u64 = 0x10;

/// A thread waits for a clock while thousands of capabilities are revoked: it runs when it is time, not when that is done.
fn interrupts_served(world: &mut World) -> Outcome {
    const ROUNDS: u64 = 2;
    const RADIX: u64 = 12;
    let clock = world.with_machine(|machine| {
        let mut found = None;
        machine.visit_devices(|device| {
            let registers = device.registers().ok().and_then(|registers| registers.get(0).copied());
            let interrupt = device.interrupts().ok().and_then(|interrupts| interrupts.get(0).copied());
            if let (true, Some(registers), Some(irq)) =
                (device.compatible().any(|binding| binding == "arm,pl031"), registers, interrupt)
            {
                found = Some((registers.base().0, u64::from(irq.intid)));
            }
        });
        found
    })?;
    let (registers, irq) = clock.ok_or_else(|| stop("the machine has no PL031"))?;
    let frame = world.device_frame(registers)?;
    let clock = world.address();
    let map = crate::target::world::page_map(
        frame,
        clock,
        crate::target::world::READ_WRITE,
        sluice_abi::VmAttributes::EXECUTE_NEVER,
    );
    world.ok(&map)?;
    let (notification, handler) = (world.make(ObjectType::Notification, 0)?, world.slot());
    let get = Call::of(slot::IRQ_CONTROL, Label::IrqControlGet).words(&[irq, handler, DEPTH]).caps(&[slot::INIT_CNODE]);
    world.ok(&get)?;
    world.ok(&Call::of(handler, Label::IrqHandlerSetNotification).caps(&[notification]))?;
    let (_, record) = world.page()?;
    let watcher = world.puppet()?;
    let start = Start::at(Act::Watch.at())
        .with(Register::X(19), notification)
        .with(Register::X(20), handler)
        .with(Register::X(21), record)
        .with(Register::X(22), clock)
        .with(Register::X(23), ROUNDS + 1);
    world.that("the watcher waits", !world.run(watcher, start)?);
    // Below it, the root thread revokes. The watcher waits for one interrupt more than there is: done, it would give way to
    // its equals for ever.
    world.set_priority(slot::INIT_TCB, 254)?;
    let outcome = revoke_in_rounds(world, clock, record, RADIX, ROUNDS);
    world.set_priority(slot::INIT_TCB, 255)?;
    store32(clock + MASK, 0);
    outcome
}

fn revoke_in_rounds(world: &mut World, clock: u64, record: u64, radix: u64, rounds: u64) -> Outcome {
    let object = world.make(ObjectType::Notification, 0)?;
    let node = world.make(ObjectType::CNode, radix)?;
    let second = frequency();
    // How long it takes without interruption, to start the next ones so that the interrupt comes in the middle.
    fill(world, &[node], radix, object)?;
    let begun = ticks();
    world.revoke(object)?;
    let whole = ticks() - begun;
    for round in 0..rounds {
        fill(world, &[node], radix, object)?;
        store(record + 8 * round, 0);
        store32(clock + MASK, 1);
        store32(clock + MATCH, load32(clock + NOW) + 1);
        let due = ticks() + second;
        while ticks() < due - whole / 2 {
            // Reading the time is slow where time is counted in instructions, and so is a hint.
            for turn in 0..10_000u32 {
                core::hint::black_box(turn);
            }
        }
        let begun = ticks();
        world.revoke(object)?;
        let ended = ticks();
        let woken = load(record + 8 * round);
        world.that("it was woken before the revocation returned", woken != 0 && woken < ended);
        world.that("it was woken after the revocation began", woken > begun);
        // A tenth of the whole is hundreds of deletions; one at a time is what the kernel may make it wait.
        let late = woken.saturating_sub(due);
        world.that(format_args!("it was late by {late} of {whole} ticks"), late < whole / 10);
        world.equal("copies left", occupied(world, node, radix), 0);
    }
    Ok(())
}
