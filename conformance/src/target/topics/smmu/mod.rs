//! Streams and contexts of the SMMU, without a device: what can be named, bound and taken apart, and every refusal.

mod control;
mod stage1;

use sluice_abi::bootinfo::slot;
use sluice_abi::{CapRights, Label, LookupFailure, ObjectType};
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::world::{DEPTH, Outcome, World, retype};

pub(crate) const TOPIC: Topic = Topic {
    name: "smmu",
    checks: &[
        Entry::new("streams", streams),
        Entry::new("contexts", contexts),
        Entry::new("bindings", bindings),
        Entry::new("bindings-end-with-what-they-need", bindings_end),
        Entry::new("stream-tables", stream_tables),
        Entry::new("faults-and-handlers", faults_and_handlers),
        Entry::new("down-and-up", control::down_and_up),
        Entry::new("rejected-commands", control::rejected_commands),
        Entry::new("bypass", control::bypass),
        Entry::new("context-descriptor-tables", stage1::tables),
        Entry::new("stage-1-invalidations", stage1::invalidations),
    ],
};

/// A stream of bus 0, whose table the kernel made at boot.
const STREAM: u64 = 0x58;
/// Streams and contexts of QEMU's SMMU.
const LAST_STREAM: u64 = 0xffff;
const LAST_CONTEXT: u64 = 1023;
const OTHER_SMMU: u64 = 1 << 32;

fn get_sid(stream: u64, dest: u64) -> Call {
    Call::of(slot::SID_CONTROL, Label::SidControlGetSid).words(&[stream, dest, DEPTH]).caps(&[slot::INIT_CNODE])
}

fn get_cb(context: u64, dest: u64) -> Call {
    Call::of(slot::CB_CONTROL, Label::CbControlGetCb).words(&[context, dest, DEPTH]).caps(&[slot::INIT_CNODE])
}

fn bind(sid: u64, cb: u64) -> Call {
    Call::of(sid, Label::SidBindCb).caps(&[cb])
}

fn assign(cb: u64, vspace: u64) -> Call {
    Call::of(cb, Label::CbAssignVspace).caps(&[vspace])
}

/// Stream, context and a VSpace with an ASID, not yet bound to each other.
fn parts(world: &mut World) -> Outcome<(u64, u64, u64)> {
    let (sid, cb) = (world.slot(), world.slot());
    world.ok(&get_sid(STREAM, sid))?;
    world.ok(&get_cb(5, cb))?;
    let vspace = world.make(ObjectType::VSpace, 0)?;
    world.ok(&Call::of(slot::INIT_ASID_POOL, Label::AsidPoolAssign).caps(&[vspace]))?;
    Ok((sid, cb, vspace))
}

