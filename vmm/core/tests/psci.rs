//! Calls to firmware.

use fastrand::Rng;
use sluice_vmm::layout::{MAX_PROCESSORS, RAM_BASE, Range};
use sluice_vmm::processor::Processor;
use sluice_vmm::psci::{Psci, State};
use sluice_vmm::smccc::{self, NOT_SUPPORTED, Outcome, SUCCESS};

const RAM: Range = Range { base: RAM_BASE, size: 0x1000_0000 };
const ENTRY: u64 = RAM_BASE + 0x8_0000;

const PSCI_VERSION: u64 = 0x8400_0000;
const CPU_SUSPEND: u64 = 0x8400_0001;
const CPU_OFF: u64 = 0x8400_0002;
const CPU_ON: u64 = 0x8400_0003;
const CPU_ON_64: u64 = 0xc400_0003;
const AFFINITY_INFO: u64 = 0x8400_0004;
const AFFINITY_INFO_64: u64 = 0xc400_0004;
const MIGRATE_INFO_TYPE: u64 = 0x8400_0006;
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;
const PSCI_FEATURES: u64 = 0x8400_000a;
const SYSTEM_RESET2: u64 = 0x8400_0012;
const SIXTY_FOUR: u64 = 1 << 30;

const INVALID_PARAMETERS: u64 = -2i64 as u64;
const ALREADY_ON: u64 = -4i64 as u64;
const ON_PENDING: u64 = -5i64 as u64;
const INTERNAL_FAILURE: u64 = -6i64 as u64;
const INVALID_ADDRESS: u64 = -9i64 as u64;

fn cpu(index: usize) -> Processor {
    Processor::new(index).expect("a processor")
}

fn call(psci: &mut Psci, function: u64, arguments: [u64; 3]) -> Outcome {
    smccc::call(psci, Processor::FIRST, function, arguments)
}

#[test]
fn what_there_is_is_said_and_what_is_said_is_there() {
    let supported = [
        PSCI_VERSION,
        CPU_SUSPEND,
        CPU_SUSPEND | SIXTY_FOUR,
        CPU_OFF,
        CPU_ON,
        CPU_ON_64,
        AFFINITY_INFO,
        AFFINITY_INFO_64,
        MIGRATE_INFO_TYPE,
        SYSTEM_OFF,
        SYSTEM_RESET,
        PSCI_FEATURES,
        SYSTEM_RESET2,
        SYSTEM_RESET2 | SIXTY_FOUR,
    ];
    let psci = Psci::new(2, RAM);
    for function in (0x8400_0000..0x8400_0040u64).chain(0xc400_0000..0xc400_0040) {
        let features = call(&mut psci.clone(), PSCI_FEATURES, [function, 0, 0]);
        let is_there = supported.contains(&function);
        assert_eq!(features, Outcome::Return(if is_there { SUCCESS } else { NOT_SUPPORTED }), "{function:#x}");
        let outcome = call(&mut psci.clone(), function, [0, ENTRY, 0]);
        // MIGRATE_INFO_TYPE's 2, a version and the like are no refusals.
        assert_eq!(outcome != Outcome::Return(NOT_SUPPORTED) || function == PSCI_FEATURES, is_there, "{function:#x}");
    }
}

#[test]
fn calls_that_are_not_there_are_not_supported() {
    let mut psci = Psci::new(2, RAM);
    let before = psci.clone();
    for function in [
        0xffff_ffff,
        0,
        // Yielding, another owner, reserved bits, a number that PSCI does not have, TRNG, SDEI, vendor, a trusted system.
        0x0400_0003,
        0x8000_0003,
        0x8500_0003,
        0x8600_0003,
        0x8401_0003,
        0x8400_0020,
        0x8400_0050,
        0xc400_0053,
        0xc400_0020,
        0xc600_0000,
        0xbf00_ff01,
        // Suspend to RAM; SMCCC_ARCH_SOC_ID; the workarounds.
        0x8400_000e,
        0x8000_0002,
        0x8000_8000,
        0x8000_7fff,
        0x8000_3fff,
        // In the width that they do not have.
        CPU_OFF | SIXTY_FOUR,
        SYSTEM_OFF | SIXTY_FOUR,
        PSCI_VERSION | SIXTY_FOUR,
    ] {
        assert_eq!(call(&mut psci, function, [0, ENTRY, 0]), Outcome::Return(NOT_SUPPORTED), "{function:#x}");
    }
    assert_eq!(psci, before);
}

