//! What is told of guests, and when.

use std::vec;

use sluice_spec::{Map, Region};

use super::fixture::{RW, component};
use super::*;
use crate::supervisor::Fate;

const GUEST: usize = ROGUE + 1;
const AUDITED: &[u8; 15] = b"sluice.audit=on";

/// The system with a guest of 16 KiB.
fn with_guest() -> System {
    let mut system = system();
    let ram = system.regions.len() as u32;
    system.regions.push(Region { name: "ram".into(), size: 0x4000, frame_bits: 12, contents: None });
    system.regions.push(Region { name: "kernel".into(), size: 0x1000, frame_bits: 12, contents: Some(0) });
    let map = |region, frames| Map { region, perms: RW, cached: true, vaddr: None, frames };
    let guest = sluice_spec::Guest { ram, kernel: ram + 1, initrd: None, bootargs: String::new(), vcpus: 1 };
    let maps = vec![map(ram, true), map(ram + 1, false)];
    system.components.push(Component { maps, guest: Some(guest), ..component("guest", 60) });
    system
}

/// Boots with this command line, does `then`, and says what was printed and done from then on.
fn after(line: &[u8; 15], system: System, then: impl FnOnce(&mut Running<'_, &mut Fake>)) -> Fake {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let mut extra = extra(&with_command_line(TREE, line));
    extra.extend([EXTRA_DEBUG_CANARY, 24, 0x7fff_f000].iter().flat_map(|word| word.to_le_bytes()));
    let (payload, info) = (payload(system), info());
    let given = Given { info: &info, extra: &extra, payload: &payload };
    let mut running = boot(&mut fake, &given).map_err(|stop| format!("{stop}")).expect("a system");
    running.kernel().lines.clear();
    running.kernel().steps.clear();
    then(&mut running);
    drop(running);
    fake
}

/// The names behind `AUDIT WORD`, each with the next line.
fn told(fake: &Fake, word: &str) -> Vec<(String, String)> {
    let start = format!("AUDIT {word} ");
    let pairs = fake.lines.windows(2).filter_map(|pair| Some((pair[0].strip_prefix(&start)?, &pair[1])));
    pairs.map(|(name, next)| (name.to_string(), next.clone())).collect()
}

fn names(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_guest_that_is_made_is_told_of_with_all_that_its_monitor_is_made_of() {
    let fake = after(AUDITED, with_guest(), |running| running.guest(GUEST).expect("told"));
    assert_eq!(names(&told(&fake, "begin")), ["guest made"]);
    assert_eq!(fake.lines[fake.lines.len() - 2..], ["snapshot", "AUDIT end"]);
    assert_eq!(names(&told(&fake, "made")), ["guest"]);
    assert!(told(&fake, "space").is_empty(), "components are told of before they run");
    // Whatever the monitor has is in the memory that is told of: its guest's frames, its CNode and what it can make more of.
    let made = fake.lines.iter().filter_map(|line| line.strip_prefix("made of "));
    let made: Vec<(u64, u64)> = made
        .map(|line| {
            let (base, bits) = line.split_once(' ').unwrap();
            (number(base), number(base) + (1 << bits.parse::<u32>().unwrap()))
        })
        .collect();
    let cnode = thread(&fake, GUEST).cnode;
    let has = |at: u64| made.iter().any(|(from, to)| (*from..*to).contains(&at));
    assert!(has(cnode) && has(thread(&fake, GUEST).space) && !has(thread(&fake, ROGUE).cnode), "{made:x?}");
    let regions = told(&fake, "region");
    let ram = regions.iter().find(|(line, _)| line.starts_with("ram 0x0 ")).expect("a region");
    assert!(has(number(ram.0.rsplit(' ').next().unwrap())));
}

#[test]
fn a_guest_that_is_over_is_told_of_before_anything_is_taken_back() {
    for fate in [Fate::Over, Fate::Again] {
        let mut steps = (0, 0);
        let fake = after(AUDITED, with_guest(), |running| {
            running.end(GUEST, fate);
            let steps_of = |step: Step| running.builder.kernel.steps.iter().position(|seen| *seen == step);
            steps = (steps_of(Step::Shown).expect("shown"), steps_of(Step::Revoked).expect("taken back"));
            assert_eq!(running.guest(GUEST).is_ok(), fate == Fate::Again, "a guest is made by who lives");
            running.guest(ROGUE).expect("no guest to be told of");
            running.over().expect("told");
        });
        assert!(steps.0 < steps.1);
        let begun = told(&fake, "begin");
        let (moments, with_memory) = match fate {
            Fate::Again => (&["guest over", "guest made", "end"][..], 3),
            // Memory that is gone is nowhere.
            Fate::Over => (&["guest over", "end"][..], 1),
        };
        assert_eq!(names(&begun), moments);
        assert_eq!(names(&told(&fake, "made")), std::vec!["guest"; moments.len()]);
        let ram = fake.lines.iter().filter(|line| line.starts_with("AUDIT region ram ")).count();
        assert_eq!(ram, with_memory, "{:#?}", fake.lines);
    }
}

#[test]
fn nothing_is_told_of_unasked_or_where_there_is_no_guest() {
    let quiet = after(b"sluice.audit=no", with_guest(), |running| {
        running.guest(GUEST).expect("nothing to tell");
        running.end(GUEST, Fate::Again);
        running.over().expect("nothing to tell");
    });
    let without = after(AUDITED, system(), |running| {
        running.end(DRIVER, Fate::Again);
        running.over().expect("nothing to tell");
    });
    for fake in [quiet, without] {
        assert!(!fake.lines.iter().any(|line| line.contains("AUDIT")), "{:#?}", fake.lines);
    }
}
