//! Guests that do anything: what must hold whatever they do.

use fastrand::Rng;
use sluice_abi::smmu::Record;
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::mmio::Width;
use sluice_vmm::smmu::{COMMAND_QUEUE_BITS, Features, Interrupt, Stage1};

use crate::guest::{COMMANDS, DESCRIPTORS, EVENTS, FEATURES, Guest, RAM_BYTES, STREAMS, at};
use crate::world::Call;

const SIDS: [u32; 4] = [0, 0x18, 0x40, 0x1234];
/// Guests, each with [`STEPS`] things that it does.
const GUESTS: u64 = 300;
const STEPS: usize = 400;

/// A number that is likely to mean something somewhere.
fn number(rng: &mut Rng) -> u64 {
    match rng.u32(0..8) {
        0 => rng.u64(..),
        1 => 1 << rng.u32(0..64),
        2 => rng.u64(0..0x400),
        3 => [STREAMS, COMMANDS, EVENTS, DESCRIPTORS][rng.usize(0..4)] | rng.u64(0..0x40),
        4 => RAM_BASE + RAM_BYTES - rng.u64(0..0x100),
        5 => u64::MAX << rng.u32(0..64),
        6 => DESCRIPTORS | rng.u64(0..0x40) << 6 | 0b1011,
        _ => 0,
    }
}

fn command(rng: &mut Rng) -> [u64; 2] {
    const OPCODES: [u64; 13] = [0x01, 0x03, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x46, 0x46];
    let op = if rng.u32(0..60) == 0 { rng.u64(0..0x100) } else { OPCODES[rng.usize(0..OPCODES.len())] };
    let sid = u64::from(SIDS[rng.usize(0..SIDS.len())]);
    match rng.u32(0..4) {
        0 => [sid << 32 | op, rng.u64(0..32)],
        1 => [sid << 32 | rng.u64(0..8) << 12 | op, number(rng)],
        2 => [rng.u64(..) << 32 | rng.u64(0..32) << 12 | op, number(rng)],
        _ => [number(rng) & !0xff | op, number(rng)],
    }
}

fn offset(rng: &mut Rng) -> u64 {
    const LIKELY: [u64; 14] = [
        at::CR0,
        at::GBPA,
        at::IRQ_CTRL,
        at::GERRORN,
        at::STRTAB_BASE,
        at::STRTAB_BASE_CFG,
        at::CMDQ_BASE,
        at::CMDQ_PROD,
        at::CMDQ_PROD,
        at::CMDQ_CONS,
        at::EVENTQ_BASE,
        at::EVENTQ_PROD,
        at::EVENTQ_CONS,
        at::CR1,
    ];
    match rng.u32(0..10) {
        0 => rng.u64(..),
        1 => rng.u64(0..0x2_0010),
        2 => rng.u64(0..0x110) | rng.u64(0..2) << 16,
        _ => LIKELY[rng.usize(0..LIKELY.len())],
    }
}

/// Does one thing, and counts what it cost.
fn step(guest: &mut Guest, rng: &mut Rng) -> Vec<Call> {
    guest.machine.ram.reads.set(0);
    guest.machine.ram.written.clear();
    let commands: Vec<[u64; 2]> = (0..rng.usize(0..8)).map(|_| command(rng)).collect();
    match rng.u32(0..12) {
        0..4 => return guest.commands(&commands),
        4 => guest.machine.ram.store(STREAMS + 8 * rng.u64(0..0x800), number(rng)),
        5 => {
            let sid = u64::from(SIDS[rng.usize(0..3)]);
            let config = [0b1001, 0b1011, 0b1011, 0b1111, 0b0001][rng.usize(0..5)];
            let word0 = number(rng) & (0xff_ffff_ffc0 | 3 << 59) | config;
            guest.entry(sid, word0, number(rng) & !(1 << 27 | 3 << 30));
        }
        6 => {
            let flags = rng.u64(..) & 0xf_ffff_0000_00ff & !Record::STAGE2 | rng.u64(0..2) << 3;
            guest.fault(
                rng.usize(0..5),
                [0x10, 0x11, 0x0a, 0x08, rng.u64(0..0x30)][rng.usize(0..5)],
                flags,
                number(rng),
            );
        }
        7 => {
            // A driver that mends what it broke, so that something happens at all.
            guest.write(at::CR0, 0);
            guest.write64(at::STRTAB_BASE, STREAMS);
            guest.write(at::STRTAB_BASE_CFG, [8, 0x1_0210][rng.usize(0..2)]);
            guest.write64(at::CMDQ_BASE, COMMANDS | 8);
            guest.write64(at::EVENTQ_BASE, EVENTS | 7);
            guest.restart_queue();
            guest.write(at::GERRORN, guest.read(at::GERROR));
            guest.write(at::IRQ_CTRL, rng.u32(0..8));
            guest.write(at::CR0, 0xd);
        }
        8 if rng.u32(0..20) == 0 => guest.reset(),
        _ => guest.access(offset(rng), Width::ALL[rng.usize(0..4)], number(rng)),
    }
    guest.calls()
}

