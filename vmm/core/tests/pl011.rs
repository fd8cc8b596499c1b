//! The guest's console.

use fastrand::Rng;
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::pl011::{CLOCK_HZ, Pl011};

const DR: u64 = 0x00;
const FR: u64 = 0x18;
const IBRD: u64 = 0x24;
const FBRD: u64 = 0x28;
const LCRH: u64 = 0x2c;
const CR: u64 = 0x30;
const IFLS: u64 = 0x34;
const IMSC: u64 = 0x38;
const RIS: u64 = 0x3c;
const MIS: u64 = 0x40;
const ICR: u64 = 0x44;
const DMACR: u64 = 0x48;

const FR_BUSY: u64 = 1 << 3;
const FR_RXFE: u64 = 1 << 4;
const FR_TXFF: u64 = 1 << 5;
const FR_RXFF: u64 = 1 << 6;
const FR_TXFE: u64 = 1 << 7;
const RX: u64 = 1 << 4;
const TX: u64 = 1 << 5;
const RT: u64 = 1 << 6;
const FEN: u64 = 1 << 4;

fn at(offset: u64) -> Place {
    Place { offset, width: Width::Word }
}

fn output(uart: &mut Pl011) -> Vec<u8> {
    let mut bytes = [0; 64];
    let count = uart.take_output(&mut bytes);
    bytes[..count].to_vec()
}

/// FR without the modem lines, which are always asserted.
fn flags(uart: &mut Pl011) -> u64 {
    let flags = uart.read(at(FR));
    assert_eq!(flags & 7, 7);
    flags & !7
}

#[test]
fn it_is_what_firmware_leaves() {
    let mut uart = Pl011::new();
    for (name, offset, value) in [
        ("FR", FR, 0x97),
        ("CR", CR, 0x301),
        ("LCRH", LCRH, 0x70),
        ("IFLS", IFLS, 0x12),
        ("IMSC", IMSC, 0),
        ("RIS", RIS, 0),
        ("RSR", 0x04, 0),
        ("DMACR", DMACR, 0),
    ] {
        assert_eq!(uart.read(at(offset)), value, "{name}");
    }
    let divisor = 64 * uart.read(at(IBRD)) + uart.read(at(FBRD));
    let baud = u64::from(CLOCK_HZ) * 4 / divisor;
    assert!((115_000..115_400).contains(&baud), "{baud}");
}

#[test]
fn it_is_known_by_its_identity() {
    let mut uart = Pl011::new();
    let mut word = |first: u64| (0..4).fold(0, |word, index| word | uart.read(at(first + 4 * index)) << (8 * index));
    assert_eq!(word(0xfe0), 0x0034_1011, "part 011 of Arm, revision 3");
    assert_eq!(word(0xff0), 0xb105_f00d);
}

#[test]
fn what_can_be_written_is_read_back() {
    let mut uart = Pl011::new();
    for (offset, kept) in [
        (0x20, 0xff),
        (IBRD, 0xffff),
        (FBRD, 0x3f),
        (LCRH, 0xff),
        (CR, 0xff87),
        (IFLS, 0x3f),
        (IMSC, 0x7ff),
        (DMACR, 7),
    ] {
        uart.write(at(offset), u64::MAX);
        assert_eq!(uart.read(at(offset)), kept, "{offset:#x}");
        uart.write(Place { offset, width: Width::Half }, 0);
        assert_eq!(uart.read(at(offset)), 0, "{offset:#x}");
    }
    let before = uart.clone();
    for offset in [FR, RIS, MIS, 0x4c, 0x80, 0xfe0, 0xffc] {
        uart.write(at(offset), u64::MAX);
        assert_eq!(uart, before, "{offset:#x}");
    }
}

#[test]
fn accesses_may_be_narrow_and_start_where_the_register_does() {
    let mut uart = Pl011::new();
    uart.write(at(LCRH), FEN);
    for (index, width) in [Width::Byte, Width::Half, Width::Word].into_iter().enumerate() {
        uart.write(Place { offset: DR, width }, 0xffff_ff00 + b'a' as u64 + index as u64);
    }
    uart.write(Place { offset: DR, width: Width::Double }, b'x'.into());
    uart.write(Place { offset: DR + 1, width: Width::Byte }, b'y'.into());
    assert_eq!(output(&mut uart), b"abc");
    assert_eq!(uart.read(Place { offset: CR, width: Width::Byte }), 0x01);
    assert_eq!(uart.read(Place { offset: CR, width: Width::Half }), 0x301);
    assert_eq!(uart.read(Place { offset: CR + 1, width: Width::Byte }), 0);
    assert_eq!(uart.read(Place { offset: CR, width: Width::Double }), 0);
}

