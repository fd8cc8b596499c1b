//! Frames and page tables: mapping, rights, and what stays of a mapping when capabilities go.

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, FrameSize, Label, LookupFailure, ObjectType, PHYS_BITS, Register, USER_TOP, VmAttributes};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::memory::{load, store};
use crate::target::puppet::{Act, Puppet, Start};
use crate::target::world::{Outcome, READ_WRITE, WILDERNESS, World, page_map, page_table_map, retype, stop};

pub(crate) const TOPIC: Topic = Topic {
    name: "memory",
    checks: &[
        Entry::new("frame-sizes", frame_sizes),
        Entry::new("highest-addresses", highest_addresses),
        Entry::new("rights-of-mappings", rights_of_mappings),
        Entry::new("remapping", remapping),
        Entry::new("capabilities-of-mappings", capabilities_of_mappings),
        Entry::new("map-refusals", map_refusals),
        Entry::new("page-tables", page_tables),
        Entry::new("page-table-refusals", page_table_refusals),
        Entry::new("page-maintenance", page_maintenance),
        Entry::new("vspace-maintenance", vspace_maintenance),
    ],
};

pub(super) fn unmap(cap: u64) -> Call {
    Call::of(cap, Label::PageUnmap)
}

fn missing(bits_left: u32) -> Refusal {
    Refusal::Target(LookupFailure::MissingCapability { bits_left: bits_left.into() })
}

/// Makes tables until `level` is reached at `address`: 1 is the one below the root.
fn tables(world: &mut World, address: u64, levels: u32) -> Outcome<[u64; 3]> {
    let mut made = [0; 3];
    for table in made.iter_mut().take(levels as usize) {
        *table = world.make(ObjectType::PageTable, 0)?;
        world.ok(&page_table_map(*table, slot::INIT_VSPACE, address))?;
    }
    Ok(made)
}

/// Each size is mapped where its level's table is, and nowhere else; what it maps is all of it.
fn frame_sizes(world: &mut World) -> Outcome {
    for size in [FrameSize::Small, FrameSize::Large] {
        let frame = world.make(size.object_type(), 0)?;
        let call = page_map(frame, WILDERNESS, READ_WRITE, VmAttributes::DEFAULT);
        let levels = if size == FrameSize::Small { 3 } else { 2 };
        let mut made = [0; 3];
        for (level, bits) in (0..levels).zip([39, 30, 21]) {
            world.refused("without its tables", &call, missing(bits));
            made[level] = world.make(ObjectType::PageTable, 0)?;
            world.ok(&page_table_map(made[level], slot::INIT_VSPACE, WILDERNESS))?;
        }
        world.ok(&call)?;
        let words = [0, 8, size.bytes() / 2, size.bytes() - 8];
        for word in words {
            world.equal(format_args!("{size:?} at {word:#x} before"), load(WILDERNESS + word), 0);
            store(WILDERNESS + word, word + 1);
        }
        for word in words {
            world.equal(format_args!("{size:?} at {word:#x}"), load(WILDERNESS + word), word + 1);
        }
        world.ok(&unmap(frame))?;
        // The same memory elsewhere.
        let other = WILDERNESS + (7 << size.bits());
        world.map(frame, other)?;
        world.equal("the memory is the same elsewhere", load(other + 8), 9);
        world.ok(&unmap(frame))?;
        for table in made.into_iter().rev().filter(|table| *table != 0) {
            world.ok(&Call::of(table, Label::PageTableUnmap))?;
        }
    }
    let device = world.untypeds().filter(|(_, desc)| desc.is_device == 1).max_by_key(|(_, desc)| desc.size_bits);
    let (device, _) = device.ok_or_else(|| stop("no device Untyped"))?;
    let frame = world.slot();
    world.ok(&retype(device, ObjectType::HugePage, 0, frame, 1))?;
    let call = page_map(frame, WILDERNESS, READ_WRITE, VmAttributes::EXECUTE_NEVER);
    world.refused("1 GiB without its table", &call, missing(39));
    tables(world, WILDERNESS, 1)?;
    world.ok(&call)?;
    world.ok(&unmap(frame))?;
    Ok(())
}

