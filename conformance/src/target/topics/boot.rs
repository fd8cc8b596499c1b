//! What the root task finds when it starts.

use sluice_abi::bootinfo::{EXTRA_FDT, SlotRegion, UntypedDesc, slot};
use sluice_abi::cap::CapTag;
use sluice_abi::{MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, PAGE_SIZE, PHYS_BITS};

use super::{Entry, Topic};
use crate::target::world::{Outcome, World, stop};

pub(crate) const TOPIC: Topic = Topic {
    name: "boot",
    checks: &[
        Entry::new("entry-registers", entry_registers),
        Entry::new("boot-info", boot_info),
        Entry::debug("initial-capabilities", initial_capabilities),
        Entry::new("untyped-list", untyped_list),
        Entry::new("untypeds-cover-the-machine", untypeds_cover_the_machine),
        Entry::new("device-tree", device_tree),
    ],
};

fn entry_registers(world: &mut World) -> Outcome {
    let entry = world.entry;
    world.equal("x0 is page aligned", entry.info % PAGE_SIZE, 0);
    world.equal("bits set in x1..x30", entry.others, 0);
    world.equal("sp", entry.sp, 0);
    world.equal("tpidr_el0", entry.tpidr, 0);
    world.equal("tpidrro_el0", entry.tpidrro, 0);
    world.equal("nzcv", entry.nzcv, 0);
    Ok(())
}

fn boot_info(world: &mut World) -> Outcome {
    let info = world.info;
    let none = SlotRegion::default();
    world.equal("node", info.node_id, 0);
    world.equal("nodes", info.num_nodes, 1);
    world.equal("I/O page table levels", info.num_iopt_levels, 0);
    world.equal("domain", info.init_domain, 0);
    world.equal("shared frames", info.shared_frames, none);
    world.equal("I/O spaces", info.io_space_caps, none);
    world.equal("the IPC buffer is one page before", info.ipc_buffer, world.entry.info - PAGE_SIZE);
    let order = [info.user_image_paging, info.extra_bi_pages, info.user_image_frames, info.untyped, info.empty];
    let mut next = slot::FIRST_FREE;
    for (index, region) in order.into_iter().enumerate() {
        world.equal(format_args!("start of region {index}"), region.start, next);
        world.that(format_args!("region {index} is a region"), region.start <= region.end);
        next = region.end;
    }
    world.equal("end of the empty slots", next, 1 << info.init_cnode_bits);
    world.equal("pages of extra information", info.extra_bi_pages.end - info.extra_bi_pages.start, {
        info.extra_len.div_ceil(PAGE_SIZE)
    });
    let image = info.user_image_frames.end - info.user_image_frames.start;
    let first = crate::target::start::image_base();
    world.equal("pages of the image", image, (info.ipc_buffer - first) / PAGE_SIZE);
    Ok(())
}

fn initial_capabilities(world: &mut World) -> Outcome {
    let fixed = [
        CapTag::Null,
        CapTag::Thread,
        CapTag::CNode,
        CapTag::VSpace,
        CapTag::IrqControl,
        CapTag::AsidControl,
        CapTag::AsidPool,
        CapTag::Null,
        CapTag::Null,
        CapTag::Frame,
        CapTag::Frame,
        CapTag::Domain,
        CapTag::SidControl,
        CapTag::CbControl,
        CapTag::Null,
        CapTag::Null,
    ];
    for (slot, tag) in (0..).zip(fixed) {
        world.equal(format_args!("slot {slot}"), world.identify(slot), tag as u64);
    }
    let info = world.info;
    for (region, tag) in [
        (info.user_image_paging, CapTag::PageTable),
        (info.extra_bi_pages, CapTag::Frame),
        (info.user_image_frames, CapTag::Frame),
        (info.untyped, CapTag::Untyped),
        (SlotRegion { start: world.first, end: info.empty.end }, CapTag::Null),
    ] {
        let other = (region.start..region.end).find(|slot| world.identify(*slot) != tag as u64);
        world.equal(format_args!("slot that is no {tag:?}"), other, None);
    }
    Ok(())
}

fn end(desc: &UntypedDesc) -> u64 {
    desc.paddr + (1 << desc.size_bits)
}

