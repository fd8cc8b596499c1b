//! Faults: every word that a handler is told, and what its answer does.

use sluice_abi::bootinfo::slot;
use sluice_abi::cap::cnode_data;
use sluice_abi::fault::FaultLabel;
use sluice_abi::{CapRights, Label, LookupFailure, MessageInfo, ObjectType, Register, Syscall, VmAttributes};

use super::{Entry, Topic};
use crate::target::call::{Call, Reply, trap};
use crate::target::memory::{load, store};
use crate::target::puppet::{Act, Puppet, Start, syscall_at};
use crate::target::world::{DEPTH, Outcome, READ_WRITE, World, page_map};

pub(crate) const TOPIC: Topic = Topic {
    name: "fault",
    checks: &[
        Entry::new("unknown-system-calls", unknown_system_calls),
        Entry::new("answers-to-unknown-system-calls", answers_to_unknown),
        Entry::new("user-exceptions", user_exceptions),
        Entry::new("data-faults", data_faults),
        Entry::new("instruction-faults", instruction_faults),
        Entry::new("capability-faults-when-sending", cap_faults_sending),
        Entry::new("capability-faults-when-receiving", cap_faults_receiving),
        Entry::new("handlers", handlers),
        Entry::new("cancelled-faults", cancelled_faults),
    ],
};

const BADGE: u64 = 0xfa017;

/// A thread whose faults go to `endpoint`.
struct Rig {
    endpoint: u64,
    puppet: Puppet,
}

fn rig(world: &mut World) -> Outcome<Rig> {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let handler = world.mint(endpoint, CapRights::all(), BADGE)?;
    let puppet = world.puppet_with_handler(handler)?;
    Ok(Rig { endpoint, puppet })
}

impl Rig {
    /// Runs the thread, which must fault, and takes the fault.
    fn fault(&self, world: &mut World, what: &str, start: Start) -> Outcome<Reply> {
        world.that(format_args!("{what}: it does not go on"), !world.run(self.puppet, start)?);
        Ok(self.take(world, what))
    }

    /// The fault message that waits.
    fn take(&self, world: &mut World, what: &str) -> Reply {
        let message = Reply::from_registers(trap(Syscall::NbRecv.word(), [self.endpoint, 0, 0, 0, 0, 0]), world.buffer);
        world.equal(format_args!("{what}: badge"), message.badge, BADGE);
        world.equal(format_args!("{what}: capabilities"), message.info.word() >> 7 & 0x1f, 0);
        message
    }

    /// Answers; whether the thread then reports.
    fn answer(&self, world: &World, label: u64, words: &[u64]) -> bool {
        let reports = self.puppet.reports();
        let mut registers = [0, MessageInfo::new(label, 0, 0, words.len() as u64).word(), 0, 0, 0, 0];
        for (index, word) in words.iter().enumerate() {
            match registers.get_mut(2 + index) {
                Some(register) => *register = *word,
                None => world.buffer.set_word(index, *word),
            }
        }
        trap(Syscall::Reply.word(), registers);
        world.waits_for(self.puppet, reports)
    }

    /// Where the thread's stack pointer is.
    fn sp(&self) -> u64 {
        self.puppet.buffer.0 + 1024
    }
}

/// The saved program status of a thread with these condition flags.
fn status(world: &World, flags: u64) -> u64 {
    flags | if world.debug { 0x40 } else { 0x140 }
}

/// What a handler is told of an unknown system call.
fn told_of_unknown(world: &World, rig: &Rig, start: &Start) -> [u64; 13] {
    let mut words = [0; 13];
    for (number, word) in (0..8).zip(&mut words) {
        *word = start.get(Register::X(number));
    }
    let pc = start.get(Register::Pc);
    words[8..].copy_from_slice(&[pc, rig.sp(), pc + 4, status(world, FLAGS), start.get(Register::X(7))]);
    words
}

const FLAGS: u64 = 0x6000_0000;

fn unknown(number: u64) -> Start {
    Start::syscall(number, [10, 11, 12, 13, 14, 15]).with(Register::Spsr, FLAGS)
}