/// The address space ends at 2^44.
fn highest_addresses(world: &mut World) -> Outcome {
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let top = USER_TOP - 0xfff;
    world.refused("nothing there", &page_map(frame, top, READ_WRITE, VmAttributes::DEFAULT), missing(39));
    tables(world, top, 3)?;
    world.map(frame, top)?;
    store(top + 0xff8, 0x1234);
    world.equal("the last word of the address space", load(USER_TOP - 7), 0x1234);
    let other = world.make(ObjectType::SmallPage, 0)?;
    for address in [1 << PHYS_BITS, 1 << 47, 1 << 63, 0xffff_ffff_ffff_f000] {
        let call = page_map(other, address, READ_WRITE, VmAttributes::DEFAULT);
        world.refused("beyond the end", &call, Refusal::InvalidArgument(0));
    }
    let large = world.make(ObjectType::LargePage, 0)?;
    let call = page_map(large, 1 << PHYS_BITS, READ_WRITE, VmAttributes::DEFAULT);
    world.refused("2 MiB beyond the end", &call, Refusal::InvalidArgument(0));
    Ok(())
}

/// Whether a thread can load from and store to an address.
fn access(world: &World, puppet: Puppet, address: u64) -> Outcome<(bool, bool)> {
    let load = world.run(puppet, Start::at(Act::Load.at()).with(Register::X(1), address))?;
    let store = world.run(puppet, Start::at(Act::Store.at()).with(Register::X(1), address))?;
    Ok((load, store))
}

/// A mapping has the rights that both the capability and the call name; to write is not to read, and means nothing alone.
fn rights_of_mappings(world: &mut World) -> Outcome {
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let address = world.address();
    let puppet = world.puppet()?;
    for cap_rights in 0..16 {
        let cap = world.mint(frame, CapRights::from_bits_truncate(cap_rights), 0)?;
        for map_rights in [0, 1, 2, 3, 15] {
            world.ok(&page_map(cap, address, CapRights::from_bits_truncate(map_rights), VmAttributes::DEFAULT))?;
            // Each mask by itself: writing without reading counts as nothing.
            let of = |rights: u64| if rights & 2 == 0 { 0 } else { rights & 3 };
            let both = of(of(cap_rights) & map_rights);
            let found = access(world, puppet, address)?;
            let what = format_args!("capability {cap_rights:#x} mapped with {map_rights:#x}: load, store");
            world.equal(what, found, (both & 2 != 0, both == 3));
            world.ok(&unmap(cap))?;
        }
    }
    // Copying never adds rights.
    let read_only = world.mint(frame, CapRights::READ, 0)?;
    let copy = world.mint(read_only, CapRights::all(), 0)?;
    world.map(copy, address)?;
    world.equal("a copy of a read-only capability", access(world, puppet, address)?, (true, false));
    Ok(())
}

/// A mapping is changed by mapping again, and moved only by unmapping first.
fn remapping(world: &mut World) -> Outcome {
    let (frame, address) = world.page()?;
    let puppet = world.puppet()?;
    store(address, 0x77);
    world.ok(&page_map(frame, address, CapRights::READ, VmAttributes::DEFAULT))?;
    world.equal("made read-only", access(world, puppet, address)?, (true, false));
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::empty()))?;
    world.equal("made writable device memory", access(world, puppet, address)?, (true, true));
    world.ok(&page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT))?;
    let elsewhere = world.address();
    let moved = page_map(frame, elsewhere, READ_WRITE, VmAttributes::DEFAULT);
    world.refused("mapped elsewhere", &moved, Refusal::InvalidArgument(0));
    world.ok(&unmap(frame))?;
    world.equal("unmapped", access(world, puppet, address)?, (false, false));
    world.ok(&unmap(frame))?;
    world.ok(&moved)?;
    store(elsewhere, 0x1357);
    // Another frame takes the place; unmapping the first afterwards does not touch it.
    let other = world.make(ObjectType::SmallPage, 0)?;
    world.map(other, elsewhere)?;
    world.equal("what the other frame holds", load(elsewhere), 0);
    world.ok(&unmap(frame))?;
    world.equal("the other frame is still there", access(world, puppet, elsewhere)?, (true, true));
    Ok(())
}

