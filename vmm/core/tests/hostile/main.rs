//! What the hostile guest of `vmm/hostile` does to registers, done to the machine on the host: the same accesses, and others
//! at random. Nothing panics, and what is asked of the real machine stays within what the guest was given.

mod board;

use fastrand::Rng;
use sluice_hostile::access::{Access, SWEEPS, VALUES, WIDTHS};
use sluice_hostile::place;
use sluice_vmm::layout;
use sluice_vmm::machine::Next;

use board::{Board, SLOTS};

#[test]
fn the_guest_knows_where_things_are() {
    assert_eq!(place::DISTRIBUTOR, layout::DISTRIBUTOR.base);
    assert_eq!(
        (place::REDISTRIBUTORS, place::REDISTRIBUTOR_BYTES),
        (layout::REDISTRIBUTORS.base, layout::REDISTRIBUTOR_STRIDE)
    );
    assert_eq!((place::UART, place::SMMU), (layout::UART.base, layout::SMMU.base));
    assert_eq!(
        (place::WINDOW, place::ECAM, place::RAM),
        (layout::PCI_WINDOW.base, layout::ECAM.base, layout::RAM_BASE)
    );
}

#[test]
fn every_access_of_the_hostile_guest_is_answered() {
    let mut board = Board::new();
    let mut made = 0;
    for access in SWEEPS.iter().flat_map(|sweep| sweep.accesses()) {
        assert_eq!(board.access(access), Some(()), "{access:x?}");
        made += 1;
    }
    assert!(made > 30_000, "{made} accesses");
    board.assert_confined();
}

#[test]
fn functions_that_are_not_there_keep_nothing() {
    let mut board = Board::new();
    let before: Vec<_> = SLOTS.into_iter().map(|slot| board.configuration(slot)).collect();
    for slot in (0..32).filter(|slot| !SLOTS.contains(slot)) {
        for at in (0..0x1000).step_by(4) {
            let address = place::ECAM + (u64::from(slot) << 15) + at;
            board.access(Access { address, bytes: 4, write: Some(u64::MAX) });
        }
    }
    let after: Vec<_> = SLOTS.into_iter().map(|slot| board.configuration(slot)).collect();
    assert!(before == after, "a write to nobody's configuration space arrived");
}

#[test]
fn where_nothing_is_the_guest_is_told_so() {
    let mut board = Board::new();
    for address in place::NOWHERE {
        for write in [None, Some(u64::MAX)] {
            for bytes in WIDTHS {
                assert_eq!(board.access(Access { address, bytes, write }), None, "{address:#x}");
            }
        }
    }
}

#[test]
fn words_in_any_order_move_nothing_out_of_the_guests_reach() {
    let mut rng = Rng::with_seed(11);
    for _ in 0..40 {
        let mut board = Board::new();
        board.fill(&mut rng);
        for _ in 0..3000 {
            let sweep = SWEEPS[rng.usize(..SWEEPS.len())];
            let address = match rng.u8(..4) {
                0 => rng.u64(sweep.from..sweep.to),
                1 => place::ECAM + (u64::from(SLOTS[rng.usize(..2)]) << 15) + rng.u64(..0x100),
                2 => place::SMMU + (rng.u64(..2) << 16) + rng.u64(0x20..0xb0),
                _ => place::ECAM + (u64::from(SLOTS[rng.usize(..2)]) << 15) + 4 * rng.u64(1..6),
            };
            let value = match rng.u8(..5) {
                0 => rng.u64(..),
                1 => place::RAM + (rng.u64(..place::RAM_BYTES) & !7),
                2 => place::NOWHERE[rng.usize(..place::NOWHERE.len())] | rng.u64(..64),
                3 => rng.u64(..16),
                _ => VALUES[rng.usize(..VALUES.len())],
            };
            let write = (rng.u8(..8) > 0).then_some(value);
            board.access(Access { address, bytes: WIDTHS[rng.usize(..4)], write });
            if rng.u8(..16) == 0 {
                board.forge(&mut rng);
            }
        }
        board.assert_confined();
    }
}

/// Whether the processor goes on behind its access.
pub(crate) fn goes_on(next: Next) -> Option<()> {
    match next {
        Next::Step { bytes: 4, .. } => Some(()),
        Next::Take(_) => None,
        Next::Step { .. } | Next::Wait { .. } | Next::Stop | Next::Start { .. } | Next::Off | Next::Reset => {
            panic!("an access came to {next:?}")
        }
    }
}
