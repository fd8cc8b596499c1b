//! ASID pools and VSpaces: made, used up, and gone with what depends on them.

use sluice_abi::bootinfo::slot;
use sluice_abi::{Label, LookupFailure, ObjectType, Register, Syscall, VmAttributes};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::{Call, trap};
use crate::target::memory::store;
use crate::target::puppet::{Act, Start};
use crate::target::world::{DEPTH, EMPTY, Outcome, READ_WRITE, WILDERNESS, World, page_map, page_table_map, retype};

pub(crate) const TOPIC: Topic = Topic {
    name: "asid",
    checks: &[
        Entry::new("pool-refusals", pool_refusals),
        Entry::new("every-pool", every_pool),
        Entry::new("every-asid-of-a-pool", every_asid),
        Entry::new("vspaces-of-a-deleted-pool", deleted_pool),
        Entry::new("a-thread-in-its-own-vspace", own_vspace),
    ],
};

fn make_pool(untyped: u64, dest: u64) -> Call {
    Call::of(slot::ASID_CONTROL, Label::AsidControlMakePool).words(&[dest, DEPTH]).caps(&[untyped, slot::INIT_CNODE])
}

fn assign(pool: u64, vspace: u64) -> Call {
    Call::of(pool, Label::AsidPoolAssign).caps(&[vspace])
}