/// The mapping belongs to one capability: copies have none, and it goes with the one that made it.
fn capabilities_of_mappings(world: &mut World) -> Outcome {
    let (frame, address) = world.page()?;
    let puppet = world.puppet()?;
    let copy = world.mint(frame, CapRights::all(), 0)?;
    let second = world.address();
    world.map(copy, second)?;
    store(address, 0x2468);
    world.equal("both show the same memory", load(second), 0x2468);
    world.ok(&unmap(copy))?;
    world.equal("unmapping one leaves the other", access(world, puppet, address)?, (true, true));
    world.map(copy, second)?;
    world.delete(copy)?;
    world.equal("deleting unmaps", access(world, puppet, second)?, (false, false));
    world.equal("and leaves the other", access(world, puppet, address)?, (true, true));
    // Moving takes the mapping along.
    let moved = world.slot();
    let words = [moved, 64, frame, 64];
    world.ok(&Call::of(slot::INIT_CNODE, Label::CNodeMove).words(&words).caps(&[slot::INIT_CNODE]))?;
    world.ok(&unmap(moved))?;
    world.equal("the moved capability unmaps", access(world, puppet, address)?, (false, false));
    // Revoking the memory unmaps everything in it.
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let child = world.slot();
    world.ok(&retype(untyped, ObjectType::SmallPage, 0, child, 1))?;
    world.map(child, address)?;
    world.equal("mapped", access(world, puppet, address)?, (true, true));
    world.revoke(untyped)?;
    world.equal("unmapped by revocation", access(world, puppet, address)?, (false, false));
    Ok(())
}