#[test]
fn output_waits_for_whoever_takes_it() {
    let mut uart = Pl011::new();
    for byte in 0..40u8 {
        assert_eq!(flags(&mut uart) & FR_TXFF != 0, byte >= 32, "{byte}");
        uart.write(at(DR), byte.into());
    }
    assert_eq!(flags(&mut uart), FR_TXFF | FR_BUSY | FR_RXFE);
    let mut first = [0; 5];
    assert_eq!((uart.take_output(&mut first), first), (5, [0, 1, 2, 3, 4]));
    assert_eq!(flags(&mut uart), FR_BUSY | FR_RXFE);
    assert_eq!(output(&mut uart), (5..32).collect::<Vec<u8>>(), "what was written while it was full is lost");
    assert_eq!(flags(&mut uart), FR_TXFE | FR_RXFE);
    assert_eq!(uart.take_output(&mut []), 0);
    // Without FIFOs there is room for one.
    uart.write(at(LCRH), 0);
    uart.write(at(DR), 1);
    assert_eq!(flags(&mut uart), FR_TXFF | FR_BUSY | FR_RXFE);
    uart.write(at(DR), 2);
    assert_eq!(output(&mut uart), [1]);
}

#[test]
fn nothing_is_sent_while_the_transmitter_is_off() {
    for control in [0, 1, 0x100, 0x200, 0x201] {
        let mut uart = Pl011::new();
        uart.write(at(CR), control);
        uart.write(at(DR), b'x'.into());
        assert_eq!(output(&mut uart), b"", "{control:#x}");
        assert_eq!(flags(&mut uart) & FR_BUSY, 0);
        uart.write(at(CR), 0x101);
        assert_eq!(output(&mut uart), b"x", "{control:#x}");
    }
}

#[test]
fn room_in_the_transmit_fifo_is_an_interrupt_once_something_was_sent() {
    // Levels of IFLS, by eighths of 32 bytes.
    for (selection, level) in [(0, 4), (1, 8), (2, 16), (3, 24), (4, 28)] {
        let mut uart = Pl011::new();
        uart.write(at(IFLS), selection);
        uart.write(at(IMSC), TX);
        assert!(!uart.interrupt(), "nothing was sent yet");
        for _ in 0..32 {
            uart.write(at(DR), 0);
        }
        for left in (0..32).rev() {
            assert_eq!(uart.take_output(&mut [0]), 1);
            assert_eq!(uart.interrupt(), left <= level, "{left} of level {level}");
        }
        // Above the level it is gone by itself, below it by being cleared.
        for sent in 1..=32 {
            uart.write(at(DR), 0);
            assert_eq!(uart.interrupt(), sent <= level, "{sent} of level {level}");
        }
        output(&mut uart);
        assert_eq!((uart.read(at(RIS)), uart.read(at(MIS)), uart.interrupt()), (TX, TX, true));
        uart.write(at(ICR), RX | RT);
        assert!(uart.interrupt());
        uart.write(at(ICR), TX);
        assert!(!uart.interrupt());
        output(&mut uart);
        assert!(!uart.interrupt(), "nothing was sent");
        // One that leaves is enough, for a guest that never fills the FIFO.
        uart.write(at(DR), 0);
        assert!(!uart.interrupt());
        assert_eq!(output(&mut uart), [0]);
        assert!(uart.interrupt());
    }
}

#[test]
fn a_byte_that_arrives_is_an_interrupt_until_all_are_read() {
    let mut uart = Pl011::new();
    uart.write(at(IFLS), 0 << 3);
    assert!(uart.receive(b'a'));
    assert_eq!((uart.read(at(RIS)), uart.read(at(MIS)), uart.interrupt()), (RT, 0, false));
    uart.write(at(IMSC), RT);
    assert!(uart.interrupt());
    assert!(uart.receive(b'b') && uart.receive(b'c'));
    assert_eq!(uart.read(at(RIS)), RT);
    assert!(uart.receive(b'd'));
    assert_eq!(uart.read(at(RIS)), RT | RX, "an eighth of 32");
    assert_eq!(uart.read(at(DR)), b'a'.into());
    assert_eq!(uart.read(at(RIS)), RT);
    for byte in *b"bcd" {
        assert!(uart.interrupt());
        assert_eq!(flags(&mut uart), FR_TXFE);
        assert_eq!(uart.read(at(DR)), byte.into());
    }
    assert!(!uart.interrupt());
    assert_eq!(flags(&mut uart), FR_TXFE | FR_RXFE);
    assert_eq!(uart.read(at(DR)), 0);
}

