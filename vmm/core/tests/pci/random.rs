//! A guest that does anything, and a real machine that does what effects say.

use std::collections::BTreeMap;

use fastrand::Rng;
use sluice_vmm::layout::{ECAM, PCI_WINDOW};
use sluice_vmm::mmio::{Place, Width};
use sluice_vmm::pci::{Effect, Function, PciHost};

use crate::fixtures::Fixture;
use crate::{capabilities, offset, read};

const NAMES: [&str; 6] = ["nvme", "e1000e", "virtio-blk", "edu", "xhci", "ahci"];

/// What effects have made of the real machine.
#[derive(Default, PartialEq, Debug)]
struct Real {
    /// First and last byte of each BAR that answers.
    placed: BTreeMap<(u8, u8), (u64, u64)>,
    mastering: BTreeMap<u8, bool>,
    interrupt: BTreeMap<u8, bool>,
}

impl Real {
    fn apply(&mut self, host: &PciHost, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::BarPlaced { slot, bar, at: Some(at) } => {
                    let function =
                        host.functions().iter().find(|function| function.slot() == slot).expect("a function");
                    let size = function.bars().iter().find(|known| known.index() == bar).expect("a BAR").size();
                    let range = (at.0, at.0 + (size - 1));
                    assert!(range.0 >= PCI_WINDOW.base && range.1 < PCI_WINDOW.base + PCI_WINDOW.size, "{range:x?}");
                    assert!(at.0.is_multiple_of(4096) && size.is_multiple_of(4096));
                    let overlaps = |other: &(u64, u64)| range.0 <= other.1 && other.0 <= range.1;
                    assert!(!self.placed.values().any(overlaps), "{effect:?} over {:x?}", self.placed);
                    assert_eq!(self.placed.insert((slot, bar), range), None, "it was somewhere: {effect:?}");
                }
                Effect::BarPlaced { slot, bar, at: None } => {
                    assert!(self.placed.remove(&(slot, bar)).is_some(), "it was nowhere: {effect:?}");
                }
                Effect::Mastering { slot, on } => {
                    assert_ne!(self.mastering.insert(slot, on).unwrap_or(false), on, "{effect:?}");
                }
                Effect::Interrupt { slot, on } => {
                    assert_ne!(self.interrupt.insert(slot, on).unwrap_or(false), on, "{effect:?}");
                }
                Effect::Reset { slot } => {
                    assert!(self.placed.keys().all(|(other, _)| *other != slot), "reset while it answers");
                    assert!(!self.mastering.get(&slot).copied().unwrap_or(false), "reset while it masters");
                }
            }
        }
    }

    /// What the guest reads agrees with what the machine does.
    fn agree(&self, host: &PciHost) {
        for function in host.functions() {
            let slot = function.slot();
            let list = capabilities(host, slot);
            assert!(list.iter().all(|(id, _)| [0x01, 0x09, 0x10, 0x13].contains(id)), "{list:x?}");
            let power = list.iter().find(|(id, _)| *id == 0x01);
            let is_awake = power.is_none_or(|(_, at)| read(host, slot, at + 4) & 3 == 0);
            let command = read(host, slot, 0x04);
            let is_on = |bit: u32| command & bit != 0 && is_awake;
            assert_eq!(self.mastering.get(&slot).copied().unwrap_or(false), is_on(1 << 2));
            let interrupts = self.interrupt.get(&slot).copied().unwrap_or(false);
            assert_eq!(interrupts, host.line(slot).is_some() && command & 1 << 10 == 0 && is_awake);
            for bar in function.bars() {
                let Some((at, _)) = self.placed.get(&(slot, bar.index())) else { continue };
                assert!(is_on(1 << 1), "a BAR answers that must not");
                let low = read(host, slot, 0x10 + 4 * u64::from(bar.index()));
                assert_eq!((*at as u32, low & 0xf), (low & !0xf, low & 0xf));
            }
        }
    }
}