fn map_refusals(world: &mut World) -> Outcome {
    let frame = world.make(ObjectType::SmallPage, 0)?;
    let large = world.make(ObjectType::LargePage, 0)?;
    let vspace = world.make(ObjectType::VSpace, 0)?;
    let live = world.make(ObjectType::VSpace, 0)?;
    let (mapped, place) = world.page()?;
    world.ok(&Call::of(slot::INIT_ASID_POOL, Label::AsidPoolAssign).caps(&[live]))?;
    let address = world.address();
    let map = page_map(frame, address, READ_WRITE, VmAttributes::DEFAULT);
    let remap = page_map(mapped, place, READ_WRITE, VmAttributes::DEFAULT);
    for (what, call, refusal) in [
        ("two words", map.length(2), Refusal::Truncated),
        ("no VSpace", map.caps(&[]), Refusal::Truncated),
        ("a VSpace that is none", map.cap(0, frame), Refusal::InvalidCapability(1)),
        ("a VSpace without an ASID", map.cap(0, vspace), Refusal::InvalidCapability(1)),
        ("8 bytes off", map.word(0, address + 8), Refusal::Alignment),
        ("2 KiB off", map.word(0, address + 0x800), Refusal::Alignment),
        ("2 MiB at a page", page_map(large, address + 0x1000, READ_WRITE, VmAttributes::DEFAULT), Refusal::Alignment),
        ("mapped in another VSpace", remap.cap(0, live), Refusal::InvalidCapability(1)),
        ("no tables in another VSpace", map.cap(0, live), missing(39)),
        ("another label", Call::of(frame, Label::PageTableMap).words(&[0; 3]), Refusal::IllegalOperation),
        ("no label", Call::raw(frame, 0), Refusal::IllegalOperation),
        ("a label of VSpaces", Call::of(mapped, Label::VSpaceCleanData).words(&[0, 8]), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    // Where 4 KiB pages are, there is no place for 2 MiB.
    let base = address & !((1 << 21) - 1);
    let over = page_map(large, base, READ_WRITE, VmAttributes::DEFAULT);
    world.refused("2 MiB over a table", &over, missing(12));
    Ok(())
}

fn page_tables(world: &mut World) -> Outcome {
    let made = tables(world, WILDERNESS, 3)?;
    let (frame, puppet) = (world.make(ObjectType::SmallPage, 0)?, world.puppet()?);
    world.map(frame, WILDERNESS + 0x5000)?;
    world.equal("mapped", access(world, puppet, WILDERNESS + 0x5000)?, (true, true));
    // Taking a table out takes what is below it out of sight, and frees its place.
    world.ok(&Call::of(made[1], Label::PageTableUnmap))?;
    world.equal("below a table that is gone", access(world, puppet, WILDERNESS + 0x5000)?, (false, false));
    // A table that was taken out is empty: the level below is gone for good.
    world.ok(&page_table_map(made[1], slot::INIT_VSPACE, WILDERNESS))?;
    let other = world.make(ObjectType::SmallPage, 0)?;
    let map = page_map(other, WILDERNESS, READ_WRITE, VmAttributes::DEFAULT);
    world.refused("its table is not below", &map, missing(21));
    world.equal("nothing is below", access(world, puppet, WILDERNESS + 0x5000)?, (false, false));
    // Unmapping the frame whose tables are gone is done already.
    world.ok(&unmap(frame))?;
    // Deleting the capability takes the table out.
    let large = world.make(ObjectType::LargePage, 0)?;
    world.map(large, WILDERNESS)?;
    world.equal("mapped 2 MiB", access(world, puppet, WILDERNESS)?, (true, true));
    world.delete(made[1])?;
    world.equal("below a deleted table", access(world, puppet, WILDERNESS)?, (false, false));
    Ok(())
}

fn page_table_refusals(world: &mut World) -> Outcome {
    let [table, other] = [world.make(ObjectType::PageTable, 0)?, world.make(ObjectType::PageTable, 0)?];
    let vspace = world.make(ObjectType::VSpace, 0)?;
    let map = page_table_map(table, slot::INIT_VSPACE, WILDERNESS);
    for (what, call, refusal) in [
        ("one word", map.length(1), Refusal::Truncated),
        ("no VSpace", map.caps(&[]), Refusal::Truncated),
        ("a VSpace that is none", map.cap(0, other), Refusal::InvalidCapability(1)),
        ("a VSpace without an ASID", map.cap(0, vspace), Refusal::InvalidCapability(1)),
        ("beyond the end", map.word(0, USER_TOP + 1), Refusal::InvalidArgument(0)),
        ("where all levels are", map.word(0, crate::target::world::WINDOW), Refusal::DeleteFirst),
        ("another label", Call::of(table, Label::PageMap).words(&[0; 3]), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&map.word(0, WILDERNESS + 0x1234_5678))?;
    world.refused("mapped already", &map, Refusal::InvalidCapability(0));
    let copy = world.mint(table, CapRights::all(), 0)?;
    for cap in [table, copy] {
        world.refused("another capability to it", &Call::of(cap, Label::PageTableUnmap), Refusal::RevokeFirst);
    }
    world.delete(copy)?;
    world.ok(&Call::of(table, Label::PageTableUnmap))?;
    world.ok(&Call::of(table, Label::PageTableUnmap))?;
    // Where a large page is, no table goes.
    tables(world, WILDERNESS, 2)?;
    let large = world.make(ObjectType::LargePage, 0)?;
    world.map(large, WILDERNESS)?;
    world.refused("over a large page", &map, Refusal::DeleteFirst);
    Ok(())
}

const PAGE_OPERATIONS: [Label; 4] =
    [Label::PageCleanData, Label::PageInvalidateData, Label::PageCleanInvalidateData, Label::PageUnifyInstruction];

fn page_maintenance(world: &mut World) -> Outcome {
    let (frame, address) = world.page()?;
    let unmapped = world.make(ObjectType::SmallPage, 0)?;
    let device = super::tcb::device_frame(world)?;
    let place = world.address();
    world.ok(&page_map(device, place, READ_WRITE, VmAttributes::EXECUTE_NEVER))?;
    store(address + 0x100, 0x1357_9bdf);
    for label in PAGE_OPERATIONS {
        let operation = |cap, start: u64, end: u64| Call::of(cap, label).words(&[start, end]);
        for (start, end) in [(0, 1), (0, 4096), (0x100, 0x108), (4095, 4096), (3, 70)] {
            world.ok(&operation(frame, start, end))?;
        }
        world.equal(format_args!("memory after {label:?}"), load(address + 0x100), 0x1357_9bdf);
        let good = operation(frame, 0, 64);
        for (what, call, refusal) in [
            ("one word", good.length(1), Refusal::Truncated),
            ("not mapped", operation(unmapped, 0, 64), Refusal::IllegalOperation),
            ("not mapped, and one word", operation(unmapped, 0, 64).length(1), Refusal::Truncated),
            ("nothing", operation(frame, 64, 64), Refusal::InvalidArgument(1)),
            ("backwards", operation(frame, 64, 0), Refusal::InvalidArgument(1)),
            ("starts behind the frame", operation(frame, 4096, 4097), Refusal::InvalidArgument(0)),
            ("ends behind the frame", operation(frame, 0, 4097), Refusal::InvalidArgument(0)),
        ] {
            world.refused(what, &call, refusal);
        }
    }
    Ok(())
}

fn vspace_maintenance(world: &mut World) -> Outcome {
    let (_, address) = world.page()?;
    let dead = world.make(ObjectType::VSpace, 0)?;
    store(address + 0x200, 0xfeed);
    for label in [
        Label::VSpaceCleanData,
        Label::VSpaceInvalidateData,
        Label::VSpaceCleanInvalidateData,
        Label::VSpaceUnifyInstruction,
    ] {
        let operation = |start: u64, end: u64| Call::of(slot::INIT_VSPACE, label).words(&[start, end]);
        world.ok(&operation(address, address + 4096))?;
        world.ok(&operation(address + 0x200, address + 0x201))?;
        world.equal(format_args!("memory after {label:?}"), load(address + 0x200), 0xfeed);
        // Where nothing is mapped there is nothing to do.
        world.ok(&operation(WILDERNESS, WILDERNESS + 1))?;
        world.ok(&operation(WILDERNESS, USER_TOP))?;
        let good = operation(address, address + 64);
        for (what, call, refusal) in [
            ("one word", good.length(1), Refusal::Truncated),
            ("nothing", operation(address, address), Refusal::InvalidArgument(1)),
            ("backwards", operation(address, 0), Refusal::InvalidArgument(1)),
            ("past the end", operation(address, USER_TOP + 1), Refusal::IllegalOperation),
            (
                "over the end of a page",
                operation(address + 0x10, address + 4097),
                Refusal::Range(address + 0x10, address + 4095),
            ),
            ("a VSpace without an ASID", Call::of(dead, label).words(&[0, 64]), Refusal::InvalidCapability(0)),
        ] {
            world.refused(what, &call, refusal);
        }
    }
    for label in PAGE_OPERATIONS.into_iter().chain([Label::PageUnmap]) {
        let other = Call::of(slot::INIT_VSPACE, label).words(&[address, address + 64]);
        world.refused("a label of frames", &other, Refusal::IllegalOperation);
    }
    Ok(())
}
