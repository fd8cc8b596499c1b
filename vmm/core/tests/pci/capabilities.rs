//! What of the capability list a guest sees, and what it does.

use sluice_vmm::memory::GuestPhysAddr;
use sluice_vmm::pci::{Effect, Function, PciHost};

use crate::fixtures::{Fixture, host};
use crate::{capabilities, read, write, write_half};

const POWER: u8 = 0x01;
const VENDOR: u8 = 0x09;
const EXPRESS: u8 = 0x10;
const ADVANCED: u8 = 0x13;
const MEMORY_AND_MASTER: u16 = 0b110;

#[test]
fn messages_as_interrupts_are_hidden_and_the_rest_stays_where_it_was() {
    let host = host(&["nvme", "e1000e", "virtio-blk", "edu", "xhci", "ahci"]);
    assert_eq!(capabilities(&host, 1), [(EXPRESS, 0x80), (POWER, 0x60)], "MSI-X was first");
    assert_eq!(capabilities(&host, 2), [(POWER, 0xc8), (EXPRESS, 0xe0)], "MSI and MSI-X were between and behind");
    assert_eq!(
        capabilities(&host, 3),
        [(VENDOR, 0x70), (VENDOR, 0x60), (VENDOR, 0x50), (VENDOR, 0x40)],
        "MSI-X and the window were first"
    );
    assert_eq!(capabilities(&host, 4), [], "there was MSI alone");
    assert_eq!(capabilities(&host, 5), [(EXPRESS, 0xa0)]);
    assert_eq!(capabilities(&host, 6), [], "MSI, and SATA's");
}

#[test]
fn nothing_of_a_hidden_capability_can_be_read_or_written() {
    let mut host = host(&["nvme"]);
    // MSI-X: control with the enable bit, table, pending bits.
    for register in (0x40..0x60).step_by(4) {
        assert_eq!(write(&mut host, 1, register, u32::MAX), []);
        assert_eq!(read(&host, 1, register), 0);
    }
}

