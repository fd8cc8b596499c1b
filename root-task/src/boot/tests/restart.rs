//! Components that end, and begin again.

use super::*;
use crate::supervisor::Fate;

const DISK_STREAM: StreamId = StreamId { smmu: 0, sid: 0x10 };
const EDU_STREAM: StreamId = StreamId { smmu: 0, sid: 0x08 };

/// Boots, ends a component with this fate so many times, and says what the root task held in between.
fn ended(component: usize, fate: Fate, times: usize) -> (Fake, BTreeMap<(u64, u64), Cap>) {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let mut before = BTreeMap::new();
    let outcome = boot_then(&mut fake, TREE, system(), |running| {
        before = running.kernel().slots.clone();
        for _ in 0..times {
            running.kernel().steps.clear();
            running.end(component, fate);
        }
    });
    assert_eq!(outcome, Ok(()));
    (fake, before)
}

#[test]
fn a_device_is_silent_cut_off_and_reset_before_memory_is_taken_back() {
    let (fake, _) = ended(DRIVER, Fate::Again, 1);
    let at = |step: Step| fake.steps.iter().position(|seen| *seen == step).unwrap_or_else(|| panic!("no {step:?}"));
    let order = [
        at(Step::Quiet(DISK)),
        at(Step::Unbound(DISK_STREAM)),
        at(Step::Reset(DISK)),
        at(Step::Revoked),
        at(Step::Bound(DISK_STREAM)),
        at(Step::Mastering(DISK)),
    ];
    assert!(order.is_sorted(), "{:?}", fake.steps);
    assert!(matches!(fake.steps.last(), Some(Step::Resumed(_))), "and it runs last");
    let revoked = fake.steps.iter().rposition(|step| *step == Step::Revoked).unwrap();
    assert!(revoked < at(Step::Bound(DISK_STREAM)));
    assert!(!fake.steps.contains(&Step::Unbound(EDU_STREAM)) && !fake.steps.contains(&Step::Quiet(EDU)));
}

#[test]
fn a_life_leaves_nothing_and_takes_nothing() {
    for times in [1, 2, 5] {
        let (fake, before) = ended(DRIVER, Fate::Again, times);
        assert!(fake.slots == before, "capabilities are the same, over the same memory");
        assert_eq!(manifest(&fake, DRIVER).life as usize, times);
        assert_eq!(manifest(&fake, ROGUE).life, 0);
        let said =
            fake.lines.iter().filter(|line| line.starts_with("driver starts life") && line.ends_with(", as at first"));
        assert_eq!(said.count(), times, "{:#?}", fake.lines);
    }
}

#[test]
fn memory_of_its_own_is_cleared_and_shared_memory_is_kept() {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let mut system = system();
    system.components[ROGUE].maps.push(Map { region: 2, perms: fixture::RO, cached: true, vaddr: None, frames: false });
    system.components[DRIVER].maps.push(Map {
        region: 2,
        perms: fixture::RW,
        cached: true,
        vaddr: None,
        frames: false,
    });
    let shared = sluice_spec::Region { name: "shared".into(), size: 0x1000, frame_bits: 12, contents: None };
    system.regions.push(shared);
    let outcome = boot_then(&mut fake, TREE, system, |running| {
        let fake = running.kernel();
        let space = thread(fake, DRIVER).space;
        let regions = manifest(fake, DRIVER).regions;
        for region in &regions {
            let (physical, _) = fake.translate(space, region.vaddr).unwrap();
            fake.memory.insert(physical >> 12, std::vec![0xaa; 0x1000]);
        }
        let (stack, _) = fake.translate(space, layout::STACK_TOP - 8).unwrap();
        fake.memory.insert(stack >> 12, std::vec![0xaa; 0x1000]);
        running.end(DRIVER, Fate::Again);
    });
    assert_eq!(outcome, Ok(()));
    let space = thread(&fake, DRIVER).space;
    let regions = manifest(&fake, DRIVER).regions;
    let first = |name: &str| fake.read(space, regions.iter().find(|region| region.name == name).unwrap().vaddr, 8);
    assert_eq!(first("ring"), [0; 8]);
    assert_eq!(first("shared"), [0xaa; 8]);
    assert_eq!(fake.read(space, layout::STACK_TOP - 8, 8), [0; 8]);
}

#[test]
fn frame_records_on_its_stack_say_where_it_was() {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let mut entry = 0;
    let outcome = boot_then(&mut fake, TREE, system(), |running| {
        let fake = running.kernel();
        entry = thread(fake, DRIVER).entry;
        let space = thread(fake, DRIVER).space;
        // One record at the end of a page, the caller's on the next.
        let records = [(layout::STACK_TOP - 0x1010, layout::STACK_TOP - 0x20), (layout::STACK_TOP - 0x20, 0)];
        for (number, (at, caller)) in (1..).zip(records) {
            for (at, word) in [(at, caller), (at + 8, entry + 4 * number)] {
                let (physical, _) = fake.translate(space, at).unwrap();
                let page = fake.memory.entry(physical >> 12).or_insert_with(|| std::vec![0; 0x1000]);
                page[physical as usize & 0xfff..][..8].copy_from_slice(&word.to_le_bytes());
            }
        }
        fake.frame_pointer = layout::STACK_TOP - 0x1010;
        let slots = fake.slots.clone();
        running.end(DRIVER, Fate::Again);
        assert!(running.kernel().slots == slots);
    });
    assert_eq!(outcome, Ok(()));
    let expected = std::format!("driver backtrace {entry:#x} {:#x} {:#x}", entry + 4, entry + 8);
    assert!(fake.lines.contains(&expected), "{expected}: {:#?}", fake.lines);
}

#[test]
fn what_cannot_be_reset_stays_stopped_and_reaches_nothing() {
    let (fake, _) = ended(ROGUE, Fate::Again, 1);
    assert!(fake.lines.iter().any(|line| line == "rogue stays stopped: edu has no reset"), "{:#?}", fake.lines);
    assert!(!fake.bindings.contains_key(&8) && fake.bindings.contains_key(&0x10));
    assert!(!fake.steps.iter().any(|step| matches!(step, Step::Mastering(_) | Step::Resumed(_))));
    assert_eq!(fake.threads.len(), 2);
}

#[test]
fn who_is_not_to_live_again_is_taken_back_all_the_same() {
    let (fake, _) = ended(DRIVER, Fate::Over, 1);
    assert!(
        !fake.bindings.contains_key(&0x10) && !fake.contexts.contains_key(&2) && !fake.interrupts.contains_key(&37)
    );
    assert_eq!(fake.threads.len(), 2);
    assert!(fake.bindings.contains_key(&8), "its neighbour keeps what it has");
}

#[test]
fn wherever_the_kernel_refuses_a_next_life_nothing_masters_memory() {
    let mut patience = 0;
    loop {
        let mut fake = Fake::new(&UNTYPEDS, host());
        let outcome = boot_then(&mut fake, TREE, system(), |running| {
            running.kernel().patience = patience;
            running.end(DRIVER, Fate::Again);
            running.kernel().patience = usize::MAX;
        });
        assert_eq!(outcome, Ok(()));
        let refused = fake.lines.iter().any(|line| line.starts_with("driver stays stopped"));
        let masters = crate::pci::Access::read(&fake.host, DISK, 4) & 4 != 0;
        assert!(!(refused && masters), "after {patience} invocations");
        if !refused {
            break;
        }
        patience += 11;
        assert!(patience < 10_000, "it is refused whatever happens: {:#?}", fake.lines);
    }
    assert!(patience > 100);
}
