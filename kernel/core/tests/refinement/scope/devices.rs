//! Interrupts and faults of devices: who is told, what is kept, and when a stream is put in quarantine.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{Iova, ObjectType, VirtAddr};
use sluice_abstract::{Invocation, Rights, Slot};

use super::{Scope, free, retype};
use crate::boot::TIMER;
use crate::input::Act;
use crate::machine::IDENTITY;
use crate::system::System;
use crate::watch::STREAMS;

pub(crate) const DEVICES: Scope = Scope { name: "devices", identity: IDENTITY, prepare, alphabet };

const NOTIFICATION: u64 = 0;
const BADGED: u64 = 1;
const HANDLER: u64 = 2;
const SPACE: u64 = 3;
const FRAME: u64 = 7;
const SID: u64 = 8;
const CB: u64 = 9;
const TABLE: u64 = 10;
const SPARE: u64 = 11;
const LATER_SID: u64 = 12;
const PAGE: VirtAddr = VirtAddr(0x10_0000);
const INTID: u32 = 33;

fn stream(index: usize) -> StreamId {
    StreamId { smmu: 0, sid: STREAMS[index] }
}

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::StreamTable, 0, at(TABLE)));
    system.done(&retype(all, ObjectType::Notification, 0, at(NOTIFICATION)));
    let badged = Invocation::Mint { source: at(NOTIFICATION), dest: at(BADGED), rights: Rights::READ_WRITE, data: 5 };
    system.done(&badged);
    system.done(&retype(all, ObjectType::VSpace, 0, at(SPACE)));
    system.done(&Invocation::AssignAsid { pool: fixed(slot::INIT_ASID_POOL), vspace: at(SPACE) });
    for table in [4, 5, 6] {
        system.done(&retype(all, ObjectType::PageTable, 0, at(table)));
        system.done(&Invocation::TableMap { table: at(table), vspace: at(SPACE), at: PAGE });
    }
    system.done(&retype(all, ObjectType::SmallPage, 0, at(FRAME)));
    let (frame, vspace, rights) = (at(FRAME), at(SPACE), Rights::READ);
    system.done(&Invocation::PageMap { frame, vspace, at: PAGE, rights, execute: false, cacheable: true });
    system.done(&Invocation::GetSid { control: fixed(slot::SID_CONTROL), stream: stream(0), dest: at(SID) });
    system.done(&Invocation::GetCb { control: fixed(slot::CB_CONTROL), smmu: 0, cb: 1, dest: at(CB) });
    system.done(&Invocation::AssignVspace { cb: at(CB), vspace: at(SPACE) });
    system.done(&Invocation::BindCb { sid: at(SID), cb: at(CB) });
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let mut all = Vec::new();
    for (intid, edge) in
        [(INTID.into(), None), (INTID.into(), Some(true)), (TIMER.into(), None), (40, Some(false)), (1 << 32, None)]
    {
        all.push(Invocation::GetIrq { control: fixed(slot::IRQ_CONTROL), intid, edge, dest: at(HANDLER) });
    }
    let handler = at(HANDLER);
    for notification in [at(BADGED), at(SPARE), at(FRAME)] {
        all.push(Invocation::SetIrqNotification { handler, notification });
    }
    all.extend([Invocation::ClearIrq(handler), Invocation::AcknowledgeIrq(handler)]);
    for (notification, budget) in [(Some(at(BADGED)), 2), (Some(at(NOTIFICATION)), 0), (Some(at(FRAME)), 1), (None, 0)]
    {
        all.push(Invocation::SetFaultHandler { sid: at(SID), notification, budget });
    }
    all.extend([at(SID), at(LATER_SID)].map(Invocation::GetFault));
    all.push(Invocation::ClearFault(at(SID)));
    let (sids, cbs) = (fixed(slot::SID_CONTROL), fixed(slot::CB_CONTROL));
    for smmu in [0, 1, 1 << 40] {
        all.push(Invocation::GetEventq { control: sids, smmu });
    }
    all.push(Invocation::GetGlobalFault { control: sids, smmu: 0 });
    all.push(Invocation::ClearGlobalFault { control: sids, smmu: 0 });
    all.push(Invocation::InvalidateAll { control: cbs, smmu: 0 });
    all.push(Invocation::InvalidateContext(at(CB)));
    all.push(Invocation::GetContextFault(at(CB)));
    all.push(Invocation::ClearContextFault(at(CB)));
    all.push(Invocation::UnbindCb(at(SID)));
    all.push(Invocation::BindCb { sid: at(SID), cb: at(CB) });
    all.push(Invocation::UnassignVspace(at(CB)));
    all.push(Invocation::AssignVspace { cb: at(CB), vspace: at(SPACE) });
    for sid in [256, 264, 0, 512] {
        all.push(Invocation::MapStreamTable { control: sids, table: at(TABLE), first: StreamId { smmu: 0, sid } });
    }
    all.push(Invocation::GetSid { control: sids, stream: stream(2), dest: at(LATER_SID) });
    all.push(Invocation::BindCb { sid: at(LATER_SID), cb: at(CB) });
    all.push(Invocation::Copy { source: handler, dest: at(SPARE), rights: Rights::ALL });
    all.push(Invocation::Copy { source: at(TABLE), dest: at(SPARE), rights: Rights::ALL });
    for (start, end) in [(0, 0x1000), (0x10, 0x10), (0xff0, 0x1001), (0x1000, 0x1008)] {
        all.push(Invocation::PageMaintain { frame: at(FRAME), start, end });
        let (start, end) = (PAGE.0 + start, PAGE.0 + end);
        all.push(Invocation::SpaceMaintain { vspace: at(SPACE), start, end });
    }
    all.push(Invocation::SpaceMaintain { vspace: at(SPACE), start: 0, end: 1 << 45 });
    all.push(Invocation::GetAddress(at(FRAME)));
    for (intid, target) in [(3, 0x100), (16, 0), (0, 1 << 32)] {
        all.push(Invocation::IssueSgi { control: fixed(slot::IRQ_CONTROL), intid, target, dest: at(SPARE) });
    }
    all.push(Invocation::SendSgi(at(SPARE)));
    let gone = [HANDLER, SPARE, SID, CB, BADGED, NOTIFICATION, TABLE, LATER_SID, FRAME];
    all.extend(gone.map(|gone| Invocation::Delete(at(gone))));
    all.push(Invocation::Revoke(fixed(slot::IRQ_CONTROL)));
    let mut acts = super::acts(all);
    acts.extend([INTID, 34].map(Act::Interrupt));
    acts.push(Act::Tick);
    for (index, iova, write) in [(0, PAGE.0, false), (0, PAGE.0, true), (0, PAGE.0 + 0x1000, false), (1, PAGE.0, false)]
    {
        acts.push(Act::Access { stream: stream(index), iova: Iova(iova), write });
    }
    acts.push(Act::Access { stream: stream(2), iova: Iova(PAGE.0), write: true });
    acts
}