#[test]
fn the_places_of_virtio_registers_are_told_as_they_are() {
    let fixture = Fixture::named("virtio-blk");
    let mut host = host(&["virtio-blk"]);
    for register in (0x40..0x84).step_by(4) {
        let word = fixture.config[register..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        assert_eq!(Some(read(&host, 1, register as u64)), word, "{register:#x}");
        assert_eq!(write(&mut host, 1, register as u64, u32::MAX), []);
        assert_eq!(Some(read(&host, 1, register as u64)), word, "{register:#x}");
    }
    let mut other = fixture.config.clone();
    other[0] ^= 1;
    let host = PciHost::new(vec![Function::new(1, &other, &[], true).unwrap()]).unwrap();
    assert_eq!(capabilities(&host, 1), [], "another vendor's have meanings that nobody knows");
}

#[test]
fn an_express_function_is_part_of_the_root_complex_and_has_no_link() {
    let mut host = host(&["nvme"]);
    assert_eq!(read(&host, 1, 0x80), 0x0092_6010);
    assert_eq!(read(&host, 1, 0x84), 0x1000_8000, "role-based error reporting, function-level reset");
    assert_eq!(read(&host, 1, 0x88), 0x0000_2810);
    assert_eq!(write(&mut host, 1, 0x88, 0xffff_7fff), []);
    assert_eq!(read(&host, 1, 0x88), 0x0000_78ff, "control is kept, status is none");
    for register in (0x8c..0xbc).step_by(4) {
        assert_eq!(write(&mut host, 1, register, u32::MAX), []);
        assert_eq!(read(&host, 1, register), 0, "{register:#x}");
    }
}

#[test]
fn a_function_level_reset_takes_everything_away_first() {
    let mut host = host(&["nvme"]);
    let _ = write_half(&mut host, 1, 0x04, MEMORY_AND_MASTER);
    let _ = write_half(&mut host, 1, 0x88, 0x0010);
    let effects = write_half(&mut host, 1, 0x88, 0x8010);
    assert_eq!(
        effects,
        [
            Effect::Mastering { slot: 1, on: false },
            Effect::BarPlaced { slot: 1, bar: 0, at: None },
            Effect::Reset { slot: 1 },
        ]
    );
    assert_eq!(read(&host, 1, 0x04), 0x0010_0000);
    assert_eq!((read(&host, 1, 0x10), read(&host, 1, 0x14)), (4, 0), "no address is left");
    assert_eq!(read(&host, 1, 0x88), 0x2810, "it is over, and control is as after power-on");
    // What a kernel does then.
    assert_eq!(write(&mut host, 1, 0x10, 0x2000_0000), []);
    assert_eq!(
        write_half(&mut host, 1, 0x04, MEMORY_AND_MASTER),
        [
            Effect::BarPlaced { slot: 1, bar: 0, at: Some(GuestPhysAddr(0x2000_0000)) },
            Effect::Mastering { slot: 1, on: true },
        ]
    );
}

#[test]
fn the_upper_byte_of_control_alone_starts_a_reset_and_the_lower_does_not() {
    use sluice_vmm::mmio::{Place, Width};
    let mut host = host(&["nvme"]);
    let place = |register| Place { offset: crate::offset(1, register), width: Width::Byte };
    assert_eq!(host.write(place(0x88), u64::MAX), []);
    assert_eq!(host.write(place(0x8a), u64::MAX), []);
    assert_eq!(host.write(place(0x89), 0x80), [Effect::Reset { slot: 1 }]);
}

#[test]
fn a_function_that_cannot_be_reset_ignores_the_bit() {
    let mut fixture = Fixture::named("nvme");
    fixture.config[0x87] = 0;
    let mut host = PciHost::new(vec![fixture.function(1)]).unwrap();
    let _ = host.reset();
    assert_eq!(write_half(&mut host, 1, 0x88, 0x8000), []);
    assert_eq!(read(&host, 1, 0x88), 0);
}

#[test]
fn advanced_features_reset_a_conventional_function() {
    let mut fixture = Fixture::named("edu");
    // The list of edu has MSI at 0x40.
    fixture.config[0x40..0x48].copy_from_slice(&[ADVANCED, 0x00, 0x06, 0x03, 0x00, 0x00, 0x00, 0x00]);
    let mut host = PciHost::new(vec![fixture.function(1)]).unwrap();
    let _ = host.reset();
    assert_eq!(capabilities(&host, 1), [(ADVANCED, 0x40)]);
    assert_eq!(read(&host, 1, 0x40), 0x0306_0013);
    assert_eq!(write_half(&mut host, 1, 0x44, 0xfffe), []);
    assert_eq!(write_half(&mut host, 1, 0x44, 1), [Effect::Reset { slot: 1 }]);
    assert_eq!(read(&host, 1, 0x44), 0);
    fixture.config[0x43] = 0x01;
    let mut host = PciHost::new(vec![fixture.function(1)]).unwrap();
    let _ = host.reset();
    assert_eq!(write_half(&mut host, 1, 0x44, 1), [], "without function-level reset");
}

#[test]
fn a_sleeping_function_does_nothing_and_wakes_as_it_was() {
    let mut host = host(&["nvme"]);
    let _ = write_half(&mut host, 1, 0x04, MEMORY_AND_MASTER);
    let at = u64::from(read(&host, 1, 0x10) & !0xf);
    assert_eq!(read(&host, 1, 0x60) >> 16, 0x0003, "no D1, no D2, no wake-up events");
    assert_eq!(
        write_half(&mut host, 1, 0x64, 3),
        [
            Effect::Mastering { slot: 1, on: false },
            Effect::Interrupt { slot: 1, on: false },
            Effect::BarPlaced { slot: 1, bar: 0, at: None },
        ]
    );
    assert_eq!(read(&host, 1, 0x64), 0x000b, "D3hot, and no reset on the way back");
    assert_eq!(
        write_half(&mut host, 1, 0x64, 0),
        [
            Effect::BarPlaced { slot: 1, bar: 0, at: Some(GuestPhysAddr(at)) },
            Effect::Interrupt { slot: 1, on: true },
            Effect::Mastering { slot: 1, on: true },
        ]
    );
}

#[test]
fn states_between_are_not_there() {
    let mut host = host(&["nvme"]);
    for state in [1, 2] {
        let _ = write_half(&mut host, 1, 0x64, state);
        assert_eq!(read(&host, 1, 0x64), 0x0008);
    }
    let _ = write_half(&mut host, 1, 0x64, 3);
    for state in [1, 2] {
        let _ = write_half(&mut host, 1, 0x64, state);
        assert_eq!(read(&host, 1, 0x64), 0x000b);
    }
}

#[test]
fn a_list_that_bites_its_tail_or_overlaps_is_walked_once() {
    let with = |bytes: &[(usize, &[u8])]| {
        let mut fixture = Fixture::named("edu");
        bytes.iter().for_each(|(at, bytes)| fixture.config[*at..at + bytes.len()].copy_from_slice(bytes));
        let host = PciHost::new(vec![fixture.function(1)]).unwrap();
        capabilities(&host, 1)
    };
    assert_eq!(with(&[(0x40, &[POWER, 0x40])]), [(POWER, 0x40)]);
    assert_eq!(with(&[(0x40, &[POWER, 0x50]), (0x50, &[0x05, 0x40])]), [(POWER, 0x40)]);
    assert_eq!(with(&[(0x40, &[POWER, 0x44]), (0x44, &[POWER, 0])]), [(POWER, 0x40)], "one inside another");
    assert_eq!(with(&[(0x40, &[POWER, 0xfc]), (0xfc, &[POWER, 0])]), [(POWER, 0x40)], "one past the end");
    assert_eq!(with(&[(0x40, &[EXPRESS, 0x00, 0x02]), (0x34, &[0x43])]), [(EXPRESS, 0x40)], "low bits do not count");
    assert_eq!(with(&[(0x34, &[0x10])]), [], "into the header");
}