fn pool_refusals(world: &mut World) -> Outcome {
    let [page, used] = [world.make(ObjectType::Untyped, 12)?, world.make(ObjectType::Untyped, 12)?];
    let [small, large] = [world.make(ObjectType::Untyped, 11)?, world.make(ObjectType::Untyped, 13)?];
    let child = world.slot();
    world.ok(&retype(used, ObjectType::Endpoint, 0, child, 1))?;
    let device = world.untypeds().find(|(_, desc)| desc.is_device == 1 && desc.size_bits == 12).map(|(cap, _)| cap);
    let dest = world.slot();
    let good = make_pool(page, dest);
    for (what, call, refusal) in [
        ("one word", good.length(1), Refusal::Truncated),
        ("one capability", good.caps(&[page]), Refusal::Truncated),
        ("an Untyped too small", good.cap(0, small), Refusal::InvalidCapability(1)),
        ("an Untyped too large", good.cap(0, large), Refusal::InvalidCapability(1)),
        ("no Untyped", good.cap(0, child), Refusal::InvalidCapability(1)),
        ("device memory", good.cap(0, device.unwrap_or(child)), Refusal::InvalidCapability(1)),
        ("an Untyped in use", good.cap(0, used), Refusal::RevokeFirst),
        ("a root that is no CNode", good.cap(1, child), Refusal::Target(LookupFailure::InvalidRoot)),
        ("depth 0", good.word(1, 0), Refusal::Range(1, 64)),
        ("a slot in use", good.word(0, child), Refusal::DeleteFirst),
        ("another label", Call::of(slot::ASID_CONTROL, Label::AsidPoolAssign), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&good)?;
    world.equal("the Untyped is used up", world.bytes_left(page), 0);
    let vspace = world.make(ObjectType::VSpace, 0)?;
    let give = assign(dest, vspace);
    for (what, call, refusal) in [
        ("no VSpace", give.caps(&[]), Refusal::Truncated),
        ("a VSpace that is none", give.cap(0, page), Refusal::InvalidCapability(1)),
        ("a VSpace that has an ASID", give.cap(0, slot::INIT_VSPACE), Refusal::InvalidCapability(1)),
        ("another label", Call::of(dest, Label::AsidControlMakePool), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&give)?;
    world.refused("again", &give, Refusal::InvalidCapability(1));
    Ok(())
}

/// There are 128 pools, one of them the root task's.
fn every_pool(world: &mut World) -> Outcome {
    let untypeds = world.slots(128);
    world.ok(&retype(world.arena, ObjectType::Untyped, 12, untypeds, 128))?;
    let pools = world.slots(128);
    for index in 0..127 {
        world.ok(&make_pool(untypeds + index, pools + index))?;
    }
    let one_more = make_pool(untypeds + 127, pools + 127);
    world.refused("one more", &one_more, Refusal::DeleteFirst);
    world.delete(pools + 50)?;
    world.ok(&one_more)?;
    Ok(())
}

/// A pool has 512 ASIDs; the first of all is never given out.
fn every_asid(world: &mut World) -> Outcome {
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let pool = world.slot();
    world.ok(&make_pool(untyped, pool))?;
    let vspaces = world.slots(513);
    for (first, count) in [(0, 256), (256, 256), (512, 1)] {
        world.ok(&retype(world.arena, ObjectType::VSpace, 0, vspaces + first, count))?;
    }
    for index in 0..512 {
        world.ok(&assign(pool, vspaces + index))?;
    }
    world.refused("one more", &assign(pool, vspaces + 512), Refusal::DeleteFirst);
    world.delete(vspaces + 300)?;
    world.ok(&assign(pool, vspaces + 512))?;
    // The root task's own pool: ASID 0 and the root VSpace's are taken.
    world.delete(pool)?;
    for first in [0, 256] {
        for index in first..first + 256 {
            world.delete(vspaces + index)?;
        }
        world.ok(&retype(world.arena, ObjectType::VSpace, 0, vspaces + first, 256))?;
    }
    for index in 0..510 {
        world.ok(&assign(slot::INIT_ASID_POOL, vspaces + index))?;
    }
    let more = assign(slot::INIT_ASID_POOL, vspaces + 510);
    world.refused("the root task's pool is used up", &more, Refusal::DeleteFirst);
    Ok(())
}

/// A VSpace with tables and a page at [`WILDERNESS`] that has an ASID of a pool of its own: pool, VSpace, page.
fn populated(world: &mut World) -> Outcome<(u64, u64, u64)> {
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let pool = world.slot();
    world.ok(&make_pool(untyped, pool))?;
    let vspace = world.make(ObjectType::VSpace, 0)?;
    world.ok(&assign(pool, vspace))?;
    for _ in 0..3 {
        let table = world.make(ObjectType::PageTable, 0)?;
        world.ok(&page_table_map(table, vspace, WILDERNESS))?;
    }
    let frame = world.make(ObjectType::SmallPage, 0)?;
    world.ok(&page_map(frame, WILDERNESS, READ_WRITE, VmAttributes::DEFAULT).cap(0, vspace))?;
    Ok((pool, vspace, frame))
}

fn deleted_pool(world: &mut World) -> Outcome {
    let (pool, vspace, frame) = populated(world)?;
    let [fresh, table] = [world.make(ObjectType::SmallPage, 0)?, world.make(ObjectType::PageTable, 0)?];
    world.delete(pool)?;
    let gone = Refusal::Target(LookupFailure::InvalidRoot);
    let map = page_map(fresh, WILDERNESS, READ_WRITE, VmAttributes::DEFAULT).cap(0, vspace);
    world.refused("mapping a frame", &map, gone);
    world.refused("mapping a table", &page_table_map(table, vspace, 0), gone);
    world.refused("maintaining a frame", &Call::of(frame, Label::PageCleanData).words(&[0, 64]), gone);
    world.refused("maintaining the VSpace", &Call::of(vspace, Label::VSpaceCleanData).words(&[0, 64]), gone);
    world.ok(&Call::of(frame, Label::PageUnmap))?;
    // The ASID is of a pool that is gone, and yet the VSpace has one: it cannot get another.
    world.refused("another ASID", &assign(slot::INIT_ASID_POOL, vspace), Refusal::InvalidCapability(1));
    let configure = Call::of(table, Label::TcbSetSpace);
    world.refused("a table is no thread", &configure, Refusal::IllegalOperation);
    world.equal("the slot that stays empty", world.is_empty(EMPTY), true);
    Ok(())
}

/// A thread sees the memory of its VSpace and no other; without its VSpace it cannot run.
fn own_vspace(world: &mut World) -> Outcome {
    let (pool, vspace, code) = populated(world)?;
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let handler = world.mint(endpoint, sluice_abi::CapRights::all(), 0x5)?;
    let puppet = world.puppet()?;
    // A copy of the page's capability, to write the program: load x2 from x1, then a call by x7.
    let view = world.mint(code, sluice_abi::CapRights::all(), 0)?;
    let address = world.address();
    world.map(view, address)?;
    store(address, 0xd400_0001_f940_0022);
    store(address + 8, 0x1400_0000);
    store(address + 0x100, 0x0dd_ba11);
    world.ok(&Call::of(view, Label::PageUnifyInstruction).words(&[0, 64]))?;
    let space = Call::of(puppet.tcb, Label::TcbSetSpace).words(&[handler, 0, 0]).caps(&[slot::INIT_CNODE, vspace]);
    world.ok(&space)?;
    let send = Start::at(WILDERNESS)
        .with(Register::X(7), Syscall::Send.word())
        .with(Register::X(0), endpoint)
        .with(Register::X(1), WILDERNESS + 0x100);
    // x1 is the message word too: its length is what is left of the address, and x2 what was loaded.
    world.run(puppet, send)?;
    let received = trap(Syscall::NbRecv.word(), [endpoint, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5]);
    world.equal("label", received[1] >> 12, WILDERNESS >> 12);
    let fault = |world: &World, at: u64| -> Outcome<[u64; 6]> {
        world.run(puppet, send.with(Register::X(1), at))?;
        Ok(trap(Syscall::NbRecv.word(), [endpoint, 0, 0, 0, 0, 0]))
    };
    let told = fault(world, crate::target::world::WINDOW)?;
    world.equal("the root task's memory is not there", (told[0], told[1] >> 12, told[3]), {
        (5, 5, crate::target::world::WINDOW)
    });
    world.ok(&Call::of(puppet.tcb, Label::TcbSuspend))?;
    // Without the pool the thread's VSpace is dead: its first instruction faults.
    world.delete(pool)?;
    let told = fault(world, WILDERNESS + 0x100)?;
    world.equal("fault at the first instruction", (told[0], told[1] >> 12, told[2], told[4]), (5, 5, WILDERNESS, 1));
    world.ok(&space.cap(1, slot::INIT_VSPACE))?;
    let report = Start::at(Act::Report.at());
    world.that("with a live VSpace it runs again", world.run(puppet, report)?);
    Ok(())
}
