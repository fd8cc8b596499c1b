//! Interrupts of functions that go to the guest by themselves.

use fastrand::Rng;
use sluice_vmm::layout::{DISTRIBUTOR, ECAM, RAM_BASE};
use sluice_vmm::machine::Next;

use crate::{Board, cpu};

/// The function in slot 4 has the first line, 35.
const SLOT: u8 = 4;
const LINE: u16 = 35;
const BIT: u32 = 1 << (LINE - 32);

const ISENABLER: u64 = DISTRIBUTOR.base + 0x104;
const ICENABLER: u64 = DISTRIBUTOR.base + 0x184;
const ISPENDR: u64 = DISTRIBUTOR.base + 0x204;
const ISACTIVER: u64 = DISTRIBUTOR.base + 0x304;
const IPRIORITYR: u64 = DISTRIBUTOR.base + 0x420;
const IROUTER: u64 = DISTRIBUTOR.base + 0x6000 + 8 * LINE as u64;
const ICFGR: u64 = DISTRIBUTOR.base + 0xc08;
const COMMAND: u64 = ECAM.base + ((SLOT as u64) << 15) + 4;
const WFI: u32 = 0x0600_0000;

fn board() -> Board {
    with_forwarding(Board::new(1))
}

fn with_forwarding(mut board: Board) -> Board {
    board.world.forwards = true;
    board.store(DISTRIBUTOR.base, 2);
    for bank in 1..4 {
        board.store(DISTRIBUTOR.base + 0x80 + 4 * bank, u32::MAX);
    }
    board.store(ISENABLER, BIT);
    board
}

#[test]
fn an_interrupt_comes_and_ends_without_the_machine() {
    let mut board = board();
    for _ in 0..3 {
        assert!(!board.world.comes(SLOT, false), "nobody is told");
        assert_eq!(board.world.pending(0), [LINE]);
        assert_eq!(board.world.end(0), Some((None, LINE)));
        assert!(board.world.active.is_empty(), "it can come again");
    }
    assert_eq!(board.world.functions, [0u8; 0], "nobody had to let it");
}

#[test]
fn who_waits_is_woken_by_what_came_by_itself() {
    let mut board = board();
    assert_eq!(board.exit(0, WFI, 0, &[]), Next::Wait { bytes: 4, load: None });
    assert!(!board.machine.is_signalled(cpu(0)));
    board.comes(SLOT, true);
    assert!(board.machine.is_signalled(cpu(0)));
    board.machine.goes_on(cpu(0));
    assert!(!board.machine.is_signalled(cpu(0)), "once");
    // It came before the machine knows that the processor waits.
    board.world.end(0);
    board.comes(SLOT, true);
    assert_eq!(board.exit(0, WFI, 0, &[]), Next::Wait { bytes: 4, load: None });
    assert!(board.machine.is_signalled(cpu(0)));
}

#[test]
fn what_is_disabled_does_not_come_and_is_not_lost() {
    let mut board = board();
    board.comes(SLOT, false);
    board.store(ICENABLER, BIT);
    assert_eq!(board.world.pending(0), [0u16; 0]);
    assert_eq!(board.load(ISPENDR) & BIT, BIT, "its line is high");
    board.store(ISENABLER, BIT);
    assert_eq!(board.take(0), Some(LINE));
    assert_eq!(board.world.functions, [SLOT], "this one ended with somebody told of it");
    assert!(!board.world.comes(SLOT, false), "and the next is forwarded again");
    // So with the function's own way to disable it.
    board.store(COMMAND, 1 << 10);
    assert_eq!(board.world.pending(0), [0u16; 0]);
    board.store(COMMAND, 0);
    assert_eq!(board.take(0), Some(LINE));
}

#[test]
fn what_the_guest_handles_is_active_and_ends_once() {
    let mut board = board();
    board.comes(SLOT, false);
    board.world.begin(0);
    assert_eq!(board.load(ISACTIVER) & BIT, BIT);
    board.store(ICENABLER, BIT);
    assert_eq!(board.take(0), None, "it is in the handler");
    let (list_register, intid) = board.world.finish(0).expect("an end");
    assert_eq!(intid, LINE);
    board.machine.ended(&mut board.world, cpu(0), list_register);
    assert_eq!((board.world.functions.clone(), board.take(0)), (vec![SLOT], None));
}

#[test]
fn changes_hold_for_what_comes_next() {
    let mut board = board();
    board.store(IPRIORITYR, 0x4800_0000);
    board.comes(SLOT, false);
    assert_eq!(board.world.pending(0), [LINE]);
    board.take(0);
    board.store(ICFGR, 2 << 6);
    assert!(board.world.comes(SLOT, false), "edges are latched by the machine");
    board.machine.raise(&mut board.world, SLOT);
    assert_eq!(board.take(0), Some(LINE));
}

