//! Linux 6.12's driver, access by access: probe, attach of an NVMe controller, and unmapping in strict mode.

use sluice_vmm::smmu::{Interrupt, Stage1};

use crate::guest::{COMMANDS, DESCRIPTORS, EVENTS, FEATURES, Guest, STREAMS, SYNC, at, table};
use crate::world::Call;

/// StreamID of the controller: device 3 of bus 0.
const NVME: u64 = 0x18;
/// Second-level stream table of StreamIDs 0 to 255.
const SECOND: u64 = STREAMS + 0x4000;
/// An access of the driver: offset, and what it writes, or expects to read.
#[derive(Clone, Copy)]
enum Access {
    Reads(u64, u32),
    Writes(u64, u32),
    Writes64(u64, u64),
}

use Access::{Reads, Writes, Writes64};

fn perform(guest: &mut Guest, accesses: &[Access]) {
    for access in accesses {
        match *access {
            Reads(offset, expected) => assert_eq!(guest.read(offset), expected, "{offset:#x}"),
            Writes(offset, value) => guest.write(offset, value),
            Writes64(offset, value) => guest.write64(offset, value),
        }
    }
}

/// A guest after the probe: 14 reads of registers and 20 writes besides the commands' own.
fn probed() -> Guest {
    let mut guest = Guest::new(FEATURES, &[NVME as u32]);
    perform(
        &mut guest,
        &[
            Reads(at::IDR0, 0x0d40_101a),
            Reads(at::IDR1, 8 << 21 | 7 << 16 | 16),
            Reads(at::IDR3, 1 << 10),
            Reads(at::IDR5, 0x74),
            Reads(at::IIDR, 0),
            Reads(at::CR0, 0),
            Writes(at::CR0, 0),
            Reads(at::CR0ACK, 0),
            Writes(at::CR1, 0xd75),
            Writes(at::CR2, 6),
            Writes64(at::STRTAB_BASE, STREAMS | 1 << 62),
            Writes(at::STRTAB_BASE_CFG, 0x1_0210),
            Writes64(at::CMDQ_BASE, COMMANDS | 1 << 62 | 8),
            Writes(at::CMDQ_PROD, 0),
            Writes(at::CMDQ_CONS, 0),
            Writes(at::CR0, 8),
            Reads(at::CR0ACK, 8),
        ],
    );
    assert_eq!(guest.issue(&[[0x04, 31], [0x2046, 0]]), []);
    assert_eq!(guest.issue(&[[0x30, 0], [0x2046, 0]]), []);
    perform(
        &mut guest,
        &[
            Writes64(at::EVENTQ_BASE, EVENTS | 1 << 62 | 7),
            Writes(at::EVENTQ_PROD, 0),
            Writes(at::EVENTQ_CONS, 0),
            Writes(at::CR0, 0xc),
            Reads(at::CR0ACK, 0xc),
            Writes(at::IRQ_CTRL, 0),
            Reads(at::IRQ_CTRLACK, 0),
            Writes64(at::GERROR_IRQ_CFG0, 0),
            Writes64(at::EVENTQ_IRQ_CFG0, 0),
            Writes(at::IRQ_CTRL, 5),
            Reads(at::IRQ_CTRLACK, 5),
        ],
    );
    assert_eq!(guest.machine.stage1, [Stage1::Bypass]);
    perform(&mut guest, &[Writes(at::CR0, 0xd), Reads(at::CR0ACK, 0xd)]);
    guest
}