#[test]
fn what_does_not_fit_is_not_taken() {
    for (line_control, depth) in [(FEN, 32), (0, 1)] {
        let mut uart = Pl011::new();
        uart.write(at(LCRH), line_control);
        for byte in 0..depth {
            assert!(uart.receive(byte));
        }
        assert!(!uart.receive(99));
        assert_eq!(flags(&mut uart), FR_TXFE | FR_RXFF);
        assert_eq!(uart.read(at(RIS)), RT | RX);
        assert_eq!(uart.read(at(DR)), 0);
        assert!(uart.receive(depth));
        for byte in 1..=depth {
            assert_eq!(uart.read(at(DR)), byte.into());
        }
    }
}

#[test]
fn nothing_is_received_while_the_receiver_is_off() {
    for control in [0, 0x101, 0x300, 0x381] {
        let mut uart = Pl011::new();
        uart.write(at(CR), control);
        assert!(!uart.receive(b'x'), "{control:#x}");
        assert_eq!(flags(&mut uart), FR_TXFE | FR_RXFE);
    }
}

#[test]
fn a_looped_back_byte_stays_inside() {
    let mut uart = Pl011::new();
    uart.write(at(CR), 0x381);
    uart.write(at(DR), b'x'.into());
    assert_eq!(output(&mut uart), b"");
    assert_eq!(uart.read(at(RIS)), RT | TX);
    assert_eq!(uart.read(at(DR)), b'x'.into());
}

/// What the early console writes.
fn early_console(uart: &mut Pl011, text: &[u8]) -> Vec<u8> {
    let mut seen = Vec::new();
    for byte in text {
        while uart.read(at(FR)) & FR_TXFF != 0 {
            seen.extend(output(uart));
        }
        uart.write(Place { offset: DR, width: Width::Byte }, (*byte).into());
        while uart.read(at(FR)) & FR_BUSY != 0 {
            seen.extend(output(uart));
        }
    }
    seen
}

/// What Linux's driver does from its early console to a shell that reads, in its order.
#[test]
fn linux_brings_it_up() {
    let half = |offset| Place { offset, width: Width::Half };
    let mut uart = Pl011::new();
    assert_eq!(
        early_console(&mut uart, b"Booting Linux on physical CPU 0x0\n"),
        b"Booting Linux on physical CPU 0x0\n"
    );

    // The AMBA bus knows it by its identity; the driver's probe masks and clears everything.
    uart.write(half(IMSC), 0);
    uart.write(half(ICR), 0xffff);
    // Console setup takes the line over: it divides by the divisor.
    assert_eq!(uart.read(half(CR)) & 1, 1);
    assert_eq!(uart.read(half(LCRH)) & 0x62, 0x60, "eight bits, no parity");
    assert_ne!(64 * uart.read(half(IBRD)) + uart.read(half(FBRD)), 0);
    set_termios(&mut uart);
    assert_eq!(
        console_write(&mut uart, b"printk: console [ttyAMA0] enabled\n"),
        b"printk: console [ttyAMA0] enabled\n"
    );

    // Startup, when it is opened.
    uart.write(half(ICR), 0x7d0);
    let saved = uart.read(half(IMSC));
    uart.write(half(IMSC), RT | RX);
    uart.write(half(IMSC), saved);
    uart.write(half(IFLS), 0x12);
    let control = uart.read(half(CR)) & 0xc00;
    uart.write(half(CR), control | 0x301);
    assert_eq!(uart.read(half(FR)) & 7, 7);
    uart.write(half(ICR), RT | RX);
    for _ in 0..64 {
        if uart.read(half(FR)) & FR_RXFE != 0 {
            break;
        }
        uart.read(half(DR));
    }
    uart.write(half(IMSC), RT | RX);
    set_termios(&mut uart);
    assert!(!uart.interrupt());

    // A line is typed.
    for byte in *b"ls\r" {
        assert!(uart.receive(byte));
        assert!(uart.interrupt());
        let status = uart.read(half(RIS)) & (RT | RX);
        assert_ne!(status, 0);
        uart.write(half(ICR), status & !(TX | RT | RX));
        assert_eq!(uart.read(half(FR)) & FR_RXFE, 0);
        assert_eq!(uart.read(half(DR)) & 0xff, byte.into());
        assert_ne!(uart.read(half(FR)) & FR_RXFE, 0);
        assert_eq!(uart.read(half(RIS)) & (RT | RX), 0);
    }
    assert!(!uart.interrupt());
    assert_eq!(write_tty(&mut uart, 1000, 1), (0..1000).map(|index| index as u8).collect::<Vec<_>>());
    assert_eq!(write_tty(&mut uart, 1000, 7), (0..1000).map(|index| index as u8).collect::<Vec<_>>());
    assert_eq!(write_tty(&mut uart, 1000, 100), (0..1000).map(|index| index as u8).collect::<Vec<_>>());
}

