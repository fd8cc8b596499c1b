//! The initial state.

use std::mem::offset_of;

use sluice_abi::bootinfo::{BootInfo, slot};
use sluice_abi::{PhysAddr, VirtAddr};
use sluice_core::boot::{BootError, RootImage};
use sluice_core::cap::Cap;
use sluice_paging::{Format, translate};

use crate::user::{EXTRA, IMAGE, System, kernel, memory};

fn physical(system: &System, vaddr: u64) -> PhysAddr {
    let Cap::VSpace(vspace) = system.cap(slot::INIT_VSPACE) else { panic!("no VSpace") };
    translate(system.machine(), Format::STAGE2, vspace.root, vaddr).expect("a mapping").0
}

#[test]
fn the_root_thread_starts_as_the_interface_says() {
    let system = System::boot();
    let tcb = system.kernel.tcb(system.root);
    let info = IMAGE.vaddr + IMAGE.pages * 0x1000 + 0x1000;
    assert_eq!(tcb.context.x[0].get(), info);
    assert!((1..31).all(|index| tcb.context.x[index].get() == 0));
    assert_eq!((tcb.context.sp.get(), tcb.context.tpidr.get()), (0, 0));
    assert_eq!(tcb.context.pc.get(), IMAGE.entry);
    assert_eq!((tcb.priority.get(), tcb.max_priority.get(), tcb.time_slice.get()), (255, 255, 5));
    assert_eq!(tcb.fault_handler.get(), 0);
    assert_eq!(tcb.ipc_buffer.get(), info - 0x1000);
}

#[test]
fn bootinfo_tells_what_there_is() {
    let system = System::boot();
    let info = physical(&system, system.kernel.tcb(system.root).context.x[0].get());
    let word = |offset: usize| system.machine().memory.load(info.offset(offset as u64));
    assert_eq!(word(offset_of!(BootInfo, init_cnode_bits)), 10);
    assert_eq!(word(offset_of!(BootInfo, num_nodes)), 1);
    let region = |offset: usize| word(offset)..word(offset + 8);
    assert_eq!(region(offset_of!(BootInfo, user_image_frames)).count() as u64, IMAGE.pages);
    for (page, at) in region(offset_of!(BootInfo, user_image_frames)).enumerate() {
        assert_eq!(system.base(at), IMAGE.at.0 + 0x1000 * page as u64);
    }
    assert_eq!(region(offset_of!(BootInfo, user_image_paging)).count(), 3);
    let untypeds = region(offset_of!(BootInfo, untyped));
    for (index, at) in untypeds.clone().enumerate() {
        let Cap::Untyped(untyped) = system.cap(at) else { panic!("{:?}", system.cap(at)) };
        let entry = offset_of!(BootInfo, untyped_list) + 16 * index;
        assert_eq!(word(entry), untyped.base.0);
        assert_eq!(word(entry + 8), u64::from(untyped.bits) | u64::from(untyped.device) << 8);
    }
    let empty = region(offset_of!(BootInfo, empty));
    assert_eq!((empty.start, empty.end), (untypeds.end, 1024));
    assert!(empty.clone().all(|at| system.cap(at) == Cap::Null));
    assert_eq!(system.cap(slot::SID_CONTROL), Cap::Null);

    let extra = physical(&system, system.kernel.tcb(system.root).context.x[0].get() + 0x1000);
    let load = |offset| system.machine().memory.load(PhysAddr(extra.0 + offset));
    let length = 16 + (EXTRA.bytes.len() as u64).next_multiple_of(8);
    assert_eq!(word(offset_of!(BootInfo, extra_len)), length);
    assert_eq!((load(0), load(8)), (EXTRA.id, length));
    assert_eq!(load(16).to_le_bytes(), EXTRA.bytes[..8]);
}

#[test]
fn all_free_memory_is_handed_out_once() {
    let system = System::boot();
    let mut bytes = 0;
    for at in slot::FIRST_FREE..system.next_slot {
        if let Cap::Untyped(untyped) = system.cap(at)
            && !untyped.device
        {
            assert_eq!(untyped.used, untyped.size(), "boot memory counts as dirty");
            bytes += untyped.size();
        }
    }
    // Root CNode 32 KiB, thread 2 KiB, and pages: VSpace, pool, three tables, extra, boot information, buffer.
    assert_eq!(bytes, (8 << 20) - (32 << 10) - (2 << 10) - 8 * 4096);
}

#[test]
fn a_root_task_that_does_not_fit_is_refused() {
    let boot = |image| kernel().boot_root_task(image, memory(), &[]);
    assert_eq!(boot(RootImage { cnode_bits: 4, ..IMAGE }), Err(BootError::CNodeBits(4)));
    assert_eq!(boot(RootImage { cnode_bits: 27, ..IMAGE }), Err(BootError::CNodeBits(27)));
    assert_eq!(boot(RootImage { cnode_bits: 20, ..IMAGE }), Err(BootError::Memory("CNode")));
    assert_eq!(boot(RootImage { cnode_bits: 5, ..IMAGE }), Err(BootError::Slots(33)));
    assert_eq!(boot(RootImage { vaddr: 0x40_0800, ..IMAGE }), Err(BootError::Addresses));
    assert_eq!(boot(RootImage { entry: IMAGE.vaddr + 0x4000, ..IMAGE }), Err(BootError::Addresses));
    assert_eq!(boot(RootImage { pages: u64::MAX / 4096 + 1, ..IMAGE }), Err(BootError::Addresses));
    let last = VirtAddr(0xfff_ffff_f000);
    assert_eq!(boot(RootImage { vaddr: last.0, entry: last.0, pages: 1, ..IMAGE }), Err(BootError::Addresses));
}
