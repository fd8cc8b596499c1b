//! Regions in address spaces: who has them mapped, and with which rights.

use sluice_spec::{Map, Region};

use super::fixture::{RO, RW};
use super::*;

/// The frames that a component has mapped at `at`, and with which rights.
fn seen(fake: &Fake, index: usize, at: core::ops::Range<u64>) -> Vec<(u64, CapRights)> {
    let space = thread(fake, index).space;
    at.step_by(0x1000).map(|at| fake.translate(space, at).map(|(base, map)| (base, map.rights)).unwrap()).collect()
}

#[test]
fn a_region_is_mapped_where_the_spec_says_with_its_rights_and_nowhere_else() {
    let mut system = system();
    let region = system.regions.len() as u32;
    system.regions.push(Region { name: "words".into(), size: 0x4000, frame_bits: 12, contents: None });
    for (index, perms) in [(DRIVER, RW), (ROGUE, RO)] {
        system.components[index].maps.push(Map { region, perms, cached: true, vaddr: None, frames: false });
    }
    let (fake, outcome) = boot_on(TREE, system, usize::MAX);
    assert_eq!(outcome, Ok(()));
    let of = |index| {
        let regions = manifest(&fake, index).regions;
        let words = regions.iter().find(|region| region.name == "words").unwrap();
        seen(&fake, index, words.vaddr..words.vaddr + words.size)
    };
    let (written, read) = (of(DRIVER), of(ROGUE));
    assert_eq!(written.len(), 4);
    assert!(written.iter().zip(&read).all(|(one, other)| one.0 == other.0));
    assert!(written.iter().all(|(_, rights)| *rights == CapRights::READ | CapRights::WRITE));
    assert!(read.iter().all(|(_, rights)| *rights == CapRights::READ));
    // Each frame is mapped once by each of the two, and by nobody else.
    for (index, times) in [(CONSOLE, 0), (DRIVER, 1), (ROGUE, 1)] {
        let mapped = fake.spaces[&thread(&fake, index).space].mappings.values();
        let ours = mapped.filter(|map| written.iter().any(|(base, _)| *base == map.base)).count();
        assert_eq!(ours, times * written.len(), "component {index}");
    }
}
