extern crate std;

use proptest::prelude::*;
use std::vec::Vec;

use super::*;

#[test]
fn the_lowest_fitting_addresses_are_given() {
    let mut ranges = Ranges::new(0x1800, 0x8000);
    assert_eq!(ranges.allocate(0x1000, 0x1000), Ok(0x2000));
    assert_eq!(ranges.allocate(0x800, 0x800), Ok(0x1800), "what alignment skipped is still free");
    assert_eq!(ranges.allocate(0x6000, 0x1000), Err(RangeError::Full));
    assert_eq!(ranges.allocate(0x5000, 0x1000), Ok(0x3000));
    assert_eq!(ranges.free(), []);
    assert_eq!(ranges.allocate(1, 1), Err(RangeError::Full));
}

#[test]
fn nothing_is_given_beyond_a_device_s_width() {
    let mut narrow = Ranges::for_device(28, 44, 0x1_0000);
    assert_eq!(narrow.free(), [Range { start: 0x1_0000, end: 1 << 28 }]);
    assert_eq!(narrow.reserve((1 << 28) - 0x1000, 0x2000), Err(RangeError::Taken));
    assert_eq!(Ranges::for_device(64, 44, 0).free(), [Range { start: 0, end: 1 << 44 }]);
    assert_eq!(Ranges::for_device(12, 44, 0x1_0000).free(), [], "too narrow for anything");
}

#[test]
fn malformed_requests_are_refused() {
    let mut ranges = Ranges::new(0, 0x1000);
    assert_eq!(ranges.allocate(0, 1), Err(RangeError::Shape));
    assert_eq!(ranges.allocate(1, 3), Err(RangeError::Shape));
    assert_eq!(ranges.allocate(u64::MAX, 1), Err(RangeError::Full));
    assert_eq!(ranges.reserve(u64::MAX, 2), Err(RangeError::Shape));
    assert_eq!(ranges.release(0, 0x1000), Err(RangeError::Foreign), "free already");
    assert_eq!(ranges.release(0x1000, 0x1000), Err(RangeError::Foreign), "outside");
    assert_eq!(ranges.free(), [Range { start: 0, end: 0x1000 }]);
}

const PAGES: u64 = 64;

#[derive(Clone, Debug)]
enum Step {
    Allocate { size: u64, align_bits: u32 },
    Reserve { start: u64, size: u64 },
    Release { start: u64, size: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..10u64, 0..4u32).prop_map(|(size, align_bits)| Step::Allocate { size, align_bits }),
        (0..PAGES + 8, 1..10u64).prop_map(|(start, size)| Step::Reserve { start, size }),
        (0..PAGES + 8, 1..10u64).prop_map(|(start, size)| Step::Release { start, size }),
    ]
}

/// One flag for each address: the simplest thing that can be right.
struct Model(Vec<bool>);

impl Model {
    fn all(&self, start: u64, size: u64, free: bool) -> bool {
        (start..start + size).all(|at| at >= 4 && self.0.get(at as usize) == Some(&free))
    }

    fn set(&mut self, start: u64, size: u64, free: bool) {
        self.0[start as usize..(start + size) as usize].fill(free);
    }

    fn lowest(&self, size: u64, align: u64) -> Option<u64> {
        (0..PAGES).step_by(align as usize).find(|start| self.all(*start, size, true))
    }

    fn free(&self) -> Vec<Range> {
        let mut parts: Vec<Range> = Vec::new();
        for at in (0..PAGES).filter(|at| self.0[*at as usize]) {
            match parts.last_mut() {
                Some(last) if last.end == at => last.end = at + 1,
                Some(_) | None => parts.push(Range { start: at, end: at + 1 }),
            }
        }
        parts
    }
}

proptest! {
    #[test]
    fn every_step_agrees_with_a_map_of_flags(steps in prop::collection::vec(step(), 1..120)) {
        let mut ranges = Ranges::new(4, PAGES);
        let mut model = Model((0..PAGES).map(|at| at >= 4).collect());
        for step in steps {
            let before = ranges.clone();
            let done = match step {
                Step::Allocate { size, align_bits } => {
                    let expected = model.lowest(size, 1 << align_bits);
                    prop_assert_eq!(ranges.allocate(size, 1 << align_bits).ok(), expected);
                    expected.inspect(|start| model.set(*start, size, false)).is_some()
                }
                Step::Reserve { start, size } => {
                    let expected = model.all(start, size, true);
                    prop_assert_eq!(ranges.reserve(start, size).is_ok(), expected);
                    if expected { model.set(start, size, false) }
                    expected
                }
                Step::Release { start, size } => {
                    let expected = model.all(start, size, false);
                    prop_assert_eq!(ranges.release(start, size).is_ok(), expected);
                    if expected { model.set(start, size, true) }
                    expected
                }
            };
            prop_assert_eq!(ranges.free(), model.free());
            prop_assert!(done || ranges == before, "a refusal changed something");
        }
    }
}