fn streams(world: &mut World) -> Outcome {
    let (dest, endpoint) = (world.slot(), world.make(ObjectType::Endpoint, 0)?);
    let good = get_sid(STREAM, dest);
    for (what, call, refusal) in [
        ("two words", good.length(2), Refusal::Truncated),
        ("no root", good.caps(&[]), Refusal::Truncated),
        ("beyond the last stream", good.word(0, LAST_STREAM + 1), Refusal::Range(0, LAST_STREAM)),
        ("of an SMMU that is not there", good.word(0, OTHER_SMMU), Refusal::InvalidArgument(0)),
        ("of SMMU 2^31", good.word(0, 1 << 63), Refusal::InvalidArgument(0)),
        ("without a table", good.word(0, 0x5000), Refusal::Target(LookupFailure::MissingCapability { bits_left: 8 })),
        ("a slot in use", good.word(1, endpoint), Refusal::DeleteFirst),
        ("depth 0", good.word(2, 0), Refusal::Range(1, 64)),
        ("a root that is no CNode", good.cap(0, endpoint), Refusal::Target(LookupFailure::InvalidRoot)),
        ("no label", Call::raw(slot::SID_CONTROL, 0), Refusal::IllegalOperation),
        ("a label of contexts", Call::of(slot::SID_CONTROL, Label::CbAssignVspace), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&good)?;
    let second = world.slot();
    world.refused("issued already", &get_sid(STREAM, second), Refusal::RevokeFirst);
    let copy = world.mint(dest, CapRights::all(), 0)?;
    world.delete(dest)?;
    world.refused("a copy lives", &get_sid(STREAM, second), Refusal::RevokeFirst);
    world.delete(copy)?;
    world.ok(&get_sid(STREAM, second))?;
    Ok(())
}

fn contexts(world: &mut World) -> Outcome {
    let (dest, endpoint) = (world.slot(), world.make(ObjectType::Endpoint, 0)?);
    let good = get_cb(LAST_CONTEXT, dest);
    for (what, call, refusal) in [
        ("two words", good.length(2), Refusal::Truncated),
        ("no root", good.caps(&[]), Refusal::Truncated),
        ("beyond the last context", good.word(0, LAST_CONTEXT + 1), Refusal::Range(0, LAST_CONTEXT)),
        ("of an SMMU that is not there", good.word(0, OTHER_SMMU), Refusal::InvalidArgument(0)),
        ("a slot in use", good.word(1, endpoint), Refusal::DeleteFirst),
        ("depth 65", good.word(2, 65), Refusal::Range(1, 64)),
        ("no label", Call::raw(slot::CB_CONTROL, 0), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&good)?;
    let second = world.slot();
    world.refused("issued already", &get_cb(LAST_CONTEXT, second), Refusal::RevokeFirst);
    world.delete(dest)?;
    world.ok(&get_cb(LAST_CONTEXT, second))?;
    let all = Call::of(slot::CB_CONTROL, Label::CbControlTlbInvalidateAll);
    world.ok(&all)?;
    world.ok(&all.words(&[0]))?;
    world.refused("of an SMMU that is not there", &all.words(&[1]), Refusal::InvalidArgument(0));
    Ok(())
}

fn bindings(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let dead = world.make(ObjectType::VSpace, 0)?;
    for (what, call, refusal) in [
        ("bind: no context", bind(sid, cb).caps(&[]), Refusal::Truncated),
        ("bind: a context that is none", bind(sid, vspace), Refusal::InvalidCapability(1)),
        ("bind: a context without a VSpace", bind(sid, cb), Refusal::InvalidCapability(1)),
        ("unbind: nothing is bound", Call::of(sid, Label::SidUnbindCb), Refusal::IllegalOperation),
        ("assign: no VSpace", assign(cb, vspace).caps(&[]), Refusal::Truncated),
        ("assign: a VSpace that is none", assign(cb, sid), Refusal::InvalidCapability(1)),
        ("assign: a VSpace without an ASID", assign(cb, dead), Refusal::InvalidCapability(1)),
        ("unassign: nothing is assigned", Call::of(cb, Label::CbUnassignVspace), Refusal::IllegalOperation),
        ("invalidate: nothing is assigned", Call::of(cb, Label::CbTlbInvalidate), Refusal::IllegalOperation),
        ("stream: no label", Call::raw(sid, 0), Refusal::IllegalOperation),
        ("context: no label", Call::raw(cb, 0), Refusal::IllegalOperation),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&assign(cb, vspace))?;
    world.refused("assigned already", &assign(cb, vspace), Refusal::DeleteFirst);
    world.ok(&Call::of(cb, Label::CbTlbInvalidate))?;
    world.ok(&bind(sid, cb))?;
    world.refused("bound already", &bind(sid, cb), Refusal::DeleteFirst);
    world.ok(&Call::of(sid, Label::SidUnbindCb))?;
    world.ok(&bind(sid, cb))?;
    world.ok(&Call::of(sid, Label::SidUnbindCb))?;
    world.ok(&Call::of(cb, Label::CbUnassignVspace))?;
    world.ok(&assign(cb, vspace))?;
    Ok(())
}

/// A binding is a derived capability: it keeps what it needs alive, and goes when that is revoked.
fn bindings_end(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let unassign = Call::of(cb, Label::CbUnassignVspace);
    let unbind = Call::of(sid, Label::SidUnbindCb);
    world.ok(&assign(cb, vspace))?;
    world.ok(&bind(sid, cb))?;
    world.revoke(vspace)?;
    world.refused("revoking the VSpace unassigns", &unassign, Refusal::IllegalOperation);
    world.ok(&assign(cb, vspace))?;
    world.call(&unbind);
    world.ok(&bind(sid, cb))?;
    world.revoke(cb)?;
    world.refused("revoking the context unbinds", &unbind, Refusal::IllegalOperation);
    world.ok(&bind(sid, cb))?;
    world.delete(vspace)?;
    world.ok(&Call::of(cb, Label::CbTlbInvalidate))?;
    world.ok(&unassign)?;
    world.refused("unassigned", &unassign, Refusal::IllegalOperation);
    // The memory of the tables is revoked.
    let untyped = world.make(ObjectType::Untyped, 12)?;
    let other = world.slot();
    world.ok(&retype(untyped, ObjectType::VSpace, 0, other, 1))?;
    world.ok(&Call::of(slot::INIT_ASID_POOL, Label::AsidPoolAssign).caps(&[other]))?;
    world.ok(&assign(cb, other))?;
    world.revoke(untyped)?;
    world.refused("revoking the memory unassigns", &unassign, Refusal::IllegalOperation);
    world.equal("and all of it is free", world.bytes_left(untyped), 1 << 12);
    Ok(())
}

fn stream_tables(world: &mut World) -> Outcome {
    let [table, other] = [world.make(ObjectType::StreamTable, 0)?, world.make(ObjectType::StreamTable, 0)?];
    let endpoint = world.make(ObjectType::Endpoint, 0)?;
    let map = Call::of(slot::SID_CONTROL, Label::SidControlMapStreamTable).words(&[0x9a00]).caps(&[table]);
    for (what, call, refusal) in [
        ("no words", map.length(0), Refusal::Truncated),
        ("no table", map.caps(&[]), Refusal::Truncated),
        ("a table that is none", map.cap(0, endpoint), Refusal::InvalidCapability(1)),
        ("not where a table starts", map.word(0, 0x9a01), Refusal::Alignment),
        ("beyond the last stream", map.word(0, LAST_STREAM + 1), Refusal::Range(0, LAST_STREAM)),
        ("of an SMMU that is not there", map.word(0, OTHER_SMMU), Refusal::InvalidArgument(0)),
        ("where the kernel's own is", map.word(0, 0), Refusal::DeleteFirst),
    ] {
        world.refused(what, &call, refusal);
    }
    let dest = world.slot();
    let missing = Refusal::Target(LookupFailure::MissingCapability { bits_left: 8 });
    world.refused("a stream without a table", &get_sid(0x9a10, dest), missing);
    world.ok(&map)?;
    world.refused("mapped already", &map.word(0, 0x9b00), Refusal::InvalidCapability(1));
    world.refused("another over it", &map.cap(0, other), Refusal::DeleteFirst);
    world.ok(&get_sid(0x9a10, dest))?;
    world.refused("a stream of the next table", &get_sid(0x9b10, dest + 1), missing);
    world.refused("tables do nothing themselves", &Call::raw(table, 0), Refusal::IllegalOperation);
    Ok(())
}

fn faults_and_handlers(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let notification = world.make(ObjectType::Notification, 0)?;
    let read_only = world.mint(notification, CapRights::READ, 0)?;
    let nothing = |world: &mut World, what: &str, call: Call, words: &[u64]| -> Outcome {
        let reply = world.ok(&call)?;
        world.equal(what, reply.words(), words);
        Ok(())
    };
    nothing(world, "no event of the stream", Call::of(sid, Label::SidGetFault), &[])?;
    nothing(world, "cleared", Call::of(sid, Label::SidClearFault), &[])?;
    nothing(world, "no event of the context", Call::of(cb, Label::CbGetFault), &[0, 0])?;
    nothing(world, "cleared", Call::of(cb, Label::CbClearFault), &[])?;
    let control = |label, words: &[u64]| Call::of(slot::SID_CONTROL, label).words(words);
    for words in [&[][..], &[0]] {
        let reply = world.ok(&control(Label::SidControlGetFault, words))?;
        world.equal("no global error", &reply.words()[..3], &[0, 0, 0][..]);
    }
    nothing(world, "cleared", control(Label::SidControlClearFault, &[]), &[])?;
    nothing(world, "no unclaimed event", control(Label::SidControlGetEventq, &[0]), &[])?;
    let set = Call::of(sid, Label::SidSetFaultHandler).words(&[4]).caps(&[notification]);
    for (what, call, refusal) in [
        ("global error of another SMMU", control(Label::SidControlGetFault, &[1]), Refusal::InvalidArgument(0)),
        ("clearing another SMMU", control(Label::SidControlClearFault, &[256]), Refusal::InvalidArgument(0)),
        ("events of another SMMU", control(Label::SidControlGetEventq, &[1]), Refusal::InvalidArgument(0)),
        ("events of no SMMU", control(Label::SidControlGetEventq, &[]), Refusal::Truncated),
        ("a handler without a budget", set.length(0), Refusal::Truncated),
        ("a handler that is none", set.cap(0, vspace), Refusal::InvalidCapability(1)),
        ("a handler that cannot be signalled", set.cap(0, read_only), Refusal::InvalidCapability(1)),
    ] {
        world.refused(what, &call, refusal);
    }
    world.ok(&set)?;
    world.ok(&set)?;
    world.ok(&set.caps(&[]))?;
    Ok(())
}