fn unknown_system_calls(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let mut numbers = [0, 1, 7, 100, u64::MAX - 29, 1 << 40, 1 << 63, u64::MAX >> 1, u64::MAX << 32, 0, 0, 0, 0, 0, 0];
    let mut count = 9;
    if !world.debug {
        // Debug system calls are unknown to a release kernel.
        for number in 9..=14u64 {
            numbers[count] = number.wrapping_neg();
            count += 1;
        }
    }
    for number in &numbers[..count] {
        let start = unknown(*number);
        let message = rig.fault(world, "an unknown system call", start)?;
        world.equal(format_args!("label for {number:#x}"), message.label(), FaultLabel::UnknownSyscall as u64);
        let wanted = told_of_unknown(world, &rig, &start);
        world.equal(format_args!("words for {number:#x}"), message.words(), &wanted[..]);
        // An empty answer makes the thread start the call over: it faults again.
        world.that("an empty answer starts the call over", !rig.answer(world, 0, &[]));
        let again = rig.take(world, "the call started over");
        world.equal("words of the call started over", again.words(), &wanted[..]);
        world.that("stopped for good", !rig.answer(world, 1, &[]));
    }
    Ok(())
}

fn answers_to_unknown(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let (pc, sp) = (syscall_at(), rig.sp());
    let answer = [0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, pc + 4, sp, 0x1234, u64::MAX, 0xdead];
    // A handler that emulates the call moves on past it: that takes nine words at least.
    for count in 9..=13 {
        let start = unknown(99);
        rig.fault(world, "to be emulated", start)?;
        world.that(format_args!("{count} words resume the thread"), rig.answer(world, 0, &answer[..count]));
        let found = rig.puppet.reported();
        world.equal(format_args!("x0..x7 after {count} words"), &found[..8], &answer[..8]);
        for number in 8..31u8 {
            let wanted = start.get(Register::X(number));
            world.equal(format_args!("x{number} after {count} words"), found[usize::from(number)], wanted);
        }
        let flags = if count >= 12 { 0xf000_0000 } else { FLAGS };
        world.equal(format_args!("flags after {count} words"), rig.puppet.reported_flags(), flags);
    }
    // Fewer words write fewer registers and leave the thread at its call.
    for count in 1..8 {
        let start = unknown(99);
        rig.fault(world, "answered in part", start)?;
        world.that(format_args!("{count} words do not get past the call"), !rig.answer(world, 0, &answer[..count]));
        let mut wanted = told_of_unknown(world, &rig, &start);
        wanted[..count].copy_from_slice(&answer[..count]);
        let message = rig.take(world, "the call started over");
        world.equal(format_args!("words after {count} were written"), message.words(), &wanted[..]);
        rig.answer(world, 1, &[]);
    }
    // A label other than 0 writes the words and leaves the thread stopped, until it is resumed.
    rig.fault(world, "to be stopped", unknown(99))?;
    world.that("a label stops the thread", !rig.answer(world, 3, &answer[..9]));
    let reports = rig.puppet.reports();
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbResume))?;
    world.that("resumed, it goes on where the answer said", world.waits_for(rig.puppet, reports));
    world.equal("x0", rig.puppet.reported()[0], 0xb0);
    Ok(())
}

fn user_exceptions(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    // ESR_EL2 (DDI 0487, D24.2.45): class in 31:26, 32-bit instruction in 25, what class 0x3c adds in 15:0.
    for (act, syndrome) in [
        (Act::Undefined, 0x0200_0000),
        (Act::Breakpoint, 0x3c << 26 | 0x0200_0007),
        (Act::Privileged, 0x0200_0000),
        (Act::HypervisorCall, 0x0200_0000),
    ] {
        let start = Start::at(act.at()).with(Register::Spsr, FLAGS);
        let message = rig.fault(world, "an exception", start)?;
        world.equal(format_args!("label for {act:?}"), message.label(), FaultLabel::UserException as u64);
        let wanted = [act.at(), rig.sp(), status(world, FLAGS), syndrome, 0];
        world.equal(format_args!("words for {act:?}"), message.words(), &wanted[..]);
        // The answer moves the thread past its instruction, with other flags.
        let words = [act.at() + 4, rig.sp(), u64::MAX, 1, 2];
        world.that(format_args!("{act:?}: the answer resumes"), rig.answer(world, 0, &words));
        world.equal(format_args!("{act:?}: flags"), rig.puppet.reported_flags(), 0xf000_0000);
        for number in 0..31u8 {
            let found = rig.puppet.reported()[usize::from(number)];
            world.equal(format_args!("x{number} after {act:?}"), found, start.get(Register::X(number)));
        }
        rig.fault(world, "an exception to stop at", start)?;
        world.that("a label stops the thread", !rig.answer(world, 9, &words[..1]));
        let stopped = world.registers(rig.puppet.tcb);
        world.equal("where it stopped", stopped[0], act.at() + 4);
    }
    // A program counter that is not aligned is class 0x22.
    let odd = Act::Report.at() + 2;
    let message = rig.fault(world, "an odd address", Start::at(odd))?;
    world.equal("label at an odd address", message.label(), FaultLabel::UserException as u64);
    world.equal("address and class", (message.word(0), message.word(3) >> 26), (odd, 0x22));
    world.that("moved to a good one", rig.answer(world, 0, &[Act::Report.at()]));
    Ok(())
}

