//! Of SMMUs: states that cannot be, expectations that are wrong, and invalidations of stage 1 that are lost.

use sluice_abi::smmu::{CdTable, StreamId};
use sluice_abstract::{Cap, Invocation, Reach, Slot, Smmu, State, invariant};

use super::{complaint, find};
use crate::input::Act;
use crate::machine::Sabotage;
use crate::scope::{SINGLE, STAGE1};
use crate::stage1::{DESCRIPTOR, PAGE};
use crate::system::System;
use crate::watch::{STREAMS, allowed, dma};

const STREAM: StreamId = StreamId { smmu: 0, sid: STREAMS[0] };

fn smmu(state: &mut State) -> &mut Smmu {
    state.smmus.get_mut(&0).expect("an SMMU")
}

#[test]
fn invariants_notice_smmus_that_cannot_be() {
    let assert_breaks = |state: &State, tamper: fn(&mut State), name: &str| {
        let mut state = state.clone();
        assert_eq!(invariant::broken(&state), None);
        tamper(&mut state);
        let broken = invariant::ALL.iter().filter(|invariant| !(invariant.holds)(&state));
        let names: Vec<&str> = broken.map(|invariant| invariant.name).collect();
        assert!(names.contains(&name), "{name} is not among {names:?}");
    };
    let nested = STAGE1.start(false).state;
    let stage1 = "stage1_is_under_stage2";
    assert_breaks(&nested, |state| state.slots.retain(|slot, _| !matches!(slot, Slot::Translation(_))), stage1);
    assert_breaks(&nested, |state| smmu(state).can.stage2 = false, stage1);
    assert_breaks(&nested, |state| smmu(state).can.always_stalls = true, stage1);
    let let_pass = |state: &mut State| state.bypassed.extend([STREAM]);
    assert_breaks(&nested, let_pass, "bypass_is_held");
    assert_breaks(&nested, let_pass, "dma_is_confined");
    let nobodys = |state: &mut State| state.bypassed.extend([StreamId { sid: 77, ..STREAM }]);
    assert_breaks(&nested, nobodys, "bypass_is_held");
    let single = SINGLE.start(false).state;
    let walk = |state: &mut State| state.spaces.values_mut().for_each(|space| space.walked = true);
    assert_breaks(&single, walk, "device_spaces_are_for_devices");
    let change = |state: &mut State| state.spaces.values_mut().for_each(|space| space.for_devices = false);
    assert_breaks(&single, change, "device_spaces_are_for_devices");
}

#[test]
fn an_expectation_of_an_smmu_that_is_wrong_is_noticed() {
    let tampered = |tamper: fn(&mut State)| {
        let mut system = STAGE1.start(false);
        let sid = find(&system, |cap| *cap == Cap::Sid(STREAM));
        tamper(&mut system.state);
        complaint(|| {
            let _ = system.act(&Invocation::UnbindCb(sid).into());
        })
    };
    assert_eq!(tampered(|_| {}), None);
    assert!(tampered(|state| state.stage1.clear()).is_some(), "a stage 1 that is not expected");
    let elsewhere = |state: &mut State| {
        let table = state.stage1.values_mut().next().expect("a stage 1");
        *table = CdTable { ipa: table.ipa + 0x1000, ..*table };
    };
    assert!(tampered(elsewhere).is_some(), "another stage 1");
    assert!(tampered(|state| smmu(state).up = false).is_some(), "an SMMU that is up");
    let let_pass = |state: &mut State| state.bypassed.extend([StreamId { sid: 77, ..STREAM }]);
    assert!(tampered(let_pass).is_some(), "no bypass");
    assert!(tampered(|state| smmu(state).errors = 1).is_some(), "no errors");
}

/// A frame's base by its place in stage 2, for a holder that writes there.
fn base(system: &System, ipa: u64) -> sluice_abi::PhysAddr {
    let Reach::Pages(pages) = system.state.dma_reach(STREAM) else { panic!("it bypasses") };
    pages.iter().find(|page| page.iova.0 == ipa).expect("a page").address
}

/// A holder changes its stage 1 and has the old one forgotten; whether then the device reaches what the new one says.
fn rewritten(sabotage: Sabotage, [at, index, value]: [u64; 3], command: u64) -> bool {
    let mut system = STAGE1.start(false);
    let exact = |system: &System| {
        let model = &system.kernel.hal.model;
        model.speculate(STREAM.sid);
        dma(model, STREAM.sid) == allowed(&system.state, model, STREAM.sid)
    };
    let before = dma(&system.kernel.hal.model, STREAM.sid);
    assert!(exact(&system) && before != Reach::Pages([].into()));
    // Between the write and the invalidation it may reach both.
    system.looking = false;
    let at = base(&system, at).offset(8 * index);
    system.happens(&Act::Write { at, value });
    assert!(!exact(&system), "it may still use what it has cached");
    system.kernel.hal.sabotage.set(sabotage);
    let cb = find(&system, |cap| matches!(cap, Cap::Cb(context) if context.cb == 1));
    system.done(&Invocation::InvalidateStage1 { cb, words: vec![1, command, 0] });
    assert_ne!(allowed(&system.state, &system.kernel.hal.model, STREAM.sid), before);
    exact(&system)
}

#[test]
fn a_lost_invalidation_of_stage_1_is_noticed() {
    const NH_ALL: u64 = 0x10;
    let other_page = [0x10_2000, 1, 0x10_5000 | PAGE];
    assert!(rewritten(Sabotage::None, other_page, NH_ALL));
    assert!(!rewritten(Sabotage::LoseSmmuInvalidations, other_page, NH_ALL));
    assert!(!rewritten(Sabotage::None, other_page, 0x06), "descriptors are not translations");
    let no_descriptor = [0x10_0000, 0, DESCRIPTOR & !(1 << 31)];
    assert!(rewritten(Sabotage::None, no_descriptor, 0x06));
    assert!(!rewritten(Sabotage::None, no_descriptor, NH_ALL));
}