fn attached() -> Guest {
    let mut guest = probed();
    // With no second-level table the controller cannot be reached by an entry.
    assert_eq!(guest.calls(), [Call::Stage1(0, Stage1::Abort)]);
    guest.machine.ram.store(STREAMS, SECOND | 9);
    for sid in 0..256 {
        guest.machine.ram.store(SECOND + 64 * sid, 1);
    }
    let sid = NVME << 32;
    assert_eq!(guest.issue(&[[1 << 48 | 0x11, 0], [0x2046, 0]]), []);
    assert_eq!(guest.issue(&[[sid | 0x05, 1], [0x2046, 0]]), []);
    // The new entry is made valid last.
    guest.machine.ram.store(SECOND + 64 * NVME + 8, 1 << 44 | 3 << 6 | 1 << 4 | 1 << 2);
    assert_eq!(guest.issue(&[[sid | 0x03, 1], [0x2046, 0]]), []);
    guest.machine.ram.store(SECOND + 64 * NVME, DESCRIPTORS | 0b1011);
    let calls = guest.issue(&[[sid | 0x03, 1], [0x2046, 0]]);
    let [Call::Stage1(0, Stage1::Table(table))] = calls[..] else { panic!("{calls:?}") };
    assert_eq!(table.words(), [DESCRIPTORS, 1 << 24 | 1 << 26 | 3 << 28]);
    assert_eq!(guest.issue(&[[sid | 0x01, 0], [0x2046, 0]]), []);
    guest
}

#[test]
fn the_driver_probes_and_attaches() {
    attached();
}

#[test]
fn unmapping_in_strict_mode_is_one_write_and_one_call() {
    let mut guest = attached();
    let (low, high) = (1 << 48 | 1 << 12 | 0x12, 0xffff_f000 | 1 << 10 | 3 << 8);
    // More rounds than the queue has entries.
    for _ in 0..300 {
        guest.machine.ram.reads.set(0);
        assert_eq!(guest.issue(&[[low, high], [0x2046, 0]]), [Call::Invalidate(0, vec![[low, high]])]);
        assert_eq!(guest.machine.ram.reads.get(), 2, "each command is read once");
    }
}

#[test]
fn a_descriptor_that_changes_is_forgotten() {
    let mut guest = attached();
    let sid = NVME << 32;
    assert_eq!(guest.issue(&[[sid | 0x05, 1], SYNC]), [Call::Invalidate(0, vec![[0x05, 1]])]);
    assert_eq!(guest.issue(&[[sid | 0x06, 0], SYNC]), [Call::Invalidate(0, vec![[0x06, 0]])]);
    // The same entry again: what was reached through it is forgotten.
    assert_eq!(guest.issue(&[[sid | 0x03, 1], SYNC]), [Call::Invalidate(0, vec![[0x06, 0]])]);
}

#[test]
fn a_guest_that_reboots_finds_everything_new() {
    let mut guest = attached();
    guest.fault(0, 0x10, 2 << 4, 0);
    guest.calls();
    guest.reset();
    assert_eq!(guest.calls(), [Call::Stage1(0, Stage1::Bypass)]);
    let fresh = Guest::new(FEATURES, &[NVME as u32]);
    for offset in (0..0x1000).step_by(4).chain((0x1_0000..0x1_1000).step_by(4)) {
        assert_eq!(guest.read(offset), fresh.read(offset), "{offset:#x}");
    }
    assert!(guest.machine.ram.written.iter().all(|at| (EVENTS..EVENTS + 128 * 32).contains(at)));
}

#[test]
fn a_guest_without_second_level_tables_works_as_well() {
    let mut guest = Guest::running(FEATURES, &[NVME as u32, 0x20]);
    guest.attach(0x20, DESCRIPTORS + 64);
    guest.attach(NVME, DESCRIPTORS);
    assert_eq!(guest.machine.stage1, [table(DESCRIPTORS), table(DESCRIPTORS + 64)]);
    // Translations of both, descriptors of one; an interrupt for the SYNC that wants one.
    let calls = guest.issue(&[[1 << 48 | 0x11, 0], [0x20 << 32 | 0x06, 0], [0x1046, 0]]);
    let both = [1 << 48 | 0x11, 0];
    assert_eq!(
        calls,
        [Call::Invalidate(0, vec![both]), Call::Invalidate(1, vec![both, [0x06, 0]]), Call::Interrupt(Interrupt::Sync),]
    );
}