/// Class, direction and fault status of a data abort (DDI 0487, D24.2.45: EC, WnR, DFSC).
fn abort(syndrome: u64) -> (u64, u64, u64) {
    (syndrome >> 26, syndrome >> 6 & 1, syndrome & 0x3f)
}

const TRANSLATION: u64 = 0b000100;
const PERMISSION: u64 = 0b001100;
const DATA_ABORT: u64 = 0x24;
const INSTRUCTION_ABORT: u64 = 0x20;

fn data_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let address = world.address();
    // By how far the walk comes, the level is told: the window has tables of all levels below the root.
    let places = [(address, 3), (address + (1 << 21), 2), (address + (1 << 30), 1), (1 << 43, 0)];
    for (at, level) in places {
        for (act, write) in [(Act::Load, 0), (Act::Store, 1)] {
            let message = rig.fault(world, "nothing mapped", Start::at(act.at()).with(Register::X(1), at + 8))?;
            world.equal(format_args!("label at {at:#x}"), message.label(), FaultLabel::Vm as u64);
            world.equal(format_args!("words at {at:#x}"), &message.words()[..3], &[act.at(), at + 8, 0][..]);
            world.equal("number of words", message.words().len(), 4);
            let told = abort(message.word(3));
            world.equal(format_args!("syndrome at {at:#x}"), told, (DATA_ABORT, write, TRANSLATION + level));
            world.equal("syndrome has 32 bits", message.word(3) >> 32, 0);
        }
    }
    // The handler maps what was missing; any answer makes the instruction start over.
    world.map(frame, address)?;
    store(address + 8, 0x600d);
    world.ok(&Call::of(frame, Label::PageUnmap))?;
    for label in [0, 5] {
        let load_from = Start::at(Act::Load.at()).with(Register::X(1), address + 8);
        rig.fault(world, "to be resolved", load_from)?;
        world.map(frame, address)?;
        world.that(format_args!("resumed with label {label}"), rig.answer(world, label, &[1, 2, 3, 4]));
        world.equal("what was loaded", rig.puppet.reported()[2], 0x600d);
        world.ok(&Call::of(frame, Label::PageUnmap))?;
    }
    // A write to what may only be read.
    world.ok(&page_map(frame, address, CapRights::READ, VmAttributes::DEFAULT))?;
    let write = Start::at(Act::Store.at()).with(Register::X(1), address + 8).with(Register::X(2), 0xbad);
    let message = rig.fault(world, "a write without the right", write)?;
    world.equal("words", &message.words()[..3], &[Act::Store.at(), address + 8, 0][..]);
    world.equal("syndrome", abort(message.word(3)), (DATA_ABORT, 1, PERMISSION + 3));
    world.equal("the memory is as it was", load(address + 8), 0x600d);
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT))?;
    world.that("resumed with the right", rig.answer(world, 0, &[]));
    world.equal("what was stored", load(address + 8), 0xbad);
    Ok(())
}