#[test]
fn versions_and_features_of_the_architecture() {
    let mut psci = Psci::new(1, RAM);
    for (function, argument, value) in [
        (PSCI_VERSION, 0, 0x1_0001),
        (0x8000_0000, 0, 0x1_0001),
        (PSCI_FEATURES, 0x8000_0000, SUCCESS),
        (PSCI_FEATURES, 0x8000_0001, NOT_SUPPORTED),
        (0x8000_0001, 0x8000_0000, SUCCESS),
        (0x8000_0001, 0x8000_0001, SUCCESS),
        (0x8000_0001, 0x8000_8000, NOT_SUPPORTED),
        (0x8000_0001, 0x8000_7fff, NOT_SUPPORTED),
        (0x8000_0001, 0x8000_3fff, NOT_SUPPORTED),
        (0x8000_0001, 0x8000_0002, NOT_SUPPORTED),
        (MIGRATE_INFO_TYPE, 0, 2),
        // The upper half of x0 is not part of the identifier.
        (0xdead_beef_8400_0000, 0, 0x1_0001),
    ] {
        assert_eq!(call(&mut psci, function, [argument, 0, 0]), Outcome::Return(value), "{function:#x} {argument:#x}");
    }
}

#[test]
fn a_processor_is_off_then_starting_then_on_then_off() {
    let mut psci = Psci::new(2, RAM);
    let info = |psci: &mut Psci, target| call(psci, AFFINITY_INFO_64, [target, 0, 0]);
    assert_eq!((psci.state(cpu(0)), psci.state(cpu(1))), (State::On, State::Off));
    assert_eq!((info(&mut psci, 0), info(&mut psci, 1)), (Outcome::Return(0), Outcome::Return(1)));
    let on = [1, ENTRY, 0x1234_5678_9abc_def0];
    assert_eq!(
        call(&mut psci, CPU_ON_64, on),
        Outcome::Start { processor: cpu(1), entry: ENTRY, context: 0x1234_5678_9abc_def0 }
    );
    assert_eq!(info(&mut psci, 1), Outcome::Return(2));
    assert_eq!(call(&mut psci, CPU_ON_64, on), Outcome::Return(ON_PENDING));
    psci.started(cpu(1));
    assert_eq!(info(&mut psci, 1), Outcome::Return(0));
    assert_eq!(call(&mut psci, CPU_ON_64, on), Outcome::Return(ALREADY_ON));
    assert_eq!(call(&mut psci, CPU_ON_64, [0, ENTRY, 0]), Outcome::Return(ALREADY_ON));
    assert_eq!(smccc::call(&mut psci, cpu(1), CPU_OFF, [0; 3]), Outcome::Stop);
    assert_eq!(info(&mut psci, 1), Outcome::Return(1));
    // News of a start that nobody asked for are none.
    psci.started(cpu(1));
    assert_eq!(psci.state(cpu(1)), State::Off);
    assert!(matches!(call(&mut psci, CPU_ON_64, on), Outcome::Start { .. }));
    assert_eq!(psci.not_started(cpu(1)), INTERNAL_FAILURE);
    assert_eq!(psci.state(cpu(1)), State::Off);
    assert!(!psci.all_off());
    assert_eq!(call(&mut psci, CPU_OFF, [0; 3]), Outcome::Stop);
    assert!(psci.all_off());
    psci.reset();
    assert_eq!(psci, Psci::new(2, RAM));
}

