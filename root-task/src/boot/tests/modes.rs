//! Devices that bypass translation, and SMMUs with another stage.

use sluice_spec::Device;

use super::*;

fn bypassing(system: &mut System) -> &mut Device {
    let disk = &mut system.components[DRIVER].devices[0];
    disk.mode = Mode::Bypass;
    disk.why = Some("the test says so".into());
    disk.faults = None;
    disk
}

/// Boots a system that was changed, on an SMMU with or without stage 2.
fn boot_changed(stage_2: bool, change: impl FnOnce(&mut System)) -> (Fake, Result<(), String>) {
    let mut system = system();
    change(&mut system);
    let mut fake = Fake::new(&UNTYPEDS, host());
    fake.stage_2 = stage_2;
    let mut extra = EXTRA_FDT.to_le_bytes().to_vec();
    extra.extend((16 + TREE.len() as u64).to_le_bytes());
    extra.extend(TREE);
    let payload = payload(system);
    let info = info();
    let outcome = boot(&mut fake, &Given { info: &info, extra: &extra, payload: &payload }).map(|_| ());
    (fake, outcome.map_err(|stop| format!("{stop}")))
}

#[test]
fn a_device_bypasses_when_the_spec_says_why_and_no_other_does() {
    let (fake, outcome) = boot_changed(true, |system| drop(bypassing(system).name.clone()));
    assert_eq!(outcome, Ok(()));
    let stream = StreamId { smmu: 0, sid: 0x10 };
    let position = |step: &Step| fake.steps.iter().position(|seen| seen == step).unwrap();
    assert!(position(&Step::Bypassed(stream)) < position(&Step::Mastering(DISK)));
    assert_eq!(fake.steps.iter().filter(|step| matches!(step, Step::Bypassed(_))).count(), 1);
    assert_eq!(fake.bindings, [(0x08, 1)].into());
    let line = "driver  gets device disk pci 00:02.0 sid 0:0x0010 irq 37 level bar0 0x8000000000+0x4000 BYPASSES \
                TRANSLATION, reaches all memory: the test says so";
    assert!(fake.lines.iter().any(|said| said == line), "{:#?}", fake.lines);
    assert!(manifest(&fake, DRIVER).devices[0].manage.is_none());
}

#[test]
fn a_device_that_bypasses_is_told_physical_addresses() {
    for manage in [false, true] {
        let (fake, outcome) = boot_changed(true, |system| bypassing(system).manage = manage);
        assert_eq!(outcome, Ok(()));
        let manifest = manifest(&fake, DRIVER);
        let (region, dma) = (&manifest.regions[0], &manifest.devices[0].dma[0]);
        let space = thread(&fake, DRIVER).space;
        for page in (0..region.size).step_by(0x1000) {
            assert_eq!(fake.translate(space, region.vaddr + page).map(|(at, _)| at), Some(dma.iova + page));
        }
        // Whoever can end the bypass finds the same addresses behind a context.
        let Some(manage) = manifest.devices[0].manage.as_ref() else {
            assert!(!manage && !fake.contexts.contains_key(&2));
            continue;
        };
        assert_eq!(cap(&fake, DRIVER, manage.sids[0]), Some(&Cap::Stream(StreamId { smmu: 0, sid: 0x10 })));
        assert_eq!(fake.translate(fake.contexts[&2], dma.iova).map(|(at, _)| at), Some(dma.iova));
    }
}

#[test]
fn a_device_too_narrow_for_the_memory_it_was_given_stops_the_boot() {
    let (fake, outcome) = boot_changed(true, |system| bypassing(system).address_bits = 28);
    let message = outcome.unwrap_err();
    assert!(message.starts_with("driver.disk: the device has 28 address bits, and is to use memory up to 0x4"));
    assert!(fake.steps.is_empty());
}

#[test]
fn stages_are_those_that_the_spec_says() {
    let stage_1 = |system: &mut System| {
        for component in [DRIVER, ROGUE] {
            system.components[component].devices[0].mode = Mode::Stage1;
        }
    };
    let (fake, outcome) = boot_changed(false, stage_1);
    assert_eq!(outcome, Ok(()));
    assert_eq!(fake.bindings, [(0x08, 1), (0x10, 2)].into());
    assert!(fake.translate(fake.contexts[&2], 0x10_0000).is_some());
    for (stage_2, change, message) in [
        (true, stage_1 as fn(&mut System), "driver.disk: spec has mode s1, and the SMMU a stage 2"),
        (false, |_: &mut System| (), "driver.disk: spec has mode s2, and the SMMU no stage 2"),
    ] {
        let (fake, outcome) = boot_changed(stage_2, change);
        assert_eq!(outcome, Err(message.into()));
        assert!(fake.for_good().is_empty());
    }
}