fn instruction_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    let (frame, address) = world.page()?;
    // The page gets a branch to itself, so that a thread that runs there stays there.
    store(address, 0x1400_0000_1400_0000);
    world.ok(&Call::of(frame, Label::PageUnifyInstruction).words(&[0, 64]))?;
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER))?;
    for (what, at, status) in [
        ("a page that is never executed", address, PERMISSION + 3),
        ("an unmapped page", address + 0x1000, TRANSLATION + 3),
        ("an unmapped region", 1 << 43, TRANSLATION),
    ] {
        let message = rig.fault(world, what, Start::at(at))?;
        world.equal(format_args!("{what}: label"), message.label(), FaultLabel::Vm as u64);
        world.equal(format_args!("{what}: words"), &message.words()[..3], &[at, at, 1][..]);
        let (class, _, found) = abort(message.word(3));
        world.equal(format_args!("{what}: syndrome"), (class, found), (INSTRUCTION_ABORT, status));
    }
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    let message = rig.fault(world, "a page that is never executed", Start::at(address))?;
    world.equal("address", message.word(1), address);
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT))?;
    rig.answer(world, 0, &[]);
    let empty = trap(Syscall::NbRecv.word(), [rig.endpoint, 0, 0, 0, 0, 0])[0];
    world.equal("once it may execute it does not fault", empty, 0);
    // It spins there; its slice ends and it is stopped.
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    world.equal("where it runs", world.registers(rig.puppet.tcb)[0], address);
    Ok(())
}

/// A CSpace of three levels with guards: 20 bits and 2 of index, 10 and 3, 25 and 4.
struct Chain {
    leaf: u64,
    endpoint: u64,
    puppet: Puppet,
    spare: u64,
}

const ROOT_GUARD: u64 = 0xabcde;
const MIDDLE_GUARD: u64 = 0x155;
const LEAF_GUARD: u64 = 0x1ab_cdef;

/// A pointer through all three, with the parts that are not what they should be.
fn path(root: u64, first: u64, middle: u64, second: u64, leaf: u64, third: u64) -> u64 {
    root << 44 | first << 42 | middle << 32 | second << 29 | leaf << 4 | third
}

fn chain(world: &mut World) -> Outcome<Chain> {
    let nodes =
        [world.make(ObjectType::CNode, 2)?, world.make(ObjectType::CNode, 3)?, world.make(ObjectType::CNode, 4)?];
    let [root, middle, leaf] = nodes;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let spare = world.make(ObjectType::Notification, 0)?;
    let all = CapRights::all().bits();
    let put = |node: u64, index: u64, depth: u64, source: u64, data: u64| {
        Call::of(node, Label::CNodeMint).words(&[index, depth, source, DEPTH, all, data]).caps(&[slot::INIT_CNODE])
    };
    world.ok(&put(middle, 5, 3, leaf, cnode_data(LEAF_GUARD, 25)))?;
    world.ok(&put(middle, 6, 3, leaf, cnode_data(0x2aa_aaaa, 26)))?;
    world.ok(&put(middle, 7, 3, leaf, cnode_data(0x3_5555_5555, 34)))?;
    world.ok(&put(root, 1, 2, middle, cnode_data(MIDDLE_GUARD, 10)))?;
    world.ok(&put(root, 2, 2, endpoint, BADGE))?;
    world.ok(&put(leaf, 9, 4, spare, 0x20))?;
    let puppet = world.puppet()?;
    let handler = path(ROOT_GUARD, 2, 0, 0, 0, 0);
    let space = Call::of(puppet.tcb, Label::TcbSetSpace)
        .words(&[handler, cnode_data(ROOT_GUARD, 20), 0])
        .caps(&[root, slot::INIT_VSPACE]);
    world.ok(&space)?;
    Ok(Chain { leaf, endpoint, puppet, spare })
}

/// Pointers that do not resolve, and why.
fn dead_ends() -> [(u64, LookupFailure); 6] {
    let guard =
        |bits_left, guard_found, guard_bits| LookupFailure::GuardMismatch { bits_left, guard_found, guard_bits };
    [
        (path(ROOT_GUARD ^ 1, 1, MIDDLE_GUARD, 5, LEAF_GUARD, 9), guard(64, ROOT_GUARD, 20)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD ^ 0x200, 5, LEAF_GUARD, 9), guard(42, MIDDLE_GUARD, 10)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD ^ 1, 9), guard(29, LEAF_GUARD, 25)),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD ^ 0x100_0000, 9), guard(29, LEAF_GUARD, 25)),
        (
            path(ROOT_GUARD, 1, MIDDLE_GUARD, 6, 0, 0) | 0x2aa_aaaa << 3,
            LookupFailure::DepthMismatch { bits_left: 29, bits_found: 30 },
        ),
        (path(ROOT_GUARD, 1, MIDDLE_GUARD, 7, 0, 0), guard(29, 0x3_5555_5555, 34)),
    ]
}

