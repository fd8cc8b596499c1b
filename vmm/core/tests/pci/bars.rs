//! Sizes and places of BARs.

use sluice_vmm::layout::PCI_WINDOW;
use sluice_vmm::memory::GuestPhysAddr;
use sluice_vmm::pci::{Effect, PciHost};

use crate::fixtures::{Fixture, host};
use crate::{read, write, write_half};

const BASE: u64 = PCI_WINDOW.base;
const END: u64 = PCI_WINDOW.base + PCI_WINDOW.size;
const MEMORY: u16 = 1 << 1;

fn placed(slot: u8, bar: u8, at: u64) -> Effect {
    Effect::BarPlaced { slot, bar, at: Some(GuestPhysAddr(at)) }
}

fn gone(slot: u8, bar: u8) -> Effect {
    Effect::BarPlaced { slot, bar, at: None }
}

/// A disk that answers at its first address.
fn disk() -> PciHost {
    let mut host = host(&["nvme"]);
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), [placed(1, 0, BASE)]);
    host
}

#[test]
fn sizes_are_found_the_usual_way() {
    let mut host = host(&["nvme", "e1000e", "edu", "virtio-blk"]);
    let mut size = |slot: u8, bar: u64| {
        let register = 0x10 + 4 * bar;
        let old = read(&host, slot, register);
        assert_eq!(write(&mut host, slot, register, u32::MAX), []);
        let word = read(&host, slot, register);
        assert_eq!(write(&mut host, slot, register, old), []);
        assert_eq!(read(&host, slot, register), old, "it is put back");
        word
    };
    assert_eq!((size(1, 0), size(1, 1)), (0xffff_c004, 0xffff_ffff), "64 bits, 16 KiB");
    assert_eq!([size(2, 0), size(2, 1), size(2, 2), size(2, 3)], [0xfffe_0000, 0xfffe_0000, 0, 0xffff_c000]);
    assert_eq!(size(3, 0), 0xfff0_0000);
    assert_eq!((size(4, 1), size(4, 4), size(4, 5)), (0xffff_f000, 0xffff_c00c, 0xffff_ffff), "prefetchable");
}

#[test]
fn every_bar_has_a_place_of_its_own_from_the_start() {
    let mut host = host(&["nvme", "e1000e", "edu", "xhci", "ahci"]);
    let mut effects = Vec::new();
    for slot in 1..=5 {
        effects.extend(write_half(&mut host, slot, 0x04, MEMORY));
    }
    assert_eq!(
        effects,
        [
            placed(1, 0, BASE + 0x14_0000),
            placed(2, 0, BASE + 0x10_0000),
            placed(2, 1, BASE + 0x12_0000),
            placed(2, 3, BASE + 0x14_4000),
            placed(3, 0, BASE),
            placed(4, 0, BASE + 0x14_8000),
            placed(5, 5, BASE + 0x14_c000),
        ]
    );
}

#[test]
fn a_bar_moves_with_its_register_while_it_decodes() {
    let mut host = disk();
    assert_eq!(write(&mut host, 1, 0x10, 0x2000_0000), [gone(1, 0), placed(1, 0, 0x2000_0000)]);
    assert_eq!(read(&host, 1, 0x10), 0x2000_0004);
    assert_eq!(write(&mut host, 1, 0x10, 0x2000_0000), [], "nothing has changed");
    assert_eq!(write_half(&mut host, 1, 0x04, 0), [gone(1, 0)]);
    assert_eq!(write(&mut host, 1, 0x10, 0x3000_0000), []);
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), [placed(1, 0, 0x3000_0000)]);
}

#[test]
fn a_bar_outside_of_the_window_answers_nowhere() {
    let mut host = disk();
    for (at, high) in [
        (0, 0),
        (0xffff_c000, 0),
        (0x4000_0000, 0),
        (0x0800_0000, 0),
        (0x2000_0000, 1),
        (BASE as u32 - 0x4000, 0),
        (END as u32, 0),
        (0xffff_c000, u32::MAX),
    ] {
        let _ = write_half(&mut host, 1, 0x04, 0);
        assert_eq!(write(&mut host, 1, 0x10, at), []);
        assert_eq!(write(&mut host, 1, 0x14, high), []);
        assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), [], "{high:#x} {at:#x}");
    }
    let _ = write_half(&mut host, 1, 0x04, 0);
    let _ = write(&mut host, 1, 0x14, 0);
    let last = END - 0x4000;
    let _ = write(&mut host, 1, 0x10, last as u32);
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), [placed(1, 0, last)], "the last place in the window");
}

#[test]
fn a_bar_that_is_only_partly_in_the_window_answers_nowhere() {
    let fixture = Fixture::named("edu");
    // The window ends 64 KiB before a boundary of 1 MiB.
    let mut host = PciHost::new(vec![fixture.function(1)]).unwrap();
    let _ = host.reset();
    assert_eq!(write(&mut host, 1, 0x10, (END - 0xf_0000) as u32), []);
    assert_eq!(u64::from(read(&host, 1, 0x10)), END - 0xf_0000);
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), []);
}

#[test]
fn an_address_between_boundaries_cannot_be_written() {
    let mut host = disk();
    let _ = write(&mut host, 1, 0x10, 0x2000_3fff);
    assert_eq!(read(&host, 1, 0x10), 0x2000_0004);
}

#[test]
fn of_two_bars_at_one_place_the_first_answers_until_it_leaves() {
    let mut host = host(&["nvme", "edu"]);
    assert_eq!(write(&mut host, 2, 0x10, 0x2000_0000), []);
    assert_eq!(write(&mut host, 1, 0x10, 0x200f_c000), []);
    assert_eq!(write_half(&mut host, 2, 0x04, MEMORY), [placed(2, 0, 0x2000_0000)]);
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY), [gone(2, 0), placed(1, 0, 0x200f_c000)]);
    assert_eq!(
        write(&mut host, 1, 0x10, 0x2010_0000),
        [gone(1, 0), placed(1, 0, 0x2010_0000), placed(2, 0, 0x2000_0000)]
    );
}

#[test]
fn an_access_of_eight_bytes_moves_a_wide_bar_at_once() {
    use sluice_vmm::mmio::{Place, Width};
    let mut host = disk();
    let place = Place { offset: crate::offset(1, 0x10), width: Width::Double };
    assert_eq!(host.write(place, 0x2000_0000), [gone(1, 0), placed(1, 0, 0x2000_0000)]);
    assert_eq!(host.write(place, 0x1_2000_0000), [gone(1, 0)]);
    assert_eq!(host.read(place), 0x1_2000_0004);
    // From two bytes before it on: the lower half and two bytes of the upper one. It is nowhere in between.
    let across = Place { offset: crate::offset(1, 0x0e), width: Width::Double };
    assert_eq!(host.write(across, 0x3000_0000_0000), [placed(1, 0, 0x3000_0000)]);
    assert_eq!(host.read(place), 0x3000_0004);
}
