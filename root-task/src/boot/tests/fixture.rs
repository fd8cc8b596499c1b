//! The system, the payload and the machine of the tests.

use std::vec;

use sluice_abi::bootinfo::{SlotRegion, UntypedDesc};
use sluice_abi::smmu::StreamId;
use sluice_platform::PciAddress;
use sluice_spec::{Blob, Channel, Device, DmaMap, Faults, Location, Map, Mode, Perms, Region, UntypedGrant};

use super::super::*;
use crate::pci::fake::{Device as Function, Host};

pub(super) const TREE: &[u8] = include_bytes!("../../../../platforms/qemu-virt/qemu-virt.dtb");
pub(super) const EDU: PciAddress = PciAddress::from_rid(0x08);
pub(super) const DISK: PciAddress = PciAddress::from_rid(0x10);
pub(super) const CONSOLE: usize = 0;
pub(super) const DRIVER: usize = 1;
pub(super) const ROGUE: usize = 2;

pub(super) const RW: Perms = Perms { read: true, write: true, execute: false };
pub(super) const RO: Perms = Perms { read: true, write: false, execute: false };

/// A static executable with code at 4 MiB, a system call its second instruction, and 32 bytes of zeroed data in the next page.
pub(super) fn executable() -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    [0x40_0000u64, 64, 0].iter().for_each(|word| file.extend(word.to_le_bytes()));
    file.extend([0; 4]);
    [64u16, 56, 2, 64, 0, 0].iter().for_each(|half| file.extend(half.to_le_bytes()));
    for (flags, vaddr, in_file, memory) in [(5u32, 0x40_0000u64, 8u64, 8u64), (6, 0x40_1000, 0, 32)] {
        file.extend(1u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        [176, vaddr, vaddr, in_file, memory, 0x1000].iter().for_each(|word| file.extend(word.to_le_bytes()));
    }
    file.extend(*b"code\x01\x00\x00\xd4");
    file
}

pub(super) fn device(name: &str, number: u8, expect: (u16, u16), intid: u32, dma: Vec<DmaMap>) -> Device {
    Device {
        name: name.into(),
        location: Location::Pci { host: "/pcie@10000000".into(), bridges: vec![], bus: 0, device: number, function: 0 },
        expect: Some(expect),
        mode: Mode::Stage2,
        why: None,
        streams: vec![StreamId { smmu: 0, sid: u32::from(number) << 3 }.word()],
        context: u16::from(number),
        dma,
        interrupt: Some((intid, false)),
        faults: Some(Faults { notify: format!("{name}_fault"), budget: 0 }),
        address_bits: 64,
        coherent: true,
        manage: name == "edu",
        guest_slot: None,
        registers: vec![],
    }
}

pub(super) fn component(name: &str, priority: u8) -> Component {
    Component {
        name: name.into(),
        image: 0,
        priority,
        stack: 0x4000,
        heap: 0x20_3000,
        args: vec![],
        must_finish: priority < 200,
        restart: sluice_spec::Restart::Never,
        maps: vec![],
        devices: vec![],
        untyped: vec![],
        asid_pool: false,
        timer: None,
        guest: None,
    }
}

pub(super) fn system() -> System {
    let mut console = component("console", 200);
    let uart = Device {
        location: Location::Node { path: "/pl011@9000000".into() },
        mode: Mode::None,
        expect: None,
        streams: vec![],
        faults: None,
        registers: vec![(0x900_0000, 0x1000)],
        ..device("uart", 0, (0, 0), 33, vec![])
    };
    console.devices = vec![uart];
    console.timer = Some((30, false));
    let mut driver = component("driver", 100);
    driver.maps = vec![Map { region: 0, perms: RW, cached: true, vaddr: None, frames: false }];
    let ring = DmaMap { region: 0, iova: 0x10_0000, perms: RW };
    driver.devices = vec![device("disk", 2, (0x1b36, 0x10), 37, vec![ring])];
    let mut rogue = component("rogue", 120);
    rogue.maps = vec![Map { region: 1, perms: RW, cached: true, vaddr: None, frames: false }];
    let read_only = DmaMap { region: 1, iova: 0x20_0000, perms: RO };
    rogue.devices = vec![device("edu", 1, (0x1234, 0x11e8), 36, vec![read_only])];
    rogue.untyped = vec![UntypedGrant { name: "victim".into(), size_bits: 16 }];
    rogue.asid_pool = true;
    let region = |name: &str, size| Region { name: name.into(), size, frame_bits: 12, contents: None };
    System {
        platform: "qemu-virt".into(),
        regions: vec![region("ring", 0x8000), region("buffer", 0x2000)],
        components: vec![console, driver, rogue],
        channels: vec![
            Channel { name: "console".into(), server: 0, clients: vec![1, 2], notify: true },
            Channel { name: "vault".into(), server: 1, clients: vec![2], notify: false },
        ],
        blobs: vec![],
    }
}