/// The words of a capability fault.
fn cap_fault(pc: u64, cptr: u64, receiving: bool, failure: LookupFailure) -> ([u64; 7], usize) {
    let (kind, [a, b, c], count) = failure.words();
    ([pc, cptr, receiving.into(), kind, a, b, c], 4 + count)
}

fn cap_faults_sending(world: &mut World) -> Outcome {
    let chain = chain(world)?;
    let rig = Rig { endpoint: chain.endpoint, puppet: chain.puppet };
    let good = path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD, 9);
    let send = |number: Syscall, cptr| Start::syscall(number.word(), [cptr, 0, 0, 0, 0, 0]);
    world.that("a pointer through the chain sends", world.run(chain.puppet, send(Syscall::Send, good))?);
    let polled = trap(Syscall::NbRecv.word(), [chain.spare, 0, 0, 0, 0, 0])[0];
    world.equal("the badge at the end of the chain", polled, 0x20);
    for (cptr, failure) in dead_ends() {
        let (words, count) = cap_fault(syscall_at(), cptr, false, failure);
        for number in [Syscall::Call, Syscall::Send] {
            let message = rig.fault(world, "a dead end", send(number, cptr))?;
            world.equal(format_args!("label at {cptr:#x}"), message.label(), FaultLabel::Cap as u64);
            world.equal(format_args!("words at {cptr:#x}"), message.words(), &words[..count]);
            // Any answer starts the call over.
            world.that("it fails again", !rig.answer(world, 7, &[1, 2, 3]));
            let again = rig.take(world, "started over");
            world.equal("words when started over", again.words(), &words[..count]);
        }
        let ignored = send(Syscall::NbSend, cptr);
        world.that("NBSend to a dead end does nothing", world.run(chain.puppet, ignored)?);
        world.equal("its registers", chain.puppet.reported()[0], cptr);
    }
    // The pointer of a capability sent along is named when it is that which fails.
    let (bad, failure) = dead_ends()[2];
    chain.puppet.buffer.set_cap(0, good);
    chain.puppet.buffer.set_cap(1, bad);
    let info = MessageInfo::new(0, 0, 2, 0).word();
    let with_caps = |number: Syscall| Start::syscall(number.word(), [good, info, 0, 0, 0, 0]);
    let (words, count) = cap_fault(syscall_at(), bad, false, failure);
    let message = rig.fault(world, "an extra capability", with_caps(Syscall::Call))?;
    world.equal("words for an extra capability", message.words(), &words[..count]);
    world.that("NBSend with it does nothing", world.run(chain.puppet, with_caps(Syscall::NbSend))?);
    let polled = trap(Syscall::NbRecv.word(), [chain.spare, 0, 0, 0, 0, 0])[0];
    world.equal("not even signal", polled, 0);
    // Bits behind a capability that is no CNode do not count.
    let leftover = path(ROOT_GUARD, 2, 0x3ff, 7, 0x1ff_ffff, 0xf);
    let message = Start::syscall(Syscall::NbSend.word(), [leftover, 0, 0, 0, 0, 0]);
    world.that("bits left over are ignored", world.run(chain.puppet, message)?);
    Ok(())
}

