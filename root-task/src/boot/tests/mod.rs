//! Whole boots of a system with a driver, a rogue and a console, on the device tree of QEMU's `virt` machine.

mod audit;
mod callers;
mod edu;
mod fixture;
mod guests;
mod kernel;
mod modes;
mod objects;
mod pauses;
mod regions;
mod restart;
mod taken;

use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::vec::Vec;

use sluice_abi::bootinfo::{EXTRA_DEBUG_CANARY, EXTRA_FDT};
use sluice_abi::smmu::StreamId;
use sluice_abi::{CapRights, ObjectType, VmAttributes};
use sluice_manifest::{Manifest, layout, slot as fixed};
use sluice_spec::Location;

use super::*;
use fixture::{CONSOLE, DISK, DRIVER, EDU, ROGUE, TREE, UNTYPEDS, host, info, payload, system, with_command_line};
use kernel::{Cap, Fake, Step};

/// Ticks a second of the counter.
const TICKS: u64 = 1_000_000;

/// Extra boot information with a device tree.
fn extra(tree: &[u8]) -> Vec<u8> {
    let mut extra = EXTRA_FDT.to_le_bytes().to_vec();
    extra.extend((16 + tree.len() as u64).to_le_bytes());
    extra.extend(tree);
    extra
}

/// Boots; what became of the kernel even when the boot stopped.
fn boot_on(tree: &[u8], system: System, patience: usize) -> (Fake, Result<(), Stop>) {
    let mut fake = Fake::new(&UNTYPEDS, host());
    fake.patience = patience;
    let outcome = boot_then(&mut fake, tree, system, |_| ());
    (fake, outcome)
}