fn untyped_list(world: &mut World) -> Outcome {
    let list = &world.info.untyped_list;
    let count = (world.info.untyped.end - world.info.untyped.start) as usize;
    let (used, rest) = list.split_at_checked(count).ok_or_else(|| stop("more Untypeds than the list holds"))?;
    let blank = UntypedDesc::default();
    world.equal("entries behind the list", rest.iter().find(|desc| **desc != blank), None);
    let devices = used.iter().take_while(|desc| desc.is_device == 1).count();
    world.that("there are devices", devices > 0);
    world.that("there is memory", devices < count);
    for (index, desc) in used.iter().enumerate() {
        world.equal(format_args!("entry {index} is a device"), desc.is_device, u8::from(index < devices));
        world.equal(format_args!("padding of entry {index}"), desc.padding, [0; 6]);
        world.equal(format_args!("alignment of entry {index}"), desc.paddr % (1 << desc.size_bits), 0);
        let sizes = MIN_UNTYPED_BITS..=MAX_UNTYPED_BITS;
        world.that(format_args!("size of entry {index}"), sizes.contains(&desc.size_bits.into()));
        world.that(format_args!("entry {index} is below 2^44"), end(desc) <= 1 << PHYS_BITS);
        for (other, earlier) in used[..index].iter().enumerate() {
            let apart = end(earlier) <= desc.paddr || end(desc) <= earlier.paddr;
            world.that(format_args!("entries {other} and {index} are disjoint"), apart);
        }
    }
    for (index, pair) in used[..devices].windows(2).enumerate() {
        world.that(format_args!("device {index} comes before the next"), end(&pair[0]) <= pair[1].paddr);
    }
    Ok(())
}

/// Every page below 2^44 is memory, a device's, or the kernel's: checked at the borders of everything the tree names.
fn untypeds_cover_the_machine(world: &mut World) -> Outcome {
    let count = (world.info.untyped.end - world.info.untyped.start) as usize;
    let list = &world.info.untyped_list[..count];
    let holder = |at: u64| list.iter().find(|desc| desc.paddr <= at && at < end(desc));
    let mut problem = None;
    let (mut pages_seen, mut ram, mut offered) = (0u32, 0, 0);
    world.with_machine(|machine| {
        let kernels = || {
            let gic = machine.gic.redistributors.iter().chain(machine.gic.its.iter()).chain([&machine.gic.distributor]);
            gic.copied().chain(machine.smmus.iter().map(|smmu| smmu.registers))
        };
        let inside = |region: &sluice_platform::Region, at: u64| region.base().0 <= at && at < region.end().0;
        let mut probe = |at: u64| {
            let at = at & !(PAGE_SIZE - 1);
            if at >= 1 << PHYS_BITS {
                return;
            }
            pages_seen += 1;
            let is_kernels = kernels().any(|region| inside(&region, at));
            let is_memory = machine.memory.iter().any(|region| inside(region, at));
            let right = match holder(at) {
                Some(desc) if desc.is_device == 1 => !is_kernels && !is_memory,
                Some(_) => is_memory,
                // Memory may be the kernel's or the root task's own.
                None => is_kernels || is_memory,
            };
            if !right && problem.is_none() {
                problem = Some(at);
            }
        };
        for at in (0..PHYS_BITS).map(|bit| 1u64 << bit).chain([0, (1 << PHYS_BITS) - 1]) {
            probe(at);
        }
        for region in kernels().chain(machine.memory.iter().copied()).chain(machine.console.map(|uart| uart.registers))
        {
            for at in [region.base().0.wrapping_sub(1), region.base().0, region.end().0 - 1, region.end().0] {
                probe(at);
            }
        }
        ram = machine.memory.iter().map(|region| region.size()).sum::<u64>();
        offered = list.iter().filter(|desc| desc.is_device == 0).map(|desc| 1u64 << desc.size_bits).sum::<u64>();
    })?;
    world.that("many pages were looked at", pages_seen > 50);
    world.equal("page that the wrong kind of Untyped holds, or none", problem, None);
    world.that("most memory is offered", offered <= ram && offered > ram / 10 * 9);
    Ok(())
}

fn device_tree(world: &mut World) -> Outcome {
    let blob = world.chunk(EXTRA_FDT).ok_or_else(|| stop("there is none"))?;
    world.equal("magic number", blob.get(..4), Some(&[0xd0, 0x0d, 0xfe, 0xed][..]));
    world.that("chunks fit the extra information", blob.len() as u64 + 16 <= world.info.extra_len);
    let (memory, cpus) = world.with_machine(|machine| (machine.memory.iter().count(), machine.cpus))?;
    world.that("it names memory", memory > 0);
    world.that("it names cores", cpus > 0);
    Ok(())
}
