//! What accesses of all kinds read and change.

use sluice_vmm::layout::{ECAM, intid};
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::pci::{Function, FunctionError, HostError, PciHost};

use crate::fixtures::{Fixture, host};
use crate::{offset, read, write};

#[test]
fn a_function_is_who_it_is_and_the_bus_has_a_bridge() {
    let host = host(&["nvme", "e1000e"]);
    assert_eq!(read(&host, 0, 0x00), 0x0008_1b36);
    assert_eq!(read(&host, 0, 0x08) >> 16, 0x0600, "a host bridge");
    assert_eq!(read(&host, 1, 0x00), 0x0010_1b36);
    assert_eq!(read(&host, 1, 0x08), 0x0108_0202, "class, interface and revision");
    assert_eq!(read(&host, 1, 0x2c), 0x1100_1af4, "subsystem");
    assert_eq!(read(&host, 2, 0x00), 0x10d3_8086);
}

#[test]
fn where_nothing_is_reads_are_all_ones_and_writes_do_nothing() {
    let mut host = host(&["nvme"]);
    let before = host.clone();
    // Another slot, another function of the device, behind the bus, and far away.
    for at in [offset(2, 0), offset(31, 0), offset(1, 0) + 0x1000, offset(1, 0) + 0x7ffc, ECAM.size, 1 << 63] {
        for width in Width::ALL {
            assert_eq!(host.read(Place { offset: at, width }), width.mask(), "{at:#x}");
            assert_eq!(host.write(Place { offset: at, width }, u64::MAX), []);
        }
    }
    assert_eq!(host, before);
}

#[test]
fn there_is_no_extended_configuration_space() {
    let mut host = host(&["nvme"]);
    for register in (0x100..0x1000).step_by(4) {
        assert_eq!(write(&mut host, 1, register, u32::MAX), []);
        assert_eq!(read(&host, 1, register), 0);
    }
}

#[test]
fn every_width_at_every_offset_reads_the_same_bytes() {
    let host = host(&["nvme", "virtio-blk"]);
    let byte = |at: u64| host.read(Place { offset: at, width: Width::Byte });
    // Across the ends of functions, and of the bus.
    for base in [offset(1, 0), offset(2, 0), offset(0, 0xff0), offset(1, 0xff8), ECAM.size - 16] {
        for at in base..base + 0x110 {
            for width in Width::ALL {
                let wanted = (0..width.bytes()).map(|index| byte(at + index) << (8 * index)).sum::<u64>();
                assert_eq!(host.read(Place { offset: at, width }), wanted, "{at:#x} {width:?}");
            }
        }
    }
}

#[test]
fn a_write_changes_the_bytes_it_covers_and_no_others() {
    for width in Width::ALL {
        for start in 0x00..0x40u64 {
            let mut host = host(&["nvme"]);
            let before = host.clone();
            let _ = host.write(Place { offset: offset(1, start), width }, u64::MAX);
            for register in 0x00..0x40 {
                let place = Place { offset: offset(1, register), width: Width::Byte };
                let is_covered = (start..start + width.bytes()).contains(&register);
                assert!(is_covered || host.read(place) == before.read(place), "{width:?} at {start:#x}: {register:#x}");
            }
        }
    }
}

#[test]
fn only_what_may_be_written_changes() {
    let mut host = host(&["nvme"]);
    for register in (0..0x100).step_by(4) {
        let _ = write(&mut host, 1, register, u32::MAX);
    }
    assert_eq!(read(&host, 1, 0x00), 0x0010_1b36);
    assert_eq!(read(&host, 1, 0x04), 0x0010_0000, "the write to the PCI Express capability was a reset");
    let _ = write(&mut host, 1, 0x04, u32::MAX);
    assert_eq!(read(&host, 1, 0x04), 0x0010_0546, "memory, master, parity, system errors, pin off; no I/O");
    let _ = write(&mut host, 1, 0x0c, u32::MAX);
    assert_eq!(read(&host, 1, 0x0c), 0x0000_00ff, "the cache line size; one function, no self test");
    let _ = write(&mut host, 1, 0x3c, u32::MAX);
    assert_eq!(read(&host, 1, 0x3c), 0x0000_01ff, "the line; the pin is INTA#");
    for register in [0x18, 0x1c, 0x20, 0x24, 0x28, 0x30, 0x38] {
        assert_eq!(write(&mut host, 1, register, u32::MAX), []);
        assert_eq!(read(&host, 1, register), 0, "{register:#x}");
    }
}