/// A register that matters, with a value that means something there, or any access at all.
fn access(random: &mut Rng) -> (Place, u64) {
    let slot = random.u8(..9);
    let word = |register| Place { offset: offset(slot, register), width: Width::Word };
    match random.u8(..8) {
        0..3 => (Place { width: Width::Half, ..word(0x04) }, random.u64(..) & 0x546 | u64::from(random.bool()) << 1),
        // Addresses in and about the window, near each other.
        3..5 => (word(0x10 + 4 * random.u64(..6)), PCI_WINDOW.base - 0x4_0000 + random.u64(..16) * 0x4_0000),
        5 => (word(0x14), 0),
        6 => (Place { width: Width::Half, ..word([0x64, 0xcc][random.usize(..2)]) }, random.u64(..4)),
        _ => (place(random), value(random)),
    }
}

/// Registers that matter, so that random accesses hit them often.
fn place(random: &mut Rng) -> Place {
    let width = Width::ALL[random.usize(..4)];
    let interesting = [0x04, 0x10, 0x14, 0x18, 0x20, 0x3c, 0x40, 0x60, 0x64, 0x80, 0x88, 0xc8, 0xcc, 0xe8, 0xa8];
    let at = match random.u8(..8) {
        0 => random.u64(..),
        1 => random.u64(..ECAM.size),
        _ => offset(random.u8(..9), interesting[random.usize(..interesting.len())] + random.u64(..4)),
    };
    Place { offset: if random.u8(..4) == 0 { at } else { at & !(width.bytes() - 1) }, width }
}

fn value(random: &mut Rng) -> u64 {
    match random.u8(..4) {
        0 => u64::MAX,
        1 => 0,
        _ => random.u64(..),
    }
}

#[test]
fn whatever_a_guest_writes_the_machine_stays_in_order() {
    let mut seen = 0;
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let count = random.usize(1..8);
        let functions = (0..count).map(|index| {
            let fixture = Fixture::named(NAMES[random.usize(..NAMES.len())]);
            Function::new(index as u8 + 1, &fixture.config, &fixture.bars, random.bool()).unwrap()
        });
        let mut host = PciHost::new(functions.collect()).unwrap();
        let mut real = Real::default();
        let fresh = {
            let effects = host.reset();
            real.apply(&host, &effects);
            host.clone()
        };
        let identities: Vec<u32> = (0..9).map(|slot| read(&host, slot, 0)).collect();
        for _ in 0..400 {
            let (place, value) = access(&mut random);
            assert_eq!(host.read(place) & !place.width.mask(), 0);
            let effects = host.write(place, value);
            seen += effects.len();
            real.apply(&host, &effects);
            real.agree(&host);
        }
        assert_eq!(identities, (0..9).map(|slot| read(&host, slot, 0)).collect::<Vec<_>>());
        let effects = host.reset();
        real.apply(&host, &effects);
        assert_eq!((&real.placed, host), (&BTreeMap::new(), fresh), "seed {seed}");
    }
    assert!(seen > 10_000, "the guest hardly did anything: {seen}");
}

#[test]
fn whatever_a_function_says_of_itself_it_can_be_shown() {
    let mut random = Rng::with_seed(7);
    let mut made = 0;
    for _ in 0..20_000 {
        let mut fixture = Fixture::named(NAMES[random.usize(..NAMES.len())]);
        for _ in 0..random.usize(..40) {
            let at = if random.bool() { random.usize(0x34..256) } else { random.usize(..256) };
            fixture.config[at] = [random.u8(..), 0x01, 0x09, 0x10, 0x13, 0x40, 0xf8][random.usize(..7)];
        }
        if random.u8(..8) == 0 {
            fixture.config.truncate(random.usize(..257));
        }
        if random.bool() {
            fixture.bars.push((random.u8(..8), 1 << random.u8(..64)));
        }
        let Ok(function) = Function::new(random.u8(..33), &fixture.config, &fixture.bars, random.bool()) else {
            continue;
        };
        let slot = function.slot();
        let Ok(mut host) = PciHost::new(vec![function]) else { continue };
        made += 1;
        let mut real = Real::default();
        let effects = host.reset();
        real.apply(&host, &effects);
        for _ in 0..8 {
            let place = Place { offset: offset(slot, random.u64(..0x100)), width: Width::ALL[random.usize(..4)] };
            let effects = host.write(place, value(&mut random));
            real.apply(&host, &effects);
            real.agree(&host);
        }
    }
    assert!(made > 5_000, "{made}");
}