/// Boots, and does something to the system that runs.
fn boot_then(
    fake: &mut Fake,
    tree: &[u8],
    system: System,
    then: impl FnOnce(&mut Running<'_, &mut Fake>),
) -> Result<(), Stop> {
    let extra = extra(tree);
    let payload = payload(system);
    let info = info();
    let given = Given { info: &info, extra: &extra, payload: &payload };
    boot(fake, &given).map(|mut running| then(&mut running))
}

fn booted() -> Fake {
    let (fake, outcome) = boot_on(TREE, system(), usize::MAX);
    assert_eq!(outcome, Ok(()));
    fake
}

/// The threads in the order of the components: their objects were made in that order.
fn thread(fake: &Fake, component: usize) -> &kernel::Thread {
    fake.threads.values().nth(component).unwrap()
}

fn manifest(fake: &Fake, component: usize) -> Manifest {
    let thread = thread(fake, component);
    let [at, _, len] = thread.arguments;
    Manifest::decode(&fake.read(thread.space, at, len)).unwrap()
}

fn cap(fake: &Fake, component: usize, slot: u64) -> Option<&Cap> {
    fake.slots.get(&(thread(fake, component).cnode, slot))
}

#[test]
fn a_function_masters_memory_only_once_its_stream_is_bound() {
    let fake = booted();
    for (at, sid) in [(EDU, 0x08), (DISK, 0x10)] {
        let position = |step: &Step| fake.steps.iter().position(|seen| seen == step).unwrap();
        let bound = position(&Step::Bound(StreamId { smmu: 0, sid }));
        assert!(bound < position(&Step::Mastering(at)));
    }
    // One of them twice: it is seen at its SMMU first.
    assert_eq!(fake.steps.iter().filter(|step| matches!(step, Step::Mastering(_))).count(), 3);
}

#[test]
fn wherever_the_kernel_refuses_no_unbound_function_masters_memory() {
    let total = usize::MAX - booted().patience;
    assert!(total > 500);
    for patience in (0..total).step_by(7).chain(total - 5..total) {
        let (fake, outcome) = boot_on(TREE, system(), patience);
        assert!(matches!(outcome, Err(Stop::Refused { .. })), "{patience}: {outcome:?}");
        for (index, step) in fake.steps.iter().enumerate() {
            if let Step::Mastering(at) = step {
                let stream = StreamId { smmu: 0, sid: u32::from(at.rid()) };
                assert!(fake.steps[..index].contains(&Step::Bound(stream)));
            }
        }
    }
}

#[test]
fn threads_start_last_and_the_most_urgent_first() {
    let fake = booted();
    let resumed: Vec<u64> = fake.steps.iter().rev().take(3).rev().filter_map(resumed).collect();
    let by_component: Vec<u64> = fake.threads.keys().copied().collect();
    assert_eq!(resumed, [by_component[CONSOLE], by_component[ROGUE], by_component[DRIVER]]);
    let priorities: Vec<u8> = fake.threads.values().map(|thread| thread.priority).collect();
    assert_eq!(priorities, [200, 100, 120]);
    assert_eq!(fake.lines.last().map(String::as_str), Some("priority 199"));
}

fn resumed(step: &Step) -> Option<u64> {
    match step {
        Step::Resumed(thread) => Some(*thread),
        Step::Bound(_)
        | Step::Bypassed(_)
        | Step::Mastering(_)
        | Step::Quiet(_)
        | Step::Unbound(_)
        | Step::Reset(_)
        | Step::Revoked
        | Step::Shown => None,
    }
}

#[test]
fn a_component_starts_with_its_image_stack_and_manifest() {
    let fake = booted();
    let thread = thread(&fake, DRIVER);
    assert_eq!((thread.entry, thread.stack, thread.faults), (0x40_0000, layout::STACK_TOP, fixed::SUPERVISOR));
    assert_eq!(fake.read(thread.space, 0x40_0000, 10), b"code\x01\0\0\xd4\0\0");
    let access = |at| fake.translate(thread.space, at).map(|(_, mapping)| mapping);
    let code = access(0x40_0000).unwrap();
    assert!(code.rights == CapRights::READ && !code.attributes.contains(VmAttributes::EXECUTE_NEVER));
    let data = access(0x40_1000).unwrap();
    assert!(data.rights.contains(CapRights::WRITE) && data.attributes.contains(VmAttributes::EXECUTE_NEVER));
    assert_eq!(access(layout::MANIFEST).unwrap().rights, CapRights::READ);
    assert!(access(layout::STACK_TOP - 1).is_some() && access(layout::STACK_TOP - 0x4000).is_some());
    assert!(access(layout::STACK_TOP - 0x4001).is_none(), "the page below the stack is a guard");
    assert_eq!(access(layout::HEAP).map(|mapping| mapping.bits), Some(21));
    assert_eq!(access(layout::HEAP + 0x20_2fff).map(|mapping| mapping.bits), Some(12));
    assert!(access(layout::HEAP + 0x20_3000).is_none());
    let manifest = manifest(&fake, DRIVER);
    assert_eq!(manifest.name, "driver");
    assert_eq!(thread.guard, 64 - u64::from(manifest.cnode_bits));
    assert!(manifest.args.contains(&("smmu_base".into(), "0x9050000".into())));
}

#[test]
fn every_capability_is_the_one_the_manifest_names_and_there_is_no_other() {
    let fake = booted();
    for component in [CONSOLE, DRIVER, ROGUE] {
        let manifest = manifest(&fake, component);
        let cnode = thread(&fake, component).cnode;
        let held: BTreeSet<u64> = fake.slots.keys().filter(|(at, _)| *at == cnode).map(|(_, slot)| *slot).collect();
        let expected = (fixed::CNODE..=fixed::SUPERVISOR).chain(fixed::FIRST..manifest.first_free_slot);
        assert!(held.into_iter().eq(expected), "{}", manifest.name);
        let Some(Cap::Object { badge, rights, .. }) = cap(&fake, component, fixed::SUPERVISOR) else { panic!("none") };
        assert_eq!((*badge, *rights), (component as u64 + 1, CapRights::WRITE | CapRights::GRANT_REPLY));
    }
    let rogue = manifest(&fake, ROGUE);
    let edu = &rogue.devices[0];
    let manage = edu.manage.as_ref().unwrap();
    assert_eq!(cap(&fake, ROGUE, manage.sids[0]), Some(&Cap::Stream(StreamId { smmu: 0, sid: 8 })));
    assert!(matches!(cap(&fake, ROGUE, manage.cb), Some(Cap::Context(context)) if context.cb == 1));
    let space = fake.contexts[&1];
    assert!(matches!(cap(&fake, ROGUE, manage.space), Some(Cap::Object { base, .. }) if *base == space));
    for page in 0..edu.dma[0].frame_count {
        let Some(Cap::Frame { mapping, .. }) = cap(&fake, ROGUE, edu.dma[0].frames + page) else { panic!("no frame") };
        assert_eq!(*mapping, Some((space, 0x20_0000 + page * 0x1000)));
    }
    assert!(matches!(cap(&fake, ROGUE, rogue.untyped[0].cap), Some(Cap::Untyped { size_bits: 16, .. })));
    assert_eq!(rogue.asid_pool.and_then(|pool| cap(&fake, ROGUE, pool)), Some(&Cap::AsidPool));
    let driver = manifest(&fake, DRIVER);
    assert!(driver.devices[0].manage.is_none() && driver.asid_pool.is_none());
    let Some(Cap::Object { rights, .. }) = cap(&fake, DRIVER, driver.servers[0].endpoint) else { panic!("none") };
    assert!(!rights.contains(CapRights::WRITE));
}

#[test]
fn clients_reach_their_server_and_signals_their_owner() {
    let fake = booted();
    let (driver, rogue) = (manifest(&fake, DRIVER), manifest(&fake, ROGUE));
    let endpoint = |component, slot| match cap(&fake, component, slot) {
        Some(Cap::Object { base, badge, .. }) => (*base, *badge),
        other => panic!("{other:?}"),
    };
    let vault = rogue.clients.iter().find(|client| client.name == "vault").unwrap();
    let (served, _) = endpoint(DRIVER, driver.servers[0].endpoint);
    assert_eq!(endpoint(ROGUE, vault.endpoint), (served, 1));
    let console = rogue.clients.iter().find(|client| client.name == "console").unwrap();
    assert_eq!(endpoint(ROGUE, console.endpoint).1, 2);
    let console = manifest(&fake, CONSOLE);
    for (caller, component) in console.servers[0].clients.iter().zip([DRIVER, ROGUE]) {
        let client = manifest(&fake, component);
        let badge = client.signals.iter().find(|signal| signal.name == "console").unwrap().badge;
        let Some(Cap::Object { object, base, rights, badge: minted }) = cap(&fake, CONSOLE, caller.signal.unwrap())
        else {
            panic!("none")
        };
        let expected = (ObjectType::Notification, thread(&fake, component).notification, CapRights::WRITE, badge);
        assert_eq!((*object, *base, *rights, *minted), expected, "{}", caller.name);
    }
    assert_eq!(driver.servers[0].clients[0].signal, None);
    let signal = |manifest: &Manifest, name: &str| manifest.signals.iter().find(|s| s.name == name).unwrap().badge;
    let notification = thread(&fake, DRIVER).notification;
    assert_eq!(fake.fault_badges[&0x10], (notification, signal(&driver, "disk_fault")));
    let interrupt = driver.devices[0].interrupt.as_ref().unwrap();
    assert_eq!(fake.interrupts[&37], (notification, signal(&driver, &interrupt.signal)));
    assert_eq!(cap(&fake, DRIVER, interrupt.handler), Some(&Cap::Interrupt(37)));
    let timer = console.timer.as_ref().unwrap();
    assert_eq!(fake.interrupts[&30], (thread(&fake, CONSOLE).notification, signal(&console, &timer.signal)));
    assert_eq!(cap(&fake, CONSOLE, timer.handler), Some(&Cap::Interrupt(30)));
}

#[test]
fn a_device_reaches_exactly_its_regions_and_components_share_no_other_memory() {
    let fake = booted();
    let pages = |space: u64| -> BTreeSet<(u64, bool)> {
        let mappings = fake.spaces[&space].mappings.values();
        mappings.map(|mapping| (mapping.base, mapping.rights.contains(CapRights::WRITE))).collect()
    };
    let region = |component: usize| -> BTreeSet<u64> {
        let told = manifest(&fake, component).regions[0].clone();
        let space = thread(&fake, component).space;
        let at = (told.vaddr..told.vaddr + told.size).step_by(0x1000);
        at.map(|at| fake.translate(space, at).unwrap().0).collect()
    };
    let ring: BTreeSet<(u64, bool)> = region(DRIVER).into_iter().map(|page| (page, true)).collect();
    let buffer: BTreeSet<(u64, bool)> = region(ROGUE).into_iter().map(|page| (page, false)).collect();
    assert_eq!((ring.len(), buffer.len()), (8, 2));
    assert_eq!(pages(fake.contexts[&2]), ring);
    assert_eq!(pages(fake.contexts[&1]), buffer);
    assert_eq!(fake.bindings, [(0x08, 1), (0x10, 2)].into());
    let memory = |component: usize| -> BTreeSet<u64> {
        pages(thread(&fake, component).space).into_iter().map(|(page, _)| page).collect()
    };
    for (one, other) in [(CONSOLE, DRIVER), (CONSOLE, ROGUE), (DRIVER, ROGUE)] {
        assert!(memory(one).is_disjoint(&memory(other)));
    }
    let registers = &manifest(&fake, CONSOLE).devices[0].registers[0];
    let (physical, mapping) = fake.translate(thread(&fake, CONSOLE).space, registers.vaddr).unwrap();
    assert_eq!(physical, 0x900_0000);
    assert!(!mapping.attributes.contains(VmAttributes::CACHEABLE));
}

#[test]
fn what_was_handed_out_is_printed() {
    let lines = booted().lines;
    let said = |part: &str| assert!(lines.iter().any(|line| line.contains(part)), "{part} is not in {lines:#?}");
    said("rogue   gets device edu pci 00:01.0 sid 0:0x0008 cb 1 irq 36 level bar0 0x10000000+0x100000 managed");
    said("driver  gets dma ring rw 32K for disk at 0x100000");
    said("console gets device uart dt /pl011@9000000 irq 33 level reg0 0x9000000+0x1000");
    said("rogue   gets untyped victim 64K");
    said("rogue   gets ASID pool");
    said("rogue   gets channel vault to driver");
    said("driver  gets channel vault as server of 1");
    said("console gets physical timer irq 30 level");
    said("console gets channel console as server of 2, and signals each");
    assert!(!lines.iter().any(|line| line.contains("WARNING")));
}

#[test]
fn a_contradiction_stops_the_boot_before_anything_masters_memory() {
    let stops = |change: fn(&mut System)| {
        let mut system = system();
        change(&mut system);
        let (fake, outcome) = boot_on(TREE, system, usize::MAX);
        assert!(fake.for_good().is_empty());
        outcome.map_err(|stop| format!("{stop}")).unwrap_err()
    };
    assert_eq!(
        stops(|system| system.components[ROGUE].devices[0].streams[0] = 0x18),
        "rogue.edu: spec has stream 0:0x0018, the machine 0:0x0008"
    );
    assert_eq!(
        stops(|system| system.components[ROGUE].devices[0].expect = Some((1, 2))),
        "rogue.edu: spec expects 0001:0002, the machine has 1234:11e8"
    );
    assert_eq!(
        stops(|system| system.components[CONSOLE].timer = Some((26, false))),
        "console.timer: spec has interrupt 26 (level), the machine 30 (level)"
    );
    let other_host = |system: &mut System| {
        let location = &mut system.components[DRIVER].devices[0].location;
        *location = Location::Pci { host: "/pcie@0".into(), bridges: Vec::new(), bus: 0, device: 2, function: 0 };
    };
    assert_eq!(stops(other_host), "driver.disk: the machine has no PCI host /pcie@0");
    assert_eq!(
        stops(|system| system.components[DRIVER].image = 3),
        "payload's system: a component's file is not in the payload"
    );
    assert_eq!(
        stops(|system| system.components[DRIVER].maps[0].region = 9),
        "driver: the spec refers to a region it does not contain"
    );
    let full = stops(|system| system.regions[0].size = 1 << 32);
    assert!(full.starts_with("the root CNode has") && full.ends_with("1048576 are needed"), "{full}");
}

/// Boots a debug kernel with a command line.
fn debug_boot(line: &[u8; 15]) -> Fake {
    let mut fake = Fake::new(&UNTYPEDS, host());
    let mut extra = extra(&with_command_line(TREE, line));
    extra.extend([EXTRA_DEBUG_CANARY, 24, 0x7fff_f000].iter().flat_map(|word| word.to_le_bytes()));
    let payload = payload(system());
    let given = Given { info: &info(), extra: &extra, payload: &payload };
    assert!(boot(&mut fake, &given).is_ok());
    fake
}

#[test]
fn what_streams_reach_is_shown_on_request_after_all_is_bound_and_before_anything_runs() {
    let fake = debug_boot(b"sluice.audit=on");
    let shown: Vec<_> = fake.steps.iter().enumerate().filter(|(_, step)| **step == Step::Shown).collect();
    let [(at, _)] = shown[..] else { panic!("{shown:?}") };
    let first_resumed = fake.steps.iter().position(|step| resumed(step).is_some());
    let last_bound = fake.steps.iter().rposition(|step| matches!(step, Step::Bound(_) | Step::Mastering(_)));
    assert!(last_bound.is_some_and(|bound| bound < at) && first_resumed.is_some_and(|resumed| at < resumed));
    let from = fake.lines.iter().position(|line| line == "AUDIT begin start").expect("a beginning");
    let lines = &fake.lines[from..];
    let to = lines.iter().position(|line| line == "AUDIT end").expect("an end");
    assert_eq!(lines[to - 1], "snapshot");
    let regions = lines[1..to].iter().filter_map(|line| line.strip_prefix("AUDIT region ring "));
    let bytes: u64 = regions.map(|line| number(line.split(' ').nth(1).unwrap())).sum();
    assert_eq!(bytes, 0x8000, "{lines:#?}");
    assert!(lines[1..to].iter().any(|line| line == "AUDIT registers rogue.edu 0x10000000 0x100000"), "{lines:#?}");
    let spaces: Vec<_> = lines[1..to].windows(2).filter(|pair| pair[0].starts_with("AUDIT space ")).collect();
    assert_eq!((spaces.len(), spaces[ROGUE][0].as_str()), (system().components.len(), "AUDIT space rogue"));
    // Each is of the thread that is resumed.
    let mut shown: Vec<String> = spaces.iter().map(|pair| pair[1].clone()).collect();
    let mut resumed: Vec<String> = fake.steps.iter().filter_map(resumed).map(|of| format!("space of {of}")).collect();
    shown.sort();
    resumed.sort();
    assert_eq!(shown, resumed);
    for quiet in [debug_boot(b"sluice.audit=no"), booted()] {
        assert!(!quiet.steps.contains(&Step::Shown) && !quiet.lines.iter().any(|line| line.contains("AUDIT")));
    }
}

fn number(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn a_boot_without_protection_says_so() {
    let (fake, outcome) = boot_on(&with_command_line(TREE, b"sluice.smmu=off"), system(), usize::MAX);
    assert_eq!(outcome, Ok(()));
    assert!(fake.bindings.is_empty());
    assert!(fake.steps.contains(&Step::Mastering(EDU)));
    assert!(fake.lines.iter().any(|line| line.starts_with("WARNING")));
    assert!(fake.lines.iter().any(|line| line.contains("edu pci 00:01.0 sid 0:0x0008 UNCONFINED")));
    assert!(!fake.lines.iter().any(|line| line.contains("managed") || line.contains("gets dma")));
    assert!(manifest(&fake, ROGUE).devices[0].manage.is_none());
}

#[test]
fn damaged_input_is_one_line() {
    let stop = |payload: &[u8], extra: &[u8]| {
        let info = info();
        let mut fake = Fake::new(&UNTYPEDS, host());
        boot(&mut fake, &Given { info: &info, extra, payload })
            .map(|_| ())
            .map_err(|stop| format!("{stop}"))
            .unwrap_err()
    };
    let good = payload(system());
    assert_eq!(stop(&good, &[]), "the kernel handed over no device tree");
    let machine = extra(TREE);
    assert_eq!(stop(&[], &machine), "payload shorter than its header");
    assert_eq!(stop(&good[..0x100], &machine), "payload's system: it does not decode");
    let mut tree = EXTRA_FDT.to_le_bytes().to_vec();
    tree.extend(32u64.to_le_bytes());
    tree.extend([0; 16]);
    assert!(!stop(&good, &tree).contains('\n'));
}
