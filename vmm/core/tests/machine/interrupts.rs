//! From devices to list registers and back.

use sluice_vmm::layout::{ECAM, RAM_BASE, UART, intid};
use sluice_vmm::pci::Effect;

use crate::{Board, cpu};

const UART_IMSC: u64 = UART.base + 0x38;
const UART_RX: u32 = 1 << 4 | 1 << 6;

#[test]
fn a_key_is_an_interrupt_until_it_is_read() {
    let mut board = Board::with_interrupts(1);
    board.store(UART_IMSC, UART_RX);
    assert!(!board.machine.is_signalled(cpu(0)));
    let mut typed = vec![b'x'; 40];
    board.machine.typed(&mut board.world, &mut typed);
    assert_eq!(typed.len(), 8, "32 fit");
    assert_eq!(board.world.pending(0), [33]);
    assert!(board.machine.is_signalled(cpu(0)));
    assert_eq!(board.take(0), Some(33));
    assert_eq!(board.world.pending(0), [33], "nothing was read");
    for _ in 0..32 {
        assert_eq!(board.load(UART.base), b'x'.into());
    }
    assert_eq!(board.take(0), Some(33));
    assert_eq!((board.take(0), board.machine.is_signalled(cpu(0))), (None, false));
    board.machine.typed(&mut board.world, &mut typed);
    assert!(typed.is_empty());
}

#[test]
fn the_timer_fires_again_once_its_interrupt_has_ended() {
    let mut board = Board::with_interrupts(2);
    for processor in [1, 0, 1] {
        board.machine.timer(&mut board.world, cpu(processor));
        assert_eq!(board.world.timers, [0usize; 0]);
        assert_eq!(board.take(processor), Some(27));
        assert_eq!(core::mem::take(&mut board.world.timers), [processor]);
        assert_eq!(board.take(processor), None);
    }
}

#[test]
fn lines_of_functions_fire_again_once_their_interrupt_has_ended() {
    let mut board = Board::with_interrupts(1);
    for (slot, line) in [4, 1, 2, 3].into_iter().zip(intid::PCI) {
        board.machine.raise(&mut board.world, slot);
        assert_eq!(board.world.functions, [0u8; 0]);
        assert_eq!(board.take(0), Some(line as u16));
        assert_eq!(core::mem::take(&mut board.world.functions), [slot]);
        assert_eq!(board.take(0), None);
    }
}

#[test]
fn a_function_whose_pin_the_guest_disabled_interrupts_once_it_enables_it() {
    let mut board = Board::with_interrupts(1);
    let command = ECAM.base + (4 << 15) + 4;
    board.store(command, 1 << 10);
    board.machine.raise(&mut board.world, 4);
    assert_eq!(board.world.pending(0), [0u16; 0]);
    board.store(command, 0);
    assert_eq!(board.take(0), Some(35));
    assert_eq!(board.world.functions, [4]);
}

#[test]
fn processors_interrupt_each_other() {
    let mut board = Board::with_interrupts(4);
    // msr icc_sgi1r_el1, x7.
    let syndrome = 0x6200_0000 | 3 << 20 | 5 << 17 | 12 << 10 | 7 << 5 | 11 << 1;
    board.exit(2, syndrome, 0, &[0, 0, 0, 0, 0, 0, 0, 1 << 24 | 0b1001]);
    assert_eq!(board.world.pending(0), [1]);
    assert_eq!(board.world.pending(1), [0u16; 0]);
    assert_eq!(board.world.pending(3), [1]);
    assert!(board.machine.is_signalled(cpu(3)) && !board.machine.is_signalled(cpu(2)));
}

#[test]
fn what_the_kernel_refuses_comes_later() {
    let mut board = Board::with_interrupts(1);
    board.world.refusals = 1;
    board.machine.raise(&mut board.world, 4);
    assert_eq!(board.world.pending(0), [35], "in another list register");
    assert_eq!(board.take(0), Some(35));
    assert_eq!(board.world.functions, [4]);
}

#[test]
fn nothing_is_signalled_to_a_processor_that_is_off() {
    let mut board = Board::with_interrupts(2);
    let entry = RAM_BASE;
    board.call(0, &[0xc400_0003, 1, entry, 0]);
    board.machine.psci.started(cpu(1));
    board.call(1, &[0x8400_0002]);
    board.machine.timer(&mut board.world, cpu(1));
    assert_eq!(board.world.pending(1), [0u16; 0]);
    board.call(0, &[0xc400_0003, 1, entry, 0]);
    // It comes with the next thing that happens.
    board.store(UART_IMSC, 0);
    assert_eq!(board.world.pending(1), [27]);
}

#[test]
fn after_a_reset_nothing_is_enabled() {
    let mut board = Board::with_interrupts(1);
    board.store(UART_IMSC, UART_RX);
    board.machine.reset(&mut board.world);
    board.machine.typed(&mut board.world, &mut b"x".to_vec());
    board.machine.timer(&mut board.world, cpu(0));
    assert_eq!(board.world.pending(0), [0u16; 0]);
    assert!(!board.machine.is_signalled(cpu(0)));
}

#[test]
fn a_guest_that_ends_has_its_functions_silent_before_they_are_reset() {
    let mut board = Board::with_interrupts(1);
    for slot in [1, 3] {
        // Memory decode and mastering.
        board.store(ECAM.base + (slot << 15) + 4, 0b110);
    }
    board.world.effects.clear();
    board.machine.stop(&mut board.world);
    let effects = &board.world.effects;
    let first_reset = effects.iter().position(|effect| matches!(effect, Effect::Reset { .. })).expect("a reset");
    let (silenced, reset) = effects.split_at(first_reset);
    for slot in [1, 3] {
        assert!(silenced.contains(&Effect::Mastering { slot, on: false }), "{effects:?}");
    }
    assert!(!silenced.contains(&Effect::Mastering { slot: 2, on: false }), "it mastered nothing");
    assert_eq!(reset, [1, 2, 3, 4].map(|slot| Effect::Reset { slot }));
    board.machine.reset(&mut board.world);
    assert!(!board.world.effects.iter().any(|effect| matches!(effect, Effect::Mastering { on: true, .. })));
}
