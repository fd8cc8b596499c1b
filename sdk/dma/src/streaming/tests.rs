use super::*;
use crate::testing::{Fake, frame};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use proptest::prelude::*;

const WINDOW: Window = Window { pages: 8, ticks: 100 };

fn pool(how: Invalidation) -> Streaming<Fake> {
    Streaming::new(Space::new(Fake::default(), 40, []).expect("nothing is taken"), how)
}

fn map(pool: &mut Streaming<Fake>, first: u64, count: u64) -> Mapping {
    let frames: Vec<_> = (first..first + count).map(frame).collect();
    pool.map(&[Extent::of(&frames, FrameSize::Small)], Access::ReadWrite).expect("room")
}

fn fake(pool: &mut Streaming<Fake>) -> &mut Fake {
    pool.space().effects()
}

fn reached(pool: &mut Streaming<Fake>) -> usize {
    fake(pool).reached.len()
}

#[test]
fn a_strict_pool_has_no_window() {
    let mut pool = pool(Invalidation::Strict);
    let mapping = map(&mut pool, 1, 3);
    pool.unmap(mapping).expect("mapped");
    assert_eq!((reached(&mut pool), pool.pending(), pool.exposure()), (0, 0, Exposure::default()));
}

#[test]
fn a_deferred_pool_takes_a_block_away_at_once() {
    let mut pool = pool(Invalidation::Deferred(WINDOW));
    for page in 0..8 {
        let mapping = map(&mut pool, page, 1);
        pool.unmap(mapping).expect("mapped");
    }
    assert_eq!((reached(&mut pool), pool.pending()), (8, 8), "the window is real: the device still reaches the pages");
    let mapping = map(&mut pool, 8, 1);
    pool.unmap(mapping).expect("mapped");
    assert_eq!((reached(&mut pool), pool.pending()), (0, 0), "the ninth page is one too many");
    assert_eq!(fake(&mut pool).invalidations, 1, "one invalidation for nine pages");
    assert_eq!(pool.exposure(), Exposure { ticks: 0, pages: 8, blocks: 1, singles: 0 });
}

#[test]
fn a_window_ends_with_time_too() {
    let mut pool = pool(Invalidation::Deferred(WINDOW));
    let mapping = map(&mut pool, 1, 2);
    pool.unmap(mapping).expect("mapped");
    fake(&mut pool).now = WINDOW.ticks - 1;
    pool.expire().expect("nothing is refused");
    assert_eq!(reached(&mut pool), 2);
    fake(&mut pool).now = WINDOW.ticks + 5;
    pool.expire().expect("nothing is refused");
    assert_eq!((reached(&mut pool), pool.exposure().ticks), (0, WINDOW.ticks + 5));
}

#[test]
fn a_mapping_in_use_is_not_taken_away_with_its_neighbours() {
    let mut pool = pool(Invalidation::Deferred(WINDOW));
    let kept = map(&mut pool, 100, 1);
    let gone = map(&mut pool, 200, 2);
    pool.unmap(gone).expect("mapped");
    pool.flush().expect("nothing is refused");
    assert_eq!(fake(&mut pool).reached.get(&kept.iova()), Some(&100));
    assert_eq!((reached(&mut pool), pool.exposure().singles), (1, 2));
    pool.unmap(kept).expect("mapped");
    pool.flush().expect("nothing is refused");
    assert_eq!(reached(&mut pool), 0);
}

#[test]
fn large_pages_and_long_rows_are_taken_away_at_once() {
    let mut pool = pool(Invalidation::Deferred(WINDOW));
    let frames = [frame(5)];
    let large = pool.map(&[Extent::of(&frames, FrameSize::Large)], Access::Read).expect("room");
    let long = map(&mut pool, 1000, CAPACITY + 1);
    pool.unmap(large).expect("mapped");
    pool.unmap(long).expect("mapped");
    assert_eq!((reached(&mut pool), pool.pending()), (0, 0));
}

#[test]
fn a_refused_mapping_leaves_the_pool_as_it_was() {
    let mut pool = pool(Invalidation::Deferred(WINDOW));
    fake(&mut pool).refuse_after = Some(1);
    let frames = [frame(1), frame(2)];
    assert!(pool.map(&[Extent::of(&frames, FrameSize::Small)], Access::Read).is_err());
    fake(&mut pool).refuse_after = None;
    assert_eq!((reached(&mut pool), pool.pending()), (0, 0));
    let mapping = map(&mut pool, 1, 1);
    pool.unmap(mapping).expect("mapped");
    pool.flush().expect("nothing is refused");
    assert!(fake(&mut pool).derived.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Map(u64),
    Unmap(prop::sample::Index),
    Wait(u64),
    Expire,
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40u64).prop_map(Step::Map),
        4 => any::<prop::sample::Index>().prop_map(Step::Unmap),
        1 => (0..60u64).prop_map(Step::Wait),
        1 => Just(Step::Expire),
        1 => Just(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn the_device_reaches_what_is_mapped_and_little_else(steps in prop::collection::vec(step(), 1..80)) {
        let mut pool = pool(Invalidation::Deferred(WINDOW));
        let mut live: Vec<(Mapping, u64)> = Vec::new();
        let mut next = 0;
        for step in steps {
            let flushed = matches!(step, Step::Flush);
            match step {
                Step::Map(count) => {
                    live.push((map(&mut pool, next, count), next));
                    next += count;
                }
                Step::Unmap(index) if !live.is_empty() => {
                    let (mapping, _) = live.swap_remove(index.index(live.len()));
                    pool.unmap(mapping).expect("mapped");
                    prop_assert!(pool.pending() <= WINDOW.pages);
                }
                Step::Unmap(_) => {}
                Step::Wait(ticks) => fake(&mut pool).now += ticks,
                Step::Expire => pool.expire().expect("nothing is refused"),
                Step::Flush => pool.flush().expect("nothing is refused"),
            }
            let mut wanted = BTreeMap::new();
            for (mapping, first) in &live {
                for page in 0..mapping.bytes() / FrameSize::Small.bytes() {
                    wanted.insert(mapping.iova().offset(page * FrameSize::Small.bytes()), first + page);
                }
            }
            let pending = pool.pending();
            let reached = &fake(&mut pool).reached;
            prop_assert!(wanted.iter().all(|(at, memory)| reached.get(at) == Some(memory)));
            prop_assert_eq!(reached.len(), wanted.len() + pending);
            prop_assert!(!flushed || pending == 0);
        }
    }
}