fn cap_faults_receiving(world: &mut World) -> Outcome {
    let chain = chain(world)?;
    let rig = Rig { endpoint: chain.endpoint, puppet: chain.puppet };
    let at = |index| path(ROOT_GUARD, 1, MIDDLE_GUARD, 5, LEAF_GUARD, index);
    let put = |index: u64, source: u64, rights: CapRights| {
        Call::of(chain.leaf, Label::CNodeCopy)
            .words(&[index, 4, source, DEPTH, rights.bits()])
            .caps(&[slot::INIT_CNODE])
    };
    let bound = world.make(ObjectType::Notification, 0)?;
    let other = world.make(ObjectType::Tcb, 0)?;
    world.ok(&Call::of(other, Label::TcbBindNotification).caps(&[bound]))?;
    let not_readable = CapRights::all().difference(CapRights::READ);
    world.ok(&put(1, chain.endpoint, not_readable))?;
    world.ok(&put(2, chain.spare, not_readable))?;
    world.ok(&put(3, bound, CapRights::all()))?;
    world.ok(&put(4, chain.leaf, CapRights::all()))?;
    world.ok(&put(5, chain.puppet.tcb, CapRights::all()))?;
    let missing = LookupFailure::MissingCapability { bits_left: 0 };
    let kinds = (0..6).map(|index| (at(index), missing));
    for (cptr, failure) in dead_ends().into_iter().chain(kinds) {
        let (words, count) = cap_fault(syscall_at(), cptr, true, failure);
        for number in [Syscall::Recv, Syscall::NbRecv, Syscall::ReplyRecv] {
            let receive = Start::syscall(number.word(), [cptr, 0, 0, 0, 0, 0]);
            let message = rig.fault(world, "nothing to receive from", receive)?;
            world.equal(format_args!("label of {number:?} at {cptr:#x}"), message.label(), FaultLabel::Cap as u64);
            world.equal(format_args!("words of {number:?} at {cptr:#x}"), message.words(), &words[..count]);
        }
    }
    // The handler fills the slot, and the call that starts over receives.
    let receive = Start::syscall(Syscall::Recv.word(), [at(0), 0, 0, 0, 0, 0]);
    rig.fault(world, "an empty slot", receive)?;
    world.ok(&put(0, chain.spare, CapRights::all()))?;
    trap(Syscall::Send.word(), [chain.spare, 0, 0, 0, 0, 0]);
    world.that("resumed, it receives", rig.answer(world, 0, &[]));
    Ok(())
}

/// A handler is an endpoint that can be sent to with a reply; without one the thread stops.
fn handlers(world: &mut World) -> Outcome {
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let puppet = world.puppet()?;
    let with_handler = |handler: u64| {
        Call::of(puppet.tcb, Label::TcbSetSpace).words(&[handler, 0, 0]).caps(&[slot::INIT_CNODE, slot::INIT_VSPACE])
    };
    let take = || trap(Syscall::NbRecv.word(), [endpoint, 0, 0, 0, 0, 0])[0];
    for bits in 0..16 {
        let rights = CapRights::from_bits_truncate(bits);
        let handler = world.mint(endpoint, rights, BADGE)?;
        world.ok(&with_handler(handler))?;
        world.run(puppet, unknown(77))?;
        let told = rights.contains(CapRights::WRITE) && rights.intersects(CapRights::GRANT | CapRights::GRANT_REPLY);
        world.equal(format_args!("a handler with rights {bits:#x}"), take(), if told { BADGE } else { 0 });
        world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    }
    for (what, handler) in [("none", 0), ("a notification", notification), ("a dead end", 1 << 50)] {
        world.ok(&with_handler(handler))?;
        world.run(puppet, unknown(77))?;
        world.equal(format_args!("{what} as handler"), take(), 0);
        let stopped = world.registers(puppet.tcb);
        world.equal(format_args!("where it stopped with {what}"), stopped[0], syscall_at());
    }
    let polled = trap(Syscall::NbRecv.word(), [notification, 0, 0, 0, 0, 0])[0];
    world.equal("nothing was signalled", polled, 0);
    // The handler is looked up when the fault happens, not when it is set.
    let late = world.slot();
    world.ok(&with_handler(late))?;
    world.ok(&crate::target::world::mint(endpoint, late, CapRights::all(), 0x1a7e))?;
    world.run(puppet, unknown(77))?;
    world.equal("a handler that came later", take(), 0x1a7e);
    Ok(())
}

/// A fault that is still in the handler's queue goes away with the thread's wait.
fn cancelled_faults(world: &mut World) -> Outcome {
    let rig = rig(world)?;
    world.run(rig.puppet, unknown(77))?;
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    let queued = trap(Syscall::NbRecv.word(), [rig.endpoint, 0, 0, 0, 0, 0])[0];
    world.equal("nobody is in the queue", queued, 0);
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbResume))?;
    world.give_way();
    let message = rig.take(world, "resumed, it faults again");
    world.equal("number of its call", message.word(12), 77);
    // The fault was received and is not answered: the answer is void once the thread was stopped.
    world.ok(&Call::of(rig.puppet.tcb, Label::TcbSuspend))?;
    world.that("an answer that comes too late", !rig.answer(world, 0, &[0, 0, 0, 0, 0, 0, 0, 0, Act::Report.at()]));
    world.equal("changes nothing", world.registers(rig.puppet.tcb)[0], syscall_at());
    Ok(())
}