#[test]
fn a_processor_that_is_switched_off_leaves_its_interrupt_behind() {
    let mut board = with_forwarding(Board::new(2));
    board.call(0, &[0xc400_0003, 1, RAM_BASE, 0]);
    board.machine.psci.started(cpu(1));
    board.store(IROUTER, 1);
    board.comes(SLOT, false);
    assert_eq!((board.world.pending(0), board.world.pending(1)), (vec![], vec![LINE]));
    assert_eq!(board.call(1, &[0x8400_0002]), Next::Stop);
    // Nobody has emptied its list registers but the machine.
    assert_eq!(board.world.pending(1), [0u16; 0], "it was taken back");
    assert_eq!(board.world.functions, [0u8; 0], "and is not over");
    board.store(IROUTER, 0);
    assert_eq!(board.take(0), Some(LINE), "the other processor gets it");
    assert_eq!(board.world.functions, [SLOT]);
}

#[test]
fn what_is_in_hardware_when_the_guest_starts_again_can_come_again() {
    let mut board = board();
    board.comes(SLOT, false);
    board.world.empty(0);
    board.machine.reset(&mut board.world);
    assert_eq!(board.world.functions, [SLOT]);
    assert!(board.world.active.is_empty());
}

/// List registers are left for the rest, and lines that functions share do not go by themselves.
#[test]
fn not_every_line_is_forwarded() {
    let mut board = Board::with_interrupts(1);
    board.world.forwards = true;
    board.store(ISENABLER, 0);
    let told = (1..=4).filter(|slot| board.world.comes(*slot, false)).count();
    assert_eq!(told, 2, "two of four list registers are left");
}

/// Slots 4 and 8 have the same line. What comes from either comes from both, and has the handler look at both.
#[test]
fn functions_that_share_a_line_and_its_interrupt_are_forwarded_together() {
    let other = SLOT + 4;
    let apart = with_forwarding(Board::with_slots(1, &[SLOT, other]));
    assert!({ apart }.world.comes(SLOT, false), "two physical interrupts do not go into one list register");
    let mut board = Board::with_slots(1, &[SLOT, other]);
    board.world.shared = vec![(other, SLOT)];
    let mut board = with_forwarding(board);
    assert!(!board.world.comes(SLOT, false));
    assert_eq!(board.world.end(0), Some((None, LINE)));
    // One that the guest does not want could raise the interrupt that is forwarded.
    board.store(ECAM.base + (u64::from(other) << 15) + 4, 1 << 10);
    assert!(board.world.comes(SLOT, false));
    board.machine.raise(&mut board.world, SLOT);
    assert_eq!(board.take(0), Some(LINE));
    board.store(ECAM.base + (u64::from(other) << 15) + 4, 0);
    assert!(!board.world.comes(SLOT, false));
    // Taken back because of one, it is pending for both, and comes again when it has ended.
    board.store(COMMAND, 0);
    board.store(ICENABLER, BIT);
    board.store(ISENABLER, BIT);
    board.world.functions.clear();
    assert_eq!(board.take(0), Some(LINE));
    assert_eq!(board.world.functions, [SLOT, other]);
    assert!(!board.world.comes(SLOT, false));
}

/// Whatever the guest does to its interrupts meanwhile, each that comes is handled, and can come again.
#[test]
fn no_interrupt_is_lost() {
    let mut random = Rng::with_seed(5);
    let mut by_itself = 0;
    for _ in 0..200 {
        let mut board = board();
        board.store(ISENABLER, u32::MAX);
        for _ in 0..300 {
            match random.u8(..40) {
                0..10 => board.comes(random.u8(1..5), random.bool()),
                10..22 => drop(board.world.begin(0)),
                22..34 => {
                    if let Some((list_register, _)) = board.world.finish(0) {
                        by_itself += u32::from(list_register.is_none());
                        if list_register.is_some() {
                            board.machine.ended(&mut board.world, cpu(0), list_register);
                        }
                    }
                }
                34 => board.store(ICENABLER, random.u32(..)),
                35 => board.store(ISENABLER, random.u32(..)),
                36 => drop(board.load(ISACTIVER)),
                37 => board.store(DISTRIBUTOR.base, 2 * random.u32(..2)),
                38 => board.store(COMMAND, random.u32(..2) << 10),
                _ => board.store(IPRIORITYR + 4 * random.u64(..2), random.u32(..)),
            }
        }
        board.store(COMMAND, 0);
        board.store(ISENABLER, u32::MAX);
        board.store(DISTRIBUTOR.base, 2);
        for _ in 0..40 {
            if let Some((list_register, _)) = board.world.finish(0).or_else(|| board.world.end(0))
                && list_register.is_some()
            {
                board.machine.ended(&mut board.world, cpu(0), list_register);
            }
        }
        assert!(board.world.active.is_empty(), "{:?} will not come again", board.world.active);
    }
    assert!(by_itself > 500, "{by_itself} were forwarded and ended");
}