fn set_termios(uart: &mut Pl011) {
    let control = uart.read(at(CR)) & !0xc000;
    uart.write(at(FBRD), 1);
    uart.write(at(IBRD), 13);
    uart.write(at(LCRH), 0x70);
    uart.write(at(CR), control);
}

fn console_write(uart: &mut Pl011, text: &[u8]) -> Vec<u8> {
    let control = uart.read(at(CR));
    uart.write(at(CR), control & !0x8000 | 0x101);
    let seen = early_console(uart, text);
    uart.write(at(CR), control);
    seen
}

/// Writes `count` bytes as the driver does for a terminal: as many as fit, then half a FIFO at each interrupt, without
/// looking at the flags. The VMM takes the output after every `lag` accesses, and when the guest waits.
fn write_tty(uart: &mut Pl011, count: usize, lag: usize) -> Vec<u8> {
    let mut text = (0..count).map(|index| index as u8).peekable();
    let mut seen = Vec::new();
    let mut accesses = 0;
    let mut access = |uart: &mut Pl011, seen: &mut Vec<u8>| {
        accesses += 1;
        if accesses % lag == 0 {
            seen.extend(output(uart));
        }
    };
    while uart.read(at(FR)) & FR_TXFF == 0 {
        let Some(byte) = text.next() else { break };
        uart.write(at(DR), byte.into());
        access(uart, &mut seen);
    }
    uart.write(at(IMSC), RT | RX | TX);
    while text.peek().is_some() {
        seen.extend(output(uart));
        assert!(uart.interrupt(), "the guest waits for ever");
        while uart.read(at(RIS)) & TX != 0 && text.peek().is_some() {
            for byte in text.by_ref().take(16) {
                uart.write(at(DR), byte.into());
                access(uart, &mut seen);
            }
        }
    }
    uart.write(at(IMSC), RT | RX);
    seen.extend(output(uart));
    seen
}

#[test]
fn nothing_that_a_guest_does_breaks_it() {
    let mut random = Rng::with_seed(11);
    for _ in 0..200 {
        let mut uart = Pl011::new();
        for _ in 0..1000 {
            let offset = if random.u8(..8) == 0 { random.u64(..) } else { random.u64(..0x50) & !3 };
            let place = Place { offset, width: Width::ALL[random.usize(..4)] };
            match random.u8(..8) {
                0 => {
                    let mut bytes = [0; 40];
                    let size = random.usize(..40);
                    assert!(uart.take_output(&mut bytes[..size]) <= size.min(32));
                }
                1 | 2 => {
                    let before = uart.read(at(FR));
                    let taken = uart.receive(random.u8(..));
                    assert!(!taken || before & FR_RXFF == 0);
                }
                3..6 => uart.write(place, random.u64(..)),
                _ => assert_eq!(uart.read(place) & !place.width.mask(), 0),
            }
            let (raised, mask) = (uart.read(at(RIS)), uart.read(at(IMSC)));
            assert_eq!(raised & !(RX | TX | RT), 0);
            assert_eq!(uart.read(at(MIS)), raised & mask);
            assert_eq!(uart.interrupt(), raised & mask != 0);
            let flags = uart.read(at(FR));
            assert!(flags & FR_RXFE == 0 || flags & FR_RXFF == 0 && raised & (RX | RT) == 0, "{flags:#x} {raised:#x}");
            assert!(flags & FR_TXFE == 0 || flags & FR_TXFF == 0);
        }
        uart.reset();
        assert_eq!(uart, Pl011::default());
    }
}