#[test]
fn starts_that_cannot_be_change_nothing() {
    let mut psci = Psci::new(2, RAM);
    let before = psci.clone();
    let end = RAM.base + RAM.size;
    for (function, target, entry, refusal) in [
        (CPU_ON_64, 2, ENTRY, INVALID_PARAMETERS),
        (CPU_ON_64, 8, ENTRY, INVALID_PARAMETERS),
        (CPU_ON_64, 0x101, ENTRY, INVALID_PARAMETERS),
        (CPU_ON_64, 1 << 32 | 1, ENTRY, INVALID_PARAMETERS),
        // Bits that no affinity has.
        (CPU_ON_64, 1 << 31 | 1, ENTRY, INVALID_PARAMETERS),
        (CPU_ON_64, 1 << 63 | 1, ENTRY, INVALID_PARAMETERS),
        (CPU_ON, u64::MAX, ENTRY, INVALID_PARAMETERS),
        (CPU_ON_64, 1, ENTRY + 2, INVALID_ADDRESS),
        (CPU_ON_64, 1, RAM.base - 4, INVALID_ADDRESS),
        (CPU_ON_64, 1, end, INVALID_ADDRESS),
        (CPU_ON_64, 1, 0, INVALID_ADDRESS),
        (CPU_ON_64, 1, !3, INVALID_ADDRESS),
        (CPU_ON_64, 1, 1 << 32 | ENTRY, INVALID_ADDRESS),
    ] {
        assert_eq!(call(&mut psci, function, [target, entry, 0]), Outcome::Return(refusal), "{target:#x} {entry:#x}");
        assert_eq!(psci, before);
    }
    let last = end - 4;
    assert!(matches!(call(&mut psci, CPU_ON_64, [1, last, 0]), Outcome::Start { entry, .. } if entry == last));
}

#[test]
fn a_narrow_call_has_narrow_arguments() {
    let mut psci = Psci::new(2, RAM);
    assert_eq!(
        call(&mut psci, CPU_ON, [0xffff_ffff_0000_0001, 0xffff_ffff_0000_0000 | ENTRY, u64::MAX]),
        Outcome::Start { processor: cpu(1), entry: ENTRY, context: 0xffff_ffff }
    );
    assert_eq!(call(&mut psci, AFFINITY_INFO, [0xffff_ffff_0000_0001, 0xffff_ffff_0000_0000, 0]), Outcome::Return(2));
}

#[test]
fn affinities_of_one_level_only() {
    let mut psci = Psci::new(2, RAM);
    for (target, level) in [(0, 1), (0, 3), (1, u64::MAX), (2, 0), (0x100, 0), (u64::MAX, 0)] {
        let outcome = call(&mut psci, AFFINITY_INFO_64, [target, level, 0]);
        assert_eq!(outcome, Outcome::Return(INVALID_PARAMETERS), "{target:#x} {level:#x}");
    }
}

#[test]
fn suspending_is_waiting() {
    let mut psci = Psci::new(2, RAM);
    let before = psci.clone();
    for (power_state, entry, outcome) in [
        (0, 0, Outcome::Suspend),
        (0x0300_ffff, 0, Outcome::Suspend),
        (0x0001_0000, ENTRY, Outcome::Suspend),
        (0x0001_0000, 0, Outcome::Return(INVALID_ADDRESS)),
        (0x0002_0000, ENTRY, Outcome::Return(INVALID_PARAMETERS)),
        (0x0400_0000, ENTRY, Outcome::Return(INVALID_PARAMETERS)),
        (0x8000_0000, ENTRY, Outcome::Return(INVALID_PARAMETERS)),
        (0xffff_ffff_0000_0000, 0, Outcome::Suspend),
    ] {
        for width in [0, SIXTY_FOUR] {
            assert_eq!(call(&mut psci, CPU_SUSPEND | width, [power_state, entry, 0]), outcome, "{power_state:#x}");
        }
    }
    assert_eq!(psci, before);
}

#[test]
fn the_machine_is_switched_off_and_started_again() {
    let mut psci = Psci::new(1, RAM);
    for (function, kind, outcome) in [
        (SYSTEM_OFF, 0, Outcome::Off),
        (SYSTEM_RESET, 0, Outcome::Reset),
        (SYSTEM_RESET2, 0, Outcome::Reset),
        (SYSTEM_RESET2 | SIXTY_FOUR, 0, Outcome::Reset),
        (SYSTEM_RESET2, 1, Outcome::Return(INVALID_PARAMETERS)),
        (SYSTEM_RESET2, 1 << 31, Outcome::Return(INVALID_PARAMETERS)),
    ] {
        assert_eq!(call(&mut psci, function, [kind, 0, 0]), outcome, "{function:#x} {kind:#x}");
    }
}

