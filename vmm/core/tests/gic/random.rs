//! A guest that does anything, and a model of the list registers that it and the kernel see.

use std::collections::BTreeSet;

use fastrand::Rng;
use sluice_vmm::gic::{Gic, Injection, SgiRegister};
use sluice_vmm::layout::{DISTRIBUTOR, REDISTRIBUTORS};
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::processor::Processor;

use crate::{ICACTIVER, IROUTER, ISPENDR, SGI_FRAME, cpu, enable_all, of, running, word};

/// Offsets where something is, so that random accesses hit it often.
const INTERESTING: [u64; 16] =
    [0x0, 0x4, 0x14, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x420, 0xc00, 0x6100, 0xffe0, 0xd00];

fn place(random: &mut Rng, size: u64) -> Place {
    let width = Width::ALL[random.usize(..4)];
    let offset = match random.u8(..8) {
        // Anywhere at all.
        0 => random.u64(..),
        1 => random.u64(..size),
        // At a register of some frame.
        _ => {
            let frame = random.u64(..size.div_ceil(0x1_0000)) * 0x1_0000;
            let start = INTERESTING[random.usize(..INTERESTING.len())];
            let within = start + random.u64(..0x20);
            frame + if random.u8(..4) == 0 { within } else { within & !(width.bytes() - 1) }
        }
    };
    Place { offset, width }
}

/// A list register as hardware has it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Hardware {
    Invalid,
    Pending(u16),
    Active(u16),
}

/// What the kernel does with an injection.
fn inject(registers: &mut [Hardware], injection: Injection) -> bool {
    let Injection { list_register, intid, priority, group } = injection;
    assert!(intid < 128 && priority < 32 && group < 2);
    let register = &mut registers[usize::from(list_register)];
    match *register {
        Hardware::Active(_) => false,
        Hardware::Pending(_) | Hardware::Invalid => {
            assert_eq!(*register, Hardware::Invalid, "an interrupt that was not taken yet is overwritten");
            *register = Hardware::Pending(intid);
            true
        }
    }
}

/// How many interrupts were injected.
fn run(seed: u64, steps: u32) -> usize {
    let mut random = Rng::with_seed(seed);
    let (processors, list_registers) = (random.usize(1..=8), random.usize(1..=16));
    // Most guests begin with something sensible.
    let mut gic =
        if seed.is_multiple_of(4) { Gic::new(processors, list_registers) } else { running(processors, list_registers) };
    let mut injections = 0;
    let mut hardware = vec![vec![Hardware::Invalid; list_registers]; processors];
    for _ in 0..steps {
        let processor = random.usize(..processors);
        let intid = random.u32(..160);
        let value = if random.bool() { random.u64(..) } else { 1 << random.u8(..64) };
        match random.u8(..16) {
            0..3 => {
                let place = place(&mut random, DISTRIBUTOR.size);
                assert_eq!(gic.read_distributor(place) & !place.width.mask(), 0, "{place:?}");
            }
            3..6 => gic.write_distributor(place(&mut random, DISTRIBUTOR.size), value),
            6..8 => {
                let place = place(&mut random, REDISTRIBUTORS.size);
                assert_eq!(gic.read_redistributors(place) & !place.width.mask(), 0, "{place:?}");
            }
            8..10 => gic.write_redistributors(place(&mut random, REDISTRIBUTORS.size), value),
            10 => {
                let register = [SgiRegister::Group0, SgiRegister::Group1, SgiRegister::OtherGroup1][random.usize(..3)];
                gic.write_sgi(cpu(random.usize(..8)), register, value);
            }
            11 => gic.set_level(intid, random.bool()),
            12 if random.u8(..16) == 0 => {
                // Off and on again, with empty list registers.
                gic.switched_off(cpu(processor));
                assert_eq!(gic.next_injection(cpu(processor)), None);
                hardware[processor].fill(Hardware::Invalid);
                gic.switched_on(cpu(processor));
            }
            12 => gic.set_private_level(cpu(random.usize(..8)), intid % 40, random.bool()),
            13 => gic.pulse(intid),
            14 => {
                // The guest takes what is pending, and ends what is active, which the kernel tells.
                let index = random.usize(..list_registers);
                match hardware[processor][index] {
                    Hardware::Pending(intid) => hardware[processor][index] = Hardware::Active(intid),
                    Hardware::Active(intid) => {
                        hardware[processor][index] = Hardware::Invalid;
                        assert_eq!(gic.ended(cpu(processor), Some(index as u8)), Some(intid.into()));
                    }
                    Hardware::Invalid => {
                        assert_eq!(gic.ended(cpu(processor), random.bool().then_some(index as u8)), None);
                    }
                }
            }
            _ => {
                let injectable: Vec<Processor> = gic.to_be_injected().collect();
                while let Some(injection) = gic.next_injection(cpu(processor)) {
                    assert!(injectable.contains(&cpu(processor)));
                    assert!(gic.deliverable(cpu(processor)));
                    assert!(inject(&mut hardware[processor], injection), "a register in use was chosen");
                    injections += 1;
                }
                assert!(!gic.to_be_injected().any(|other| other == cpu(processor)));
            }
        }
        assert_eq!(gic.violation(), None, "seed {seed}");
    }
    injections += drain(&mut gic, &mut hardware);
    assert!((0..processors).all(|processor| !gic.deliverable(cpu(processor))), "seed {seed}");
    injections
}