pub(super) fn payload(mut system: System) -> Vec<u8> {
    let file = executable();
    system.blobs = vec![Blob { name: "component".into(), offset: 0x2000, len: file.len() as u64 }];
    let encoded = system.encode().unwrap();
    let total_len = 0x2000 + file.len() as u64;
    let header = PayloadHeader { total_len, system_offset: 0x20, system_len: encoded.len() as u64 };
    let mut bytes = header.encode().to_vec();
    bytes.extend(&encoded);
    assert!(bytes.len() <= 0x2000);
    bytes.resize(0x2000, 0);
    bytes.extend(&file);
    bytes
}

/// The tree with `/chosen/stdout-path` turned into a command line of the same length.
pub(super) fn with_command_line(tree: &[u8], line: &[u8; 15]) -> Vec<u8> {
    let mut tree = tree.to_vec();
    let find = |tree: &[u8], what: &[u8]| tree.windows(what.len()).position(|bytes| bytes == what).unwrap();
    let strings = u32::from_be_bytes(tree[12..16].try_into().unwrap()) as usize;
    let name = find(&tree, b"stdout-path\0");
    let mut property = vec![0, 0, 0, 3, 0, 0, 0, 15];
    property.extend(((name - strings) as u32).to_be_bytes());
    let at = find(&tree, &property);
    tree[at + 7] = 16;
    tree[at + 12..at + 27].copy_from_slice(line);
    tree[at + 27] = 0;
    tree[name..name + 12].copy_from_slice(b"bootargs\0\0\0\0");
    tree
}

pub(super) fn host() -> Host {
    let mut disk = Function::endpoint(0x1b36, 0x10).bar(0, 0x4000, 0b100);
    let mut edu = Function::endpoint(0x1234, 0x11e8).bar(0, 0x10_0000, 0);
    disk.set(0x3c, 0x100);
    // PCI Express with function-level reset; the other function has no reset at all.
    for (at, value) in [(0x04, 1 << 20), (0x34, 0x40), (0x40, 0x10), (0x44, 1 << 28), (0x48, 0)] {
        disk.set(at, value);
    }
    edu.set(0x3c, 0x100);
    Host::new([(DISK, disk), (EDU, edu)])
}

pub(super) const UNTYPEDS: [(u64, u64, u32); 5] = [
    (100, 0x0800_0000, 27),
    (101, 0x1000_0000, 28),
    (102, 0x40_0000_0000, 38),
    (103, 0x80_0000_0000, 39),
    (104, 0x4000_0000, 28),
];

pub(super) fn info() -> BootInfo {
    let mut untyped_list = [UntypedDesc::default(); sluice_abi::bootinfo::MAX_UNTYPEDS];
    for (described, (slot, paddr, size_bits)) in untyped_list.iter_mut().zip(UNTYPEDS) {
        let is_device = u8::from(slot != 104);
        *described = UntypedDesc { paddr, size_bits: size_bits as u8, is_device, padding: [0; 6] };
    }
    let none = SlotRegion::default();
    BootInfo {
        extra_len: 0,
        node_id: 0,
        num_nodes: 1,
        num_iopt_levels: 0,
        ipc_buffer: 0,
        empty: SlotRegion { start: 200, end: 8192 },
        shared_frames: none,
        user_image_frames: none,
        user_image_paging: none,
        io_space_caps: none,
        extra_bi_pages: none,
        init_cnode_bits: 13,
        init_domain: 0,
        untyped: SlotRegion { start: 100, end: 105 },
        untyped_list,
    }
}
