//! A guest that does anything.

use fastrand::Rng;
use sluice_vmm::layout::{DISTRIBUTOR, ECAM, PCI_WINDOW, RAM_BASE, REDISTRIBUTORS, Range, SMMU, UART};
use sluice_vmm::machine::Next;

use crate::{Board, RAM, cpu};

const PROCESSORS: usize = 3;

fn syndrome(random: &mut Rng) -> u32 {
    let low = random.u32(..1 << 25);
    let class = match random.u8(..10) {
        0 => random.u32(..64),
        1 => 0x01,
        2 => 0x17,
        3 => 0x18,
        // A load or store, mostly one that can be emulated.
        _ => {
            return 0x24 << 26
                | 1 << 25
                | low & !0x5bf
                | random.u32(..2) << 6
                | 7
                | u32::from(random.u8(..16) > 0) << 24;
        }
    };
    class << 26 | 1 << 25 | low
}

fn address(random: &mut Rng) -> u64 {
    let within = |random: &mut Rng, range: Range| range.base + random.u64(..range.size);
    let base = match random.u8(..9) {
        0 => return random.u64(..),
        1 => within(random, PCI_WINDOW),
        2 => within(random, ECAM),
        3 => within(random, SMMU),
        4 | 5 => within(random, DISTRIBUTOR) & !0xf000,
        6 | 7 => within(random, REDISTRIBUTORS) & !0xf000,
        _ => UART.base + random.u64(..0x50),
    };
    if random.bool() { base & !3 } else { base }
}

#[test]
fn nothing_that_a_guest_does_breaks_its_machine() {
    let mut random = Rng::with_seed(7);
    let mut ended = 0;
    for round in 0..60 {
        let mut board = if round % 3 == 0 { Board::new(PROCESSORS) } else { Board::with_interrupts(PROCESSORS) };
        for _ in 0..3000 {
            let processor = random.usize(..PROCESSORS);
            match random.u8(..20) {
                0 => board.machine.timer(&mut board.world, cpu(processor)),
                1 => board.machine.raise(&mut board.world, random.u8(..6)),
                2 => board.machine.typed(&mut board.world, &mut vec![0; random.usize(..8)]),
                3 => board.machine.ended(&mut board.world, cpu(processor), None),
                4..7 => ended += usize::from(board.take(processor).is_some()),
                _ => act(&mut board, &mut random, processor),
            }
            board.world.printed.clear();
        }
    }
    assert!(ended > 4000, "{ended} interrupts: that was a quiet guest");
}

fn act(board: &mut Board, random: &mut Rng, processor: usize) {
    let function = 0x8400_0000 | random.u64(..2) << 30 | random.u64(..0x14);
    let value = |random: &mut Rng| match random.u8(..4) {
        0 => random.u64(..),
        1 => RAM_BASE + random.u64(..RAM),
        2 => 1 << random.u8(..64),
        _ => random.u64(..4),
    };
    let mut registers: Vec<u64> = (0..31).map(|_| value(random)).collect();
    if random.bool() {
        registers[0] = function;
    }
    let (syndrome, address) = (syndrome(random), address(random));
    match board.exit(processor, syndrome, address, &registers) {
        Next::Step { bytes, load } | Next::Wait { bytes, load } => {
            assert!(bytes == 4 || bytes == 0);
            assert!(load.is_none_or(|(number, _)| number < 31));
        }
        Next::Start { processor, .. } => {
            assert!(processor.index() < PROCESSORS);
            board.machine.psci.started(processor);
        }
        Next::Take(_) | Next::Off | Next::Reset => {}
        // It stays with the model that its list registers are emptied.
        Next::Stop => board.world.empty(processor),
    }
}