/// What Linux asks for from its probe to its power-off, in its order.
#[test]
fn linux_finds_its_firmware() {
    let mut psci = Psci::new(4, RAM);
    let value = |psci: &mut Psci, function, argument| {
        let Outcome::Return(value) = call(psci, function, [argument, 0, 0]) else { panic!("{function:#x}") };
        value as i32
    };
    assert_eq!(value(&mut psci, PSCI_VERSION, 0) >> 16, 1);
    assert_eq!(value(&mut psci, MIGRATE_INFO_TYPE, 0), 2);
    assert_eq!(value(&mut psci, PSCI_FEATURES, 0x8000_0000), 0, "there is SMCCC_VERSION");
    assert!(value(&mut psci, 0x8000_0000, 0) >= 0x1_0001);
    // TRNG's version, SOC_ID.
    assert!(value(&mut psci, 0x8400_0050, 0) < 0);
    assert!(value(&mut psci, 0x8000_0001, 0x8000_0002) < 0);
    assert_eq!(value(&mut psci, PSCI_FEATURES, CPU_SUSPEND | SIXTY_FOUR), 0, "original format");
    assert!(value(&mut psci, PSCI_FEATURES, 0xc400_000e) < 0);
    assert_eq!(value(&mut psci, PSCI_FEATURES, SYSTEM_RESET2 | SIXTY_FOUR), 0);
    for workaround in [0x8000_8000, 0x8000_7fff, 0x8000_3fff] {
        assert!(value(&mut psci, 0x8000_0001, workaround) < 0);
    }
    for target in 1..4 {
        let outcome = call(&mut psci, CPU_ON_64, [target, ENTRY, 0]);
        assert_eq!(outcome, Outcome::Start { processor: cpu(target as usize), entry: ENTRY, context: 0 });
        psci.started(cpu(target as usize));
    }
    // A processor goes, and another waits until it is gone.
    assert_eq!(smccc::call(&mut psci, cpu(3), CPU_OFF, [0; 3]), Outcome::Stop);
    assert_eq!(value(&mut psci, AFFINITY_INFO_64, 3), 1);
    assert_eq!(call(&mut psci, SYSTEM_OFF, [0; 3]), Outcome::Off);
}

#[test]
fn nothing_that_a_guest_asks_for_breaks_it() {
    let mut random = Rng::with_seed(4);
    for processors in 0..=MAX_PROCESSORS + 1 {
        let mut psci = Psci::new(processors, RAM);
        for _ in 0..20_000 {
            let function = match random.u8(..4) {
                0 => random.u64(..),
                _ => 0x8400_0000 | random.u64(..2) << 30 | random.u64(..0x20),
            };
            let caller = cpu(random.usize(..MAX_PROCESSORS));
            let argument = |random: &mut Rng| match random.u8(..3) {
                0 => random.u64(..),
                1 => random.u64(..10),
                _ => RAM.base + random.u64(..RAM.size),
            };
            let arguments = core::array::from_fn(|_| argument(&mut random));
            let before = psci.clone();
            match smccc::call(&mut psci, caller, function, arguments) {
                Outcome::Start { processor, entry, .. } => {
                    assert!(processor.index() < processors.min(MAX_PROCESSORS));
                    assert_eq!(before.state(processor), State::Off);
                    assert_eq!(psci.state(processor), State::Starting);
                    assert!(RAM.offset_of(entry).is_some());
                    if random.bool() {
                        psci.started(processor);
                    }
                }
                Outcome::Stop => assert_eq!(psci.state(caller), State::Off),
                Outcome::Return(_) | Outcome::Suspend | Outcome::Off | Outcome::Reset => assert_eq!(psci, before),
            }
        }
    }
}