/// The bounds that the SMMU's documentation states, for two writes at most: a doubleword.
fn within_bounds(guest: &Guest, calls: &[Call]) {
    let (commands, streams) = (1 << COMMAND_QUEUE_BITS, SIDS.len());
    assert!(guest.machine.ram.reads.get() <= 9 * (commands + (commands + 1) * 2 * streams));
    assert!(calls.len() <= 9 * (commands * 2 * streams + 3));
    assert!(guest.machine.ram.written.len() <= 9 * (commands + 1) * streams);
}

/// What holds between any two accesses.
fn holds(guest: &Guest) {
    for offset in (0..0x100).chain(0x1_0000..0x1_0100).step_by(4) {
        guest.read(offset);
    }
    let cr0 = guest.read(at::CR0);
    assert_eq!(guest.read(at::CR0ACK), cr0);
    // Whatever was written: the command queue is empty, stopped, or disabled.
    let bits = (guest.read(at::CMDQ_BASE) & 0x1f).min(COMMAND_QUEUE_BITS);
    let mask = (2 << bits) - 1;
    let empty = (guest.read(at::CMDQ_PROD) ^ guest.read(at::CMDQ_CONS)) & mask == 0;
    assert!(empty || guest.errors() & 1 != 0 || cr0 & 8 == 0);
    if cr0 & 1 == 0 {
        let expected = if guest.read(at::GBPA) >> 20 & 1 == 1 { Stage1::Abort } else { Stage1::Bypass };
        assert!(guest.machine.stage1.iter().all(|stage1| *stage1 == expected));
    }
}

#[test]
fn memory_that_changes_while_it_is_read_is_as_harmless() {
    let mut calls = 0;
    for seed in 0..GUESTS / 3 {
        let mut rng = Rng::with_seed(seed);
        let mut guest = Guest::new(FEATURES, &SIDS);
        guest.machine.ram.neighbour = Some(rng.fork()).into();
        for _ in 0..STEPS {
            let asked = step(&mut guest, &mut rng);
            within_bounds(&guest, &asked);
            holds(&guest);
            calls += asked.len();
        }
    }
    assert!(calls > 1000, "{calls}");
}

#[test]
fn no_guest_gets_more_than_the_kernel_gives() {
    let mut seen = [0usize; 6];
    for seed in 0..GUESTS {
        let mut rng = Rng::with_seed(seed);
        let features = Features {
            ssid_bits: rng.u32(0..5),
            range_invalidation: rng.bool(),
            wide_asids: rng.bool(),
            granule_16k: rng.bool(),
            ..FEATURES
        };
        let mut guest = Guest::new(features, &SIDS);
        for _ in 0..STEPS {
            let irq_before = guest.read(at::IRQ_CTRL);
            let calls = step(&mut guest, &mut rng);
            within_bounds(&guest, &calls);
            holds(&guest);
            let enabled = irq_before | guest.read(at::IRQ_CTRL);
            for call in &calls {
                let kind = match call {
                    Call::Stage1(_, Stage1::Table(_)) => 0,
                    Call::Stage1(..) => 1,
                    Call::Invalidate(..) => 2,
                    Call::Interrupt(Interrupt::Events) => 3,
                    Call::Interrupt(Interrupt::Sync) => 4,
                    Call::Interrupt(Interrupt::Errors) => 5,
                };
                assert!(kind != 3 || enabled & 4 != 0);
                assert!(kind != 5 || enabled & 1 != 0);
                seen[kind] += 1;
            }
        }
    }
    println!("scope: virtual SMMU, {GUESTS} random guests of {STEPS} steps: calls by kind {seen:?}");
    assert!(seen.iter().all(|count| *count > 1000), "something did not happen: {seen:?}");
}
