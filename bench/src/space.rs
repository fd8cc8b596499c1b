//! Address spaces for helpers: the program's own pages at the same addresses, and an IPC buffer of their own.

use sluice_abi::{CapRights, ObjectType, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_sys::{Frame, PageTable, VSpace};

use crate::machine::{ASID_POOL, Machine, VSPACE, done};

/// Addresses that one last-level table covers.
const TABLE_SPAN: u64 = 1 << 21;

/// An address space and the frame of the IPC buffer in it.
pub(crate) struct Space {
    pub(crate) root: VSpace,
    pub(crate) buffer: Frame,
}

impl Space {
    /// A space that looks as the root task's does, but for the IPC buffer.
    pub(crate) fn new(machine: &mut Machine) -> Self {
        let info = machine.info;
        let frames = info.user_image_frames;
        // The image ends where the buffer's page starts.
        let start = info.ipc_buffer - (frames.end - frames.start) * PAGE_SIZE;
        assert!(start / TABLE_SPAN == info.ipc_buffer / TABLE_SPAN, "the program is larger than one table");
        let root = VSpace::from(machine.make(ObjectType::VSpace, 0));
        done(ASID_POOL.assign(root));
        add_tables(machine, root, start, 3);
        for (index, slot) in (frames.start..frames.end).enumerate() {
            let frame = Frame::from(machine.copy(slot));
            let address = VirtAddr(start + index as u64 * PAGE_SIZE);
            done(frame.map(root, address, CapRights::READ | CapRights::WRITE, VmAttributes::DEFAULT));
        }
        let buffer = Frame::from(machine.make(ObjectType::SmallPage, 0));
        let how = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
        done(buffer.map(root, VirtAddr(info.ipc_buffer), CapRights::READ | CapRights::WRITE, how));
        Self { root, buffer }
    }
}

/// Addresses of the root task where nothing is mapped, but all tables are there.
pub(crate) fn free_window(machine: &mut Machine) -> VirtAddr {
    // Within the 512 GiB that the program's own first-level table covers.
    const WINDOW: VirtAddr = VirtAddr(0x10_0000_0000);
    add_tables(machine, VSPACE, WINDOW.0, 2);
    WINDOW
}

/// Tables of `levels` levels, for the span of a last-level table around `address`.
fn add_tables(machine: &mut Machine, root: VSpace, address: u64, levels: usize) {
    for _ in 0..levels {
        let table = PageTable::from(machine.make(ObjectType::PageTable, 0));
        done(table.map(root, VirtAddr(address & !(TABLE_SPAN - 1)), VmAttributes::DEFAULT));
    }
}
