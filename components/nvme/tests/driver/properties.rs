//! Laws of the pure parts: PRP lists, rings, identifiers, status.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use sluice_abi::Iova;
use sluice_nvme::ids::CommandIds;
use sluice_nvme::prp::{self, List, PrpError};
use sluice_nvme::ring::{CompletionRing, SubmissionRing};
use sluice_nvme::status::{Kind, Status};

const LIST: List = List { iova: Iova(0x7000_0200), entries: 64 };

proptest! {
    #[test]
    fn pages_cover_exactly_the_range(start in 0u64..1 << 40, bytes in 1u64..=260 * 1024) {
        let start = start & !3;
        let mut list = Vec::new();
        let result = prp::build(Iova(start), bytes, LIST, |index, page| {
            assert_eq!(index, list.len());
            list.push(page.0);
        });
        let touched = (start + bytes - 1) / 4096 - start / 4096 + 1;
        if touched > 65 {
            prop_assert_eq!(result, Err(PrpError::TooLong));
            prop_assert!(list.is_empty());
            return Ok(());
        }
        let pointers = result.expect("fits");
        let mut pages = vec![pointers.first.0];
        match touched {
            1 => prop_assert_eq!(pointers.second.0, 0),
            2 => pages.push(pointers.second.0),
            _ => {
                prop_assert_eq!(pointers.second, LIST.iova);
                pages.extend(&list);
            }
        }
        prop_assert_eq!(list.is_empty(), touched <= 2);
        prop_assert_eq!(pages.len() as u64, touched);
        let mut at = start;
        let mut left = bytes;
        for page in pages {
            prop_assert_eq!(page, at);
            let piece = left.min(4096 - page % 4096);
            at += piece;
            left -= piece;
        }
        prop_assert_eq!(left, 0);
    }

    #[test]
    fn a_list_never_crosses_a_page(offset in 0u64..512, pages in 3u64..600) {
        let list = List { iova: Iova(0x7000_0000 + offset * 8), entries: 4096 };
        let mut last = None;
        let result = prp::build(Iova(0x1000), pages * 4096, list, |index, _| last = Some(index as u64));
        let room = 512 - offset;
        prop_assert_eq!(result.is_ok(), pages - 1 <= room);
        prop_assert_eq!(last, result.is_ok().then_some(pages - 2));
    }

    #[test]
    fn a_submission_ring_is_a_bounded_queue(entries in 2u16..70, steps in prop::collection::vec((any::<bool>(), any::<u16>()), 0..400)) {
        let mut ring = SubmissionRing::new(entries);
        let mut model = VecDeque::new();
        let (mut next, mut head) = (0, 0);
        for (push, number) in steps {
            if push {
                let slot = ring.push();
                if model.len() == usize::from(entries) - 1 {
                    prop_assert_eq!(slot, None);
                } else {
                    prop_assert_eq!(slot, Some(next));
                    model.push_back(next);
                    next = (next + 1) % entries;
                }
                prop_assert_eq!(ring.tail(), next);
            } else {
                let ahead = (number % entries + entries - head) % entries;
                let accepted = ring.consumed_up_to(number % entries).is_ok();
                prop_assert_eq!(accepted, usize::from(ahead) <= model.len());
                if accepted {
                    model.drain(..usize::from(ahead));
                    head = number % entries;
                }
                prop_assert!(ring.consumed_up_to(entries.saturating_add(number)).is_err());
            }
        }
    }

    #[test]
    fn the_phase_tag_flips_with_each_pass(entries in 2u16..70, pops in 0u32..1000) {
        let mut ring = CompletionRing::new(entries);
        for _ in 0..pops {
            ring.pop();
        }
        prop_assert_eq!(u32::from(ring.head()), pops % u32::from(entries));
        prop_assert_eq!(ring.phase(), (pops / u32::from(entries)) % 2 == 0);
    }

    #[test]
    fn an_identifier_is_never_outstanding_twice(limit in 1u16..80, steps in prop::collection::vec((any::<bool>(), 0u16..90), 0..500)) {
        let mut ids = CommandIds::new(limit);
        let mut model = BTreeSet::new();
        let most = usize::from(limit.min(64));
        for (take, number) in steps {
            if take {
                match ids.take() {
                    Some(id) => prop_assert!(model.insert(id.index()) && usize::from(id.index()) < most),
                    None => prop_assert_eq!(model.len(), most),
                }
            } else {
                prop_assert_eq!(ids.end(number).map(|id| id.index()), model.take(&number));
            }
            prop_assert_eq!(usize::from(ids.outstanding()), model.len());
        }
    }

    #[test]
    fn only_zero_code_and_type_is_success(field in 0u16..1 << 15) {
        let status = Status::decode(field);
        prop_assert_eq!(status.is_ok(), field & 0x7ff == 0);
        if let Err(status) = status {
            prop_assert_eq!(status.do_not_retry, field & 0x4000 != 0);
            prop_assert_eq!(status.more, field & 0x2000 != 0);
            let expected = format!("{:#04x}", field & 0xff);
            prop_assert!(status.to_string().contains(&expected));
        }
    }
}

#[test]
fn unnameable_ranges_are_refused() {
    let never = |_, _| panic!("an entry for a range that was refused");
    assert_eq!(prp::build(Iova(0x1000), 0, LIST, never), Err(PrpError::Empty));
    assert_eq!(prp::build(Iova(0x1002), 512, LIST, never), Err(PrpError::Misaligned));
    assert_eq!(prp::build(Iova(!0xfff), 4097, LIST, never), Err(PrpError::Wraps));
    assert!(prp::build(Iova(!0xfff), 4096, LIST, never).is_ok());
}

#[test]
fn status_texts_name_the_cause() {
    let text = |field| Status::decode(field).expect_err("a failure").to_string();
    assert_eq!(text(0x0004), "data transfer error (generic 0x04)");
    assert_eq!(text(0x4080), "LBA out of range (generic 0x80, do not retry)");
    assert_eq!(text(0x0101), "invalid queue identifier (command-specific 0x01)");
    assert_eq!(text(0x0280), "write fault (media 0x80)");
    assert_eq!(text(0x0370), "host pathing error (path 0x70)");
    assert_eq!(text(0x0712), "unknown status (vendor 0x12)");
    assert_eq!(text(0x0412), "unknown status (reserved 0x12)");
    assert_eq!(Status::decode(0x0500).expect_err("a failure").kind, Kind::Other { kind: 5, code: 0 });
}
