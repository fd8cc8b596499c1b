extern crate std;

use proptest::prelude::*;
use std::vec::Vec;

use super::*;

const DISK: Format = Format { block_bytes: 512, blocks: 1000, max_transfer: 1 << 18 };
const MEMORY: Iova = Iova(0x2_0000);

fn grant(first: u64, blocks: u64) -> Grant<'static> {
    Grant { first, blocks, region: "own" }
}

/// 100 blocks from 500 on, and 16 KiB.
fn share() -> Share {
    grant(500, 100).share(&DISK, MEMORY, 1 << 14).unwrap()
}

fn read(words: &[u64]) -> Result<Request, Refusal> {
    share().admit(READ, words)
}

#[test]
fn a_client_reaches_all_that_it_has() {
    let last = Transfer { lba: 599, blocks: 1, memory: Iova(0x2_0000 + 31 * 512) };
    assert_eq!(read(&[99, 1, 31]), Ok(Request::Read(last)));
    assert_eq!(share().admit(WRITE, &[99, 1, 31]), Ok(Request::Write(last)));
    let most = Transfer { lba: 568, blocks: 32, memory: MEMORY };
    assert_eq!(read(&[68, 32, 0]), Ok(Request::Read(most)));
    assert_eq!(share().admit(GEOMETRY, &[]), Ok(Request::Geometry([512, 100, 32, 512])));
    assert_eq!(share().admit(FLUSH, &[9]), Ok(Request::Flush));
}

#[test]
fn a_client_reaches_nothing_else() {
    let cases: [(&[u64], Refusal); 14] = [
        (&[], Refusal::Words),
        (&[0, 1], Refusal::Words),
        (&[0, 0, 0], Refusal::Count),
        (&[0, 513, 0], Refusal::Count),
        (&[0, u64::MAX, 0], Refusal::Count),
        (&[100, 1, 0], Refusal::Blocks),
        (&[99, 2, 0], Refusal::Blocks),
        (&[u64::MAX, 1, 0], Refusal::Blocks),
        (&[u64::MAX - 499, 1, 0], Refusal::Blocks),
        (&[0, 1, 32], Refusal::Memory),
        (&[0, 2, 31], Refusal::Memory),
        (&[0, 1, u64::MAX], Refusal::Memory),
        (&[0, 1, u64::MAX / 512 + 1], Refusal::Memory),
        (&[0, 33, 0], Refusal::Memory),
    ];
    for (words, refusal) in cases {
        assert_eq!(read(words), Err(refusal), "{words:?}");
        assert_eq!(share().admit(WRITE, words), Err(refusal), "{words:?}");
    }
    for label in [0, GEOMETRY - 1, FLUSH + 1, u64::MAX] {
        assert_eq!(share().admit(label, &[0, 1, 0]), Err(Refusal::Label));
    }
}

#[test]
fn arguments_are_read_or_quoted() {
    assert_eq!(Grant::parse(" 8 16  app "), Ok(Grant { first: 8, blocks: 16, region: "app" }));
    for text in ["", "8", "8 16", "8 16 a b", "x 16 a", "8 -1 a", "8 99999999999999999999 a"] {
        assert_eq!(Grant::parse(text), Err(Flaw::Form(text)));
    }
}

#[test]
fn grants_that_are_not_apart_are_refused() {
    let check = |grants: &[Grant<'static>]| grants.iter().try_for_each(|grant| grant.check(grants, &DISK, "queue"));
    let named = |first, blocks, region| Grant { first, blocks, region };
    assert_eq!(check(&[named(0, 10, "a"), named(10, 990, "b")]), Ok(()));
    assert!(matches!(check(&[named(0, 11, "a"), named(10, 5, "b")]), Err(Flaw::Overlap(..))));
    assert!(matches!(check(&[named(0, 100, "a"), named(10, 5, "b")]), Err(Flaw::Overlap(..))));
    assert_eq!(check(&[named(0, 10, "a"), named(10, 5, "a")]), Err(Flaw::Region("a")));
    assert_eq!(check(&[named(0, 10, "queue")]), Err(Flaw::Region("queue")));
    for (first, blocks) in [(0, 0), (0, 1001), (1000, 1), (u64::MAX, 2)] {
        assert_eq!(check(&[grant(first, blocks)]), Err(Flaw::Blocks(grant(first, blocks))));
    }
    for (memory, bytes) in [(MEMORY, 511), (Iova(u64::MAX - 100), 512)] {
        assert_eq!(grant(0, 1).share(&DISK, memory, bytes), Err(Flaw::Small("own")));
    }
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..40, 90u64..110, 490u64..620, Just(u64::MAX), any::<u64>()]
}

proptest! {
    #[test]
    fn whatever_a_message_says_it_stays_in_the_share(
        label in prop_oneof![GEOMETRY..=FLUSH, any::<u64>()],
        words in prop::collection::vec(word(), 0..6),
        block_bits in 9u32..=12,
        memory in 0u64..1 << 40,
        bytes in 4096u64..1 << 20,
    ) {
        let disk = Format { block_bytes: 1 << block_bits, ..DISK };
        let share = grant(500, 100).share(&disk, Iova(memory), bytes).unwrap();
        if let Ok(Request::Read(transfer) | Request::Write(transfer)) = share.admit(label, &words) {
            let blocks = u64::from(transfer.blocks);
            prop_assert!(transfer.lba >= 500 && transfer.lba + blocks <= 600);
            prop_assert!(transfer.memory.0 >= memory);
            prop_assert!(transfer.memory.0 + (blocks << block_bits) <= memory + bytes);
            prop_assert!(blocks > 0 && blocks << block_bits <= disk.max_transfer);
            let asked: Vec<u64> = words.iter().copied().take(2).collect();
            prop_assert_eq!(asked, [transfer.lba - 500, blocks]);
        }
    }
}
