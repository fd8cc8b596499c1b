//! What becomes of each exit.

use sluice_vmm::exit::Exception;
use sluice_vmm::layout::{DISTRIBUTOR, PCI_WINDOW, RAM_BASE, REDISTRIBUTORS, UART};
use sluice_vmm::machine::Next;
use sluice_vmm::psci::State;

use crate::{Board, RAM, cpu};

const STEP: Next = Next::Step { bytes: 4, load: None };

#[test]
fn instructions_are_stepped_over_or_taken_as_exceptions() {
    for (name, syndrome, next) in [
        ("wfi", 0x0600_0000, Next::Wait { bytes: 4, load: None }),
        ("wfe", 0x0600_0001, STEP),
        ("hvc", 0x5a00_0000, Next::Step { bytes: 0, load: Some((0, u64::MAX)) }),
        ("msr mdscr_el1, x7", 0x6200_0000 | 2 << 20 | 2 << 17 | 7 << 5 | 2 << 1, STEP),
        (
            "mrs x7, mdscr_el1",
            0x6200_0001 | 2 << 20 | 2 << 17 | 7 << 5 | 2 << 1,
            Next::Step { bytes: 4, load: Some((7, 0)) },
        ),
        ("mrs xzr, mdscr_el1", 0x6200_0001 | 2 << 20 | 2 << 17 | 31 << 5 | 2 << 1, STEP),
        ("sys", 0x6200_0000 | 1 << 20 | 15 << 10, Next::Take(Exception::Undefined)),
        ("a floating-point exception", 0x3 << 26, Next::Take(Exception::Undefined)),
        ("a fetch", 0x8200_0007, Next::Take(Exception::FetchAbort)),
        ("ldp", 0x9200_0007, Next::Take(Exception::DataAbort { write: false })),
        ("stp", 0x9200_0047, Next::Take(Exception::DataAbort { write: true })),
        ("a walk", 0x9200_0087, Next::Take(Exception::DataAbort { write: false })),
        ("dc civac", 0x9200_0147, STEP),
    ] {
        assert_eq!(Board::new(1).exit(0, syndrome, UART.base, &[]), next, "{name}");
    }
}

#[test]
fn registers_are_where_the_layout_says() {
    let mut board = Board::new(2);
    assert_eq!(board.load(DISTRIBUTOR.base + 0xffe8), 0x3b);
    assert_eq!(board.load(REDISTRIBUTORS.base + 0xffe8), 0x3b);
    assert_eq!(board.load(UART.base + 0xfe0), 0x11);
    // Where no BAR is, all bits are set and nothing is written.
    assert_eq!(board.load(PCI_WINDOW.base + 0x1000), u32::MAX);
    board.store(PCI_WINDOW.base + 0x1000, 0);
}

#[test]
fn where_nothing_is_accesses_abort() {
    let mut board = Board::new(1);
    for address in [0, DISTRIBUTOR.base - 4, UART.base + UART.size, RAM_BASE + RAM, u64::MAX, u64::MAX - 3] {
        let read = board.exit(0, 0x9383_0007, address, &[]);
        assert_eq!(read, Next::Take(Exception::DataAbort { write: false }), "{address:#x}");
        let write = board.exit(0, 0x9383_0047, address, &[]);
        assert_eq!(write, Next::Take(Exception::DataAbort { write: true }), "{address:#x}");
    }
}

#[test]
fn loads_into_xzr_have_their_effect_and_no_result() {
    let mut board = Board::new(1);
    let mut typed = b"a".to_vec();
    board.machine.typed(&mut board.world, &mut typed);
    assert!(typed.is_empty());
    // ldr wzr, [DR].
    assert_eq!(board.exit(0, 0x9380_0007 | 31 << 16, UART.base, &[]), STEP);
    assert_eq!(board.load(UART.base + 0x18) & 1 << 4, 1 << 4, "empty");
    // str wzr, [DR].
    assert_eq!(board.exit(0, 0x9380_0047 | 31 << 16, UART.base, &[]), STEP);
    assert_eq!(board.world.printed, [0]);
}

#[test]
fn what_is_written_to_the_uart_is_printed() {
    let mut board = Board::new(1);
    for byte in *b"hello\n" {
        board.store(UART.base, byte.into());
    }
    assert_eq!(board.world.printed, b"hello\n");
}

#[test]
fn firmware_is_called() {
    let mut board = Board::new(2);
    assert_eq!(board.call(0, &[0x8400_0000]), Next::Step { bytes: 4, load: Some((0, 0x1_0001)) });
    assert_eq!(board.call(0, &[0xffff_ffff]), Next::Step { bytes: 4, load: Some((0, u64::MAX)) });
    let entry = RAM_BASE + 0x1000;
    let start = Next::Start { processor: cpu(1), entry, context: 7 };
    assert_eq!(board.call(0, &[0xc400_0003, 1, entry, 7]), start);
    assert_eq!(board.machine.psci.state(cpu(1)), State::Starting);
    board.machine.psci.started(cpu(1));
    assert_eq!(board.call(1, &[0x8400_0001, 0, 0]), Next::Wait { bytes: 4, load: Some((0, 0)) });
    assert_eq!(board.call(1, &[0x8400_0002]), Next::Stop);
    assert_eq!(board.call(0, &[0x8400_0008]), Next::Off);
    assert_eq!(board.call(0, &[0x8400_0009]), Next::Reset);
}
