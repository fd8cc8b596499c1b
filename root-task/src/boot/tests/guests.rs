//! Machine monitors: the capabilities of frames that each makes its guest's stage 2 of.

use std::vec;

use sluice_spec::{Component, Map, Region};

use super::fixture::{RW, component};
use super::*;

/// Where the frames of a region are that a component holds capabilities of, in order; nothing in the place of what is no frame.
fn granted(fake: &Fake, index: usize) -> Vec<Option<u64>> {
    let manifest = manifest(fake, index);
    let frames = manifest.regions[0].frames.as_ref().unwrap();
    let base = |slot| {
        let Some(Cap::Frame { base, bits, .. }) = cap(fake, index, slot) else { return None };
        (*bits == u32::from(frames.size_bits)).then_some(*base)
    };
    (frames.first..frames.first + frames.count).map(base).collect()
}

/// Every frame that a component holds a capability of, of any size: its first byte and the one behind its last.
fn held(fake: &Fake, index: usize) -> Vec<(u64, u64)> {
    let cnode = thread(fake, index).cnode;
    let caps = fake.slots.iter().filter(|((at, _), _)| *at == cnode).map(|(_, cap)| cap);
    let frames = caps.filter_map(|cap| {
        let Cap::Frame { base, bits, .. } = cap else { return None };
        Some((*base, base + (1 << bits)))
    });
    frames.collect()
}

/// The system with two more components: each with memory, and capabilities of its frames, as a guest's monitor has.
fn with_guests(first: (u64, u8), second: (u64, u8)) -> System {
    let mut system = system();
    for (name, (size, frame_bits)) in [("first", first), ("second", second)] {
        let region = system.regions.len() as u32;
        system.regions.push(Region { name: format!("{name}_ram"), size, frame_bits, contents: None });
        let ram = Map { region, perms: RW, cached: true, vaddr: None, frames: true };
        system.components.push(Component { maps: vec![ram], ..component(name, 60) });
    }
    system
}

#[test]
fn a_monitor_holds_the_frames_of_its_own_guest_and_of_no_other() {
    let guests = [ROGUE + 1, ROGUE + 2];
    for (first, second) in
        [((0x4000, 12), (0x4000, 12)), ((0x80_0000, 21), (0x40_0000, 21)), ((0x8000, 12), (0x40_0000, 21))]
    {
        let (fake, outcome) = boot_on(TREE, with_guests(first, second), usize::MAX);
        assert_eq!(outcome, Ok(()));
        for (index, (size, bits)) in guests.into_iter().zip([first, second]) {
            // What it maps for its guest is, frame by frame, what it has mapped itself.
            let region = manifest(&fake, index).regions[0].clone();
            let space = thread(&fake, index).space;
            let seen = (region.vaddr..region.vaddr + region.size).step_by(1 << bits);
            let seen: Vec<Option<u64>> = seen.map(|at| fake.translate(space, at).map(|(at, _)| at)).collect();
            assert_eq!((region.size, seen.len() as u64), (size, size >> bits));
            assert_eq!(granted(&fake, index), seen);
        }
        // No frame that a component of the system holds, or has mapped, is in the guests' memory.
        for index in 0..guests[1] + 1 {
            let space = thread(&fake, index).space;
            let mapped = fake.spaces[&space].mappings.values().map(|map| (map.base, map.base + (1 << map.bits)));
            let others: Vec<(u64, u64)> = held(&fake, index).into_iter().chain(mapped).collect();
            for guest in guests.into_iter().filter(|guest| *guest != index) {
                let ram = held(&fake, guest);
                assert!(!ram.is_empty());
                let shared = others.iter().find(|other| ram.iter().any(|own| own.0 < other.1 && other.0 < own.1));
                assert_eq!(shared, None, "component {index} has memory of guest {guest}");
            }
        }
    }
}