/// Everything that is pending, with the processor that a private one is of, and 0 for a shared one.
fn pending(gic: &Gic, processors: usize) -> BTreeSet<(usize, u32)> {
    let private = (0..processors)
        .map(|processor| (processor, 0, gic.read_redistributors(word(of(processor, SGI_FRAME + ISPENDR)))));
    let shared = (1..4).map(|bank| (0, 32 * bank, gic.read_distributor(word(ISPENDR + 4 * u64::from(bank)))));
    private
        .chain(shared)
        .flat_map(|(processor, first, bits)| (0..32).map(move |bit| (processor, first + bit, bits >> bit & 1 != 0)))
        .filter_map(|(processor, intid, is_pending)| is_pending.then_some((processor, intid)))
        .collect()
}

/// The guest enables everything, on its first processor what is shared, and handles what comes; devices are quiet once
/// they were heard. Whatever was pending comes; how many interrupts there were.
fn drain(gic: &mut Gic, hardware: &mut [Vec<Hardware>]) -> usize {
    enable_all(gic, hardware.len());
    for intid in 32..128 {
        gic.write_distributor(Place { offset: IROUTER + 8 * intid, width: Width::Double }, 0);
    }
    for bank in 1..4 {
        gic.write_distributor(word(ICACTIVER + 4 * bank), u64::MAX);
    }
    let mut awaited = pending(gic, hardware.len());
    let mut injections = 0;
    // Each of 128 interrupts comes at most twice: listed, and pending behind that.
    for _ in 0..2 * 128 {
        for (processor, registers) in hardware.iter_mut().enumerate() {
            gic.write_redistributors(word(of(processor, SGI_FRAME + ICACTIVER)), u64::MAX);
            while let Some(injection) = gic.next_injection(cpu(processor)) {
                assert!(inject(registers, injection));
                injections += 1;
            }
            for (index, register) in registers.iter_mut().enumerate() {
                if *register != Hardware::Invalid {
                    *register = Hardware::Invalid;
                    let intid = gic.ended(cpu(processor), Some(index as u8)).expect("one that was listed");
                    gic.set_level(intid, false);
                    gic.set_private_level(cpu(processor), intid, false);
                    awaited.remove(&(if intid < 32 { processor } else { 0 }, intid));
                }
            }
        }
    }
    assert!(awaited.is_empty(), "lost: {awaited:?}");
    injections
}

#[test]
fn nothing_that_a_guest_does_breaks_the_controller() {
    let injections: usize = (0..200).map(|seed| run(seed, 2000)).sum();
    assert!(injections > 20_000, "{injections} interrupts: that was a quiet guest");
}