#[test]
fn the_bridge_cannot_be_changed() {
    let mut host = host(&[]);
    let before = host.clone();
    for register in (0..0x100).step_by(4) {
        assert_eq!(write(&mut host, 0, register, u32::MAX), []);
    }
    assert_eq!(host, before);
}

#[test]
fn pins_are_swizzled_by_slot() {
    let fixture = Fixture::named("nvme");
    let mut pin_d = fixture.config.clone();
    pin_d[0x3d] = 4;
    let without = Function::new(7, &fixture.config, &fixture.bars, false).unwrap();
    let fourth = Function::new(6, &pin_d, &fixture.bars, true).unwrap();
    let mut functions: Vec<Function> = [1, 2, 3, 4, 5].map(|slot| fixture.function(slot)).into();
    functions.extend([fourth, without]);
    let host = PciHost::new(functions).unwrap();
    let lines: Vec<_> = (0..9).map(|slot| host.line(slot)).collect();
    let [a, b, c, d] = intid::PCI.map(Some);
    assert_eq!(lines, [None, b, c, d, a, b, b, None, None]);
    assert_eq!(read(&host, 7, 0x3c), 0, "a function without an interrupt shows no pin");
}

#[test]
fn what_cannot_be_a_function_is_refused() {
    let fixture = Fixture::named("nvme");
    let refused = |slot, config: &[u8], bars: &[(u8, u64)]| Function::new(slot, config, bars, true).unwrap_err();
    assert_eq!(refused(0, &fixture.config, &[]), FunctionError::Slot(0));
    assert_eq!(refused(32, &fixture.config, &[]), FunctionError::Slot(32));
    assert_eq!(refused(1, &fixture.config[..63], &[]), FunctionError::Short { bytes: 63 });
    let mut bridge = fixture.config.clone();
    bridge[0x0e] = 0x81;
    assert_eq!(refused(1, &bridge, &[]), FunctionError::HeaderType(1));
    for (index, size) in [(0, 0), (0, 0x800), (0, 0x3000), (6, 0x1000), (2, 1 << 32)] {
        assert_eq!(refused(1, &fixture.config, &[(index, size)]), FunctionError::Bar { index, size });
    }
    // The upper half of BAR 0 is none; a port BAR is no memory; BAR 5 has no upper half.
    assert_eq!(refused(1, &fixture.config, &[(0, 0x4000), (1, 0x1000)]), FunctionError::Bar { index: 1, size: 0x1000 });
    assert_eq!(refused(1, &fixture.config, &[(1, 0x1000), (0, 0x4000)]), FunctionError::Bar { index: 0, size: 0x4000 });
    let network = Fixture::named("e1000e");
    assert_eq!(refused(1, &network.config, &[(2, 0x1000)]), FunctionError::Bar { index: 2, size: 0x1000 });
    let mut wide = fixture.config.clone();
    wide[0x24] = 4;
    assert_eq!(refused(1, &wide, &[(5, 0x1000)]), FunctionError::Bar { index: 5, size: 0x1000 });
}

#[test]
fn a_header_alone_will_do() {
    let fixture = Fixture::named("nvme");
    let function = Function::new(1, &fixture.config[..64], &fixture.bars, true).unwrap();
    let host = PciHost::new(vec![function]).unwrap();
    assert_eq!(crate::capabilities(&host, 1), []);
}

#[test]
fn a_bus_that_cannot_be_is_refused() {
    let fixture = Fixture::named("nvme");
    let twice = vec![fixture.function(3), fixture.function(1), fixture.function(3)];
    assert_eq!(PciHost::new(twice).unwrap_err(), HostError::SlotTaken(3));
    let large = |slot| Function::new(slot, &fixture.config, &[(0, 1 << 28)], true).unwrap();
    assert!(PciHost::new(vec![large(1), large(2)]).is_ok());
    let error = PciHost::new(vec![large(1), large(2), large(3)]).unwrap_err();
    assert_eq!(error, HostError::NoRoom { slot: 3, bar: 0, bytes: 1 << 28 });
    let endless = Function::new(1, &fixture.config, &[(0, 1 << 63)], true).unwrap();
    assert!(PciHost::new(vec![endless]).is_err());
}
