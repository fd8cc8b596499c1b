//! From translation tables to a map.

use sluice_abi::VirtAddr;
use sluice_abstract::{Page, Rights, Space};
use sluice_core::object::AsidEntry;
use sluice_paging::{Entry, Format, MemoryType, TableMemory};

use crate::machine::Machine;

pub(super) fn space(machine: &Machine, entry: &AsidEntry) -> Space {
    let AsidEntry { root, vmid, format, .. } = *entry;
    let (for_devices, walked) = (format == Format::STAGE1, vmid.is_some());
    let mut space = Space { for_devices, walked, ..Space::empty(root) };
    let mut open = vec![(root, 0u8, 0u64)];
    while let Some((table, level, start)) = open.pop() {
        let entries = if level == 0 { 32 } else { 512 };
        for index in 0..entries {
            let at = VirtAddr(start + (index << Format::coverage_bits(level)));
            match format.decode(level, machine.load(table.offset(8 * index))) {
                Entry::Invalid => {}
                Entry::Table(next) => {
                    space.tables.insert((level, at), next);
                    open.push((next, level + 1, at.0));
                }
                Entry::Leaf(leaf) => {
                    let rights =
                        Rights { read: leaf.access.read, write: leaf.access.write, grant: false, grant_reply: false };
                    let (execute, cacheable) = (leaf.access.execute, leaf.memory == MemoryType::Normal);
                    let page = Page { frame: leaf.address, size: leaf.size, rights, execute, cacheable };
                    space.pages.insert(at, page);
                }
            }
        }
    }
    space
}
