//! An SMMU that misbehaves ends aborting, or is reported as beyond control. Nothing waits for ever.

use crate::rig::{Rig, SID, Tables, VMID};
use sluice_abi::{Iova, PhysAddr};
use sluice_smmu::{CommandError, Failure, Mode};
use sluice_smmu_model::{Abort, Faults, Identity, Reach};

const ROOT: PhysAddr = PhysAddr(0x6000_0000);
const FRAME: PhysAddr = PhysAddr(0x7000_0000);
const NONE: Faults =
    Faults { sync_hangs: false, cr0_stuck: false, gbpa_stuck: false, rejected_opcode: None, fetch_aborts: false };

fn bound() -> (Rig, Tables) {
    let rig = Rig::enabled(Identity::QEMU);
    let tables = Tables::new(&rig.model, ROOT);
    tables.map(&rig.model, 1, FRAME, true);
    rig.write(&rig.stage2(VMID, tables.root)).expect("bind");
    assert_eq!(rig.model.access(SID, Iova(0x1000), true), Ok(FRAME));
    (rig, tables)
}

#[test]
fn a_sync_that_hangs_takes_every_stream_to_abort() {
    let (rig, tables) = bound();
    rig.model.inject(Faults { sync_hangs: true, ..NONE });
    tables.unmap(&rig.model, 1);
    let failed = rig.smmu.invalidate_range(&*rig.model, VMID, 0x1000, 0x1000, 12);
    assert_eq!(failed, Err(Failure::SyncTimeout));
    assert_eq!(rig.smmu.mode(), Mode::Aborting);
    assert_eq!(rig.model.reach(SID), Reach::nothing());
    assert_eq!(rig.model.access(SID, Iova(0x1000), true), Err(Abort::Configured));
    // Later removals have nothing left to remove.
    assert_eq!(rig.write(&sluice_smmu::Ste::abort()), Ok(()));
    rig.model.inject(NONE);
    rig.smmu.enable(&*rig.model).expect("it recovers when told to");
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}

#[test]
fn an_smmu_that_does_not_confirm_abort_is_beyond_control() {
    for stuck in [Faults { gbpa_stuck: true, ..NONE }, Faults { cr0_stuck: true, ..NONE }] {
        let (rig, _tables) = bound();
        rig.model.inject(Faults { sync_hangs: true, ..stuck });
        assert_eq!(rig.smmu.invalidate_context(&*rig.model, VMID), Err(Failure::Uncontrollable));
    }
}

#[test]
fn an_enable_that_is_not_acknowledged_fails_bounded() {
    let rig = Rig::new(Identity::QEMU);
    rig.model.inject(Faults { cr0_stuck: true, ..NONE });
    assert_eq!(rig.smmu.enable(&*rig.model), Err(Failure::NoAcknowledge(0x24)));
    assert_eq!(rig.smmu.mode(), Mode::Aborting);
    assert_eq!(rig.model.reach(SID), Reach::nothing());
    rig.model.inject(Faults { gbpa_stuck: true, ..NONE });
    assert_eq!(rig.smmu.enable(&*rig.model), Err(Failure::Uncontrollable));
}

#[test]
fn a_rejected_invalidation_is_stepped_over_and_made_up_for() {
    let (rig, tables) = bound();
    rig.model.inject(Faults { rejected_opcode: Some(0x2a), ..NONE });
    tables.unmap(&rig.model, 1);
    for _ in 0..3 {
        rig.smmu.invalidate(&*rig.model, VMID, 0x1000, 0x1000, 12).expect("queue");
    }
    rig.smmu.sync(&*rig.model).expect("recovered");
    assert_eq!(rig.model.access(SID, Iova(0x1000), true), Err(Abort::Event(0x10)));
    assert_eq!(rig.smmu.mode(), Mode::Enabled);
    let errors = rig.smmu.global_errors(&*rig.model);
    assert_eq!(errors.active, 0, "the queue was restarted");
    let rejected = rig.smmu.take_rejected().expect("recorded");
    assert_eq!(rejected.error, CommandError::Illegal);
    assert_eq!(rejected.words, [0x5_0000_002a, 0x1000]);
    assert_eq!(rig.smmu.take_rejected(), None);
    // CMDQ_CONS.ERR still shows the old error; the next sync must not believe it.
    rig.model.inject(NONE);
    rig.smmu.invalidate_context(&*rig.model, VMID).expect("goes on");
    assert_eq!(rig.smmu.take_rejected(), None);
    rig.model.inject(Faults { sync_hangs: true, ..NONE });
    assert_eq!(rig.smmu.invalidate_context(&*rig.model, VMID), Err(Failure::SyncTimeout));
    assert_eq!(rig.smmu.take_rejected(), None, "a queue that hangs is not one that rejects");
}

#[test]
fn an_smmu_that_rejects_the_broadest_commands_is_taken_down() {
    let (rig, _tables) = bound();
    rig.model.inject(Faults { rejected_opcode: Some(0x04), ..NONE });
    // CFGI_STE_RANGE is first rejected as itself, then as the replacement.
    let failed = rig.smmu.remove_stream_table(&*rig.model, crate::rig::FIRST_SID);
    assert!(matches!(failed, Err(Failure::Rejected(rejected)) if rejected.error == CommandError::Illegal));
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}

#[test]
fn commands_that_cannot_be_fetched_take_the_smmu_down() {
    let (rig, _tables) = bound();
    rig.model.inject(Faults { fetch_aborts: true, ..NONE });
    let failed = rig.smmu.invalidate_context(&*rig.model, VMID);
    assert!(matches!(failed, Err(Failure::Rejected(rejected)) if rejected.error == CommandError::Fetch));
    assert_eq!(rig.model.reach(SID), Reach::nothing());
}
