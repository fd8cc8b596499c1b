//! Another processor of the guest writes to what the VMM reads, between any two of its looks: what comes of it is what would have come
//! of memory that stays as it is.

use fastrand::Rng;
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::smmu::Features;

use crate::guest::{DESCRIPTORS, FEATURES, Guest, STREAMS, SYNC, at};
use crate::world::Call;

const SID: u64 = 0x18;
/// Second-level tables: apart from everything else, so that nothing is read for two reasons.
const SECOND: u64 = RAM_BASE + 0x2_0000;
const GUESTS: u64 = 40;
const STEPS: usize = 120;

/// Most entries and descriptors are good, and one flipped bit away from one that is not.
fn entry(rng: &mut Rng) -> [u64; 2] {
    let config = [0b1001, 0b1011, 0b1011, 0b1011, 0b1111, 0b0001, 0b0000][rng.usize(0..7)];
    [(DESCRIPTORS + 64 * rng.u64(0..64)) | config, rng.u64(..) & 0xff]
}

fn command(rng: &mut Rng) -> [u64; 2] {
    let all = [
        [SID << 32 | 0x01, 0],
        [SID << 32 | 0x03, 1],
        [SID << 32 | 0x03, 1],
        [0x04, 31],
        [SID << 32 | 0x05, 1],
        [SID << 32 | 0x06, 0],
        [0x11 | rng.u64(..) << 48, 0],
        [0x12 | rng.u64(0..4) << 12, rng.u64(..) & !0xfff | 1],
        [0x30, 0],
        SYNC,
    ];
    all[rng.usize(0..all.len())]
}

/// Everything that the guest, and whoever looks at the machine, can tell.
fn seen(guest: &Guest, calls: Vec<Call>) -> (Vec<Call>, Vec<u64>, Vec<u32>) {
    let registers = (0..0x100).chain(0x1_0000..0x1_0100).step_by(4).map(|offset| guest.read(offset)).collect();
    (calls, guest.machine.ram.written.clone(), registers)
}

/// Does the same twice: while memory changes with every look, and in memory that is all the time what was seen of it. How many looks
/// there were, and whether the outcome is another than without anybody's interference.
fn explained(guest: &mut Guest, rng: &mut Rng, act: impl Fn(&mut Guest) -> Vec<Call>) -> (usize, usize) {
    guest.machine.ram.written.clear();
    let mut alone = guest.clone();
    let mut still = guest.clone();
    guest.machine.ram.looks.borrow_mut().clear();
    guest.machine.ram.neighbour = Some(rng.fork()).into();
    let calls = act(guest);
    guest.machine.ram.neighbour = None.into();
    let looks = guest.machine.ram.looks.borrow().clone();
    for (position, (at, bytes)) in looks.iter().enumerate() {
        let is_again =
            looks[..position].iter().any(|(from, of)| *from < at + bytes.len() as u64 && *at < from + of.len() as u64);
        assert!(!is_again, "{at:#x} is looked at again: {looks:x?}");
    }
    still.machine.ram.still = looks.clone();
    let expected = act(&mut still);
    assert_eq!(seen(guest, calls.clone()), seen(&still, expected), "{looks:x?}");
    let undisturbed = act(&mut alone);
    (looks.len(), usize::from(undisturbed != calls))
}

#[test]
fn what_changes_between_two_looks_is_as_if_it_had_stayed() {
    let (mut looks, mut others) = (0, 0);
    for seed in 0..GUESTS {
        let mut rng = Rng::with_seed(seed);
        let features = Features { range_invalidation: rng.bool(), ..FEATURES };
        let mut guest = Guest::running(features, &[SID as u32]);
        let two_levels = rng.bool();
        if two_levels {
            guest.write(at::CR0, 0xc);
            guest.write(at::STRTAB_BASE_CFG, 0x1_0000 | 6 << 6 | 8);
            guest.write(at::CR0, 0xd);
        }
        for _ in 0..STEPS {
            let table = if two_levels { SECOND } else { STREAMS };
            let [word0, word1] = entry(&mut rng);
            guest.machine.ram.store(table + 64 * SID + 8, word1);
            guest.machine.ram.store(table + 64 * SID, word0);
            if two_levels {
                guest.machine.ram.store(STREAMS, SECOND | rng.u64(5..9));
            }
            let command = command(&mut rng);
            let (some, other) = explained(&mut guest, &mut rng, |guest| guest.commands(&[command]));
            looks += some;
            others += other;
            if guest.errors() != 0 {
                guest.write(at::GERRORN, guest.read(at::GERROR));
                guest.write(at::CR0, 5);
                guest.restart_queue();
                guest.write(at::CR0, 0xd);
                guest.calls();
            }
            if rng.u32(0..8) == 0 {
                guest.write(at::CR0, 0xc);
                guest.calls();
                let (some, other) = explained(&mut guest, &mut rng, |guest| {
                    guest.write(at::CR0, 0xd);
                    guest.calls()
                });
                looks += some;
                others += other;
            }
        }
    }
    println!("scope: virtual SMMU, memory that changes: {looks} looks, {others} outcomes that are others for it");
    assert!(looks > 3000 && others > 200, "{looks} looks, {others} others");
}
