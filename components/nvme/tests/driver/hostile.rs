//! A controller that lies: the driver ends with an error, never with a panic or a read outside its memory.

use proptest::prelude::*;
use sluice_abi::Iova;
use sluice_nvme::stream::{self, Buffer};
use sluice_nvme::{Data, Error, Operation, Violation};

use crate::fake::{BUFFER_AT, Handle, Nature};

fn read_with(forge: fn([u64; 2]) -> [u64; 2]) -> Result<(), Error> {
    let machine = Handle::new(Nature { forge, ..Nature::default() });
    let mut driver = machine.open().expect("opens");
    let read = Operation::Read { lba: 0, blocks: 1, data: Data::At(Iova(BUFFER_AT)) };
    stream::single(&mut driver, &mut machine.clone(), read).map(|_| ())
}

#[test]
fn forged_completions_are_violations() {
    let unknown = |id| Err(Error::Protocol(Violation::UnknownCommand(id)));
    assert_eq!(read_with(|[low, high]| [low, high | 0xffff << 32]), unknown(0xffff));
    assert_eq!(read_with(|[low, high]| [low, high | 5 << 32]), unknown(5));
    assert_eq!(read_with(|[low, high]| [low, high | 62 << 32]), unknown(62));
    let wrong = read_with(|[low, high]| [low, high & !0xffff_0000 | 7 << 16]);
    assert_eq!(wrong, Err(Error::Protocol(Violation::WrongQueue(7))));
    let head = read_with(|[low, high]| [low, high & !0xffff | 2]);
    assert_eq!(head, Err(Error::Protocol(Violation::Head(2))));
    let far = read_with(|[low, high]| [low, high | 0xffff]);
    assert_eq!(far, Err(Error::Protocol(Violation::Head(0xffff))));
    assert_eq!(read_with(|words| words), Ok(()));
}

#[test]
fn a_command_cannot_end_twice() {
    let machine = Handle::new(Nature { forge: |[low, high]| [low, high & !(0xffff << 32)], ..Nature::default() });
    let mut driver = machine.open().expect("opens");
    let buffer = Buffer { iova: Iova(BUFFER_AT), chunk: 4096, slots: 32 };
    let result = stream::read_all(&mut driver, &mut machine.clone(), buffer, |_| ());
    assert_eq!(result, Err(Error::Protocol(Violation::UnknownCommand(0))));
}

#[test]
fn a_stale_head_makes_the_queue_busy_and_no_more() {
    let machine = Handle::new(Nature { forge: |[low, high]| [low, high & !0xffff], ..Nature::default() });
    let mut driver = machine.open().expect("opens");
    let buffer = Buffer { iova: Iova(BUFFER_AT), chunk: 4096, slots: 32 };
    let result = stream::read_all(&mut driver, &mut machine.clone(), buffer, |_| ());
    assert_eq!(result, Err(Error::Busy));
    assert_eq!(driver.outstanding(), 0);
}

#[test]
fn silence_is_bounded() {
    let machine = Handle::new(Nature { silent_io: true, ..Nature::default() });
    let mut driver = machine.open().expect("opens");
    let result = stream::single(&mut driver, &mut machine.clone(), Operation::Flush);
    assert_eq!(result, Err(Error::TimedOut { what: "a transfer", ms: 30_000 }));
}

#[test]
fn a_controller_that_vanishes_is_noticed() {
    let machine = Handle::new(Nature { silent_io: true, ..Nature::default() });
    let mut driver = machine.open().expect("opens");
    machine.0.borrow_mut().nature.absent = true;
    assert_eq!(stream::single(&mut driver, &mut machine.clone(), Operation::Flush), Err(Error::Absent));
}

fn scramble(words: [u64; 2], seed: u64) -> [u64; 2] {
    let noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match seed % 3 {
        0 => words,
        1 => [noise, words[1] ^ (noise & 0xffff_ffff)],
        _ => [noise, words[1] ^ noise],
    }
}

thread_local! {
    static SEED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

proptest! {
    #[test]
    fn random_completions_never_panic(seed: u64) {
        SEED.set(seed);
        let forge = |words| {
            SEED.set(SEED.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            scramble(words, SEED.get() >> 20)
        };
        let machine = Handle::new(Nature { forge, seed, blocks: 2048, ..Nature::default() });
        let mut driver = machine.open().expect("opens");
        let buffer = Buffer { iova: Iova(BUFFER_AT), chunk: 4096, slots: 63 };
        let result = stream::read_all(&mut driver, &mut machine.clone(), buffer, |_| ());
        prop_assert!(result.is_err() || machine.0.borrow().io_commands == 256);
    }

    #[test]
    fn random_answers_to_identify_never_panic(
        cap: u64, mdts: u8, block_bits in 0u8..64, metadata: u8, sq: u8, cq: u8, blocks in 0u64..1 << 20,
    ) {
        let nature = Nature { cap, mdts, metadata, entry_sizes: (sq, cq), ..Nature::default() };
        let machine = Handle::new(nature);
        machine.0.borrow_mut().nature.block_bits = block_bits;
        machine.0.borrow_mut().nature.blocks = blocks;
        if let Ok(driver) = machine.open() {
            let namespace = driver.namespace();
            prop_assert!(namespace.blocks > 0 && namespace.bytes() >> namespace.block_bits == namespace.blocks);
            prop_assert!(driver.depth() >= 1 && driver.identity().max_transfer >= namespace.block_bytes());
        }
    }
}
