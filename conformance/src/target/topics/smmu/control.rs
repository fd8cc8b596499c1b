//! SMMUs as a whole: down and up, commands that were rejected, and streams that bypass.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::SmmuState;
use sluice_abi::{Label, ObjectType};
use sluice_conformance_task::Refusal;

use super::{OTHER_SMMU, STREAM, assign, bind, get_sid, parts};
use crate::target::call::Call;
use crate::target::world::{EMPTY, Outcome, World};

/// An invocation of the SIDControl.
pub(super) fn control(label: Label, words: &[u64]) -> Call {
    Call::of(slot::SID_CONTROL, label).words(words)
}

/// Observes what the SMMU does, and that it has rejected nothing.
pub(super) fn is(world: &mut World, what: &str, state: SmmuState) -> Outcome {
    let reply = world.ok(&control(Label::SidControlGetFault, &[0]))?;
    world.equal(format_args!("{what}: errors, losses, state"), reply.words(), &[0, 0, 0, 0, state as u64][..]);
    Ok(())
}

pub(super) fn down_and_up(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let (init, disable) = (control(Label::SidControlInitSmmu, &[0]), control(Label::SidControlDisableSmmu, &[0]));
    for (name, call) in [("up", init), ("down", disable)] {
        world.refused(name, &call.length(0), Refusal::Truncated);
        for number in [1, 16, 256, OTHER_SMMU, u64::MAX] {
            world.refused(name, &call.word(0, number), Refusal::InvalidArgument(0));
        }
    }
    world.refused("up, as it is", &init, Refusal::IllegalOperation);
    is(world, "after refusals", SmmuState::Translating)?;
    world.ok(&disable)?;
    is(world, "taken down", SmmuState::Aborting)?;
    world.ok(&disable)?;
    is(world, "taken down twice", SmmuState::Aborting)?;
    // What is bound and assigned can be changed meanwhile.
    world.ok(&assign(cb, vspace))?;
    world.ok(&bind(sid, cb))?;
    world.refused("bound while it is down", &bind(sid, cb), Refusal::DeleteFirst);
    world.refused("another comes up", &init.word(0, 1), Refusal::InvalidArgument(0));
    is(world, "after a refusal", SmmuState::Aborting)?;
    world.ok(&init)?;
    is(world, "brought up", SmmuState::Translating)?;
    world.refused("up again", &init, Refusal::IllegalOperation);
    world.refused("bound after all that", &bind(sid, cb), Refusal::DeleteFirst);
    world.ok(&Call::of(sid, Label::SidUnbindCb))?;
    world.ok(&Call::of(cb, Label::CbUnassignVspace))?;
    Ok(())
}

/// What was rejected is told once, and nothing was: the kernel issues no command that an SMMU rejects.
pub(super) fn rejected_commands(world: &mut World) -> Outcome {
    let skip = control(Label::SidControlSkipCmdqError, &[0]);
    world.refused("no words", &skip.length(0), Refusal::Truncated);
    for number in [1, 16, 256, OTHER_SMMU, u64::MAX] {
        world.refused("another SMMU", &skip.word(0, number), Refusal::InvalidArgument(0));
    }
    world.refused("nothing was rejected", &skip, Refusal::IllegalOperation);
    world.ok(&control(Label::SidControlClearFault, &[0]))?;
    world.refused("nor after clearing", &skip, Refusal::IllegalOperation);
    is(world, "after refusals", SmmuState::Translating)
}

pub(super) fn bypass(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let bypass = control(Label::SidControlBypassStream, &[]).caps(&[sid]);
    let unbind = Call::of(sid, Label::SidUnbindCb);
    for (what, call, refusal) in [
        ("no stream", bypass.caps(&[]), Refusal::Truncated),
        ("a context", bypass.cap(0, cb), Refusal::InvalidCapability(1)),
        ("a thread", bypass.cap(0, slot::INIT_TCB), Refusal::InvalidCapability(1)),
        ("nothing", bypass.cap(0, EMPTY), Refusal::InvalidCapability(1)),
    ] {
        world.refused(what, &call, refusal);
        world.refused("it does not bypass", &unbind, Refusal::IllegalOperation);
    }
    // Nobody else can choose it.
    for service in [sid, cb, slot::CB_CONTROL] {
        let call = Call::of(service, Label::SidControlBypassStream).caps(&[sid]);
        world.refused("from another capability", &call, Refusal::IllegalOperation);
    }
    world.ok(&bypass)?;
    world.refused("bypasses already", &bypass, Refusal::DeleteFirst);
    world.ok(&assign(cb, vspace))?;
    world.refused("a stream that bypasses is not bound", &bind(sid, cb), Refusal::DeleteFirst);
    world.ok(&unbind)?;
    world.refused("it has ended", &unbind, Refusal::IllegalOperation);
    world.ok(&bind(sid, cb))?;
    world.refused("a binding is not widened", &bypass, Refusal::DeleteFirst);
    world.ok(&unbind)?;
    // It goes with the last capability to the stream.
    world.ok(&bypass)?;
    world.delete(sid)?;
    world.ok(&get_sid(STREAM, sid))?;
    world.refused("issued again, it does not bypass", &unbind, Refusal::IllegalOperation);
    bypass_without_table(world)
}

/// A stream whose table is gone aborts, and cannot be made to bypass.
fn bypass_without_table(world: &mut World) -> Outcome {
    let (table, sid) = (world.make(ObjectType::StreamTable, 0)?, world.slot());
    world.ok(&control(Label::SidControlMapStreamTable, &[0x9a00]).caps(&[table]))?;
    world.ok(&get_sid(0x9a10, sid))?;
    let bypass = control(Label::SidControlBypassStream, &[]).caps(&[sid]);
    world.ok(&bypass)?;
    world.delete(table)?;
    world.refused("its table is gone", &bypass, Refusal::InvalidCapability(1));
    let unbind = Call::of(sid, Label::SidUnbindCb);
    world.refused("there is nothing to end", &unbind, Refusal::InvalidCapability(0));
    Ok(())
}
