//! An SMMU with stage 1 only: an address space is for devices or for threads, from the time on that it is settled.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{Iova, ObjectType, VirtAddr};
use sluice_abstract::{Invocation, NewSpace, Rights, Slot};

use super::{Scope, acts, free, retype};
use crate::input::Act;
use crate::machine::STAGE1_ONLY;
use crate::system::System;

pub(crate) const SINGLE: Scope = Scope { name: "one stage", identity: STAGE1_ONLY, prepare, alphabet };

const UNTYPED: u64 = 0;
const SPACES: [u64; 2] = [1, 2];
const TABLES: [u64; 3] = [3, 4, 5];
const SPARE_TABLE: u64 = 6;
const FRAME: u64 = 7;
const SID: u64 = 8;
const CBS: [u64; 2] = [9, 10];
const THREAD: u64 = 11;
const PLACE: VirtAddr = VirtAddr(0x10_0000);

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Untyped, 15, at(UNTYPED)));
    system.done(&retype(all, ObjectType::Tcb, 0, at(THREAD)));
    for space in SPACES {
        system.done(&retype(at(UNTYPED), ObjectType::VSpace, 0, at(space)));
        system.done(&Invocation::AssignAsid { pool: fixed(slot::INIT_ASID_POOL), vspace: at(space) });
    }
    for table in TABLES.into_iter().chain([SPARE_TABLE]) {
        system.done(&retype(at(UNTYPED), ObjectType::PageTable, 0, at(table)));
    }
    system.done(&retype(at(UNTYPED), ObjectType::SmallPage, 0, at(FRAME)));
    let stream = StreamId { smmu: 0, sid: crate::watch::STREAMS[0] };
    system.done(&Invocation::GetSid { control: fixed(slot::SID_CONTROL), stream, dest: at(SID) });
    for (cb, number) in CBS.into_iter().zip(1..) {
        system.done(&Invocation::GetCb { control: fixed(slot::CB_CONTROL), smmu: 0, cb: number, dest: at(cb) });
    }
    system.done(&Invocation::AssignVspace { cb: at(CBS[0]), vspace: at(SPACES[0]) });
    for table in TABLES {
        system.done(&Invocation::TableMap { table: at(table), vspace: at(SPACES[0]), at: PLACE });
    }
    system.done(&map(node, Rights::ALL));
    system.done(&Invocation::BindCb { sid: at(SID), cb: at(CBS[0]) });
}

fn map(node: sluice_abi::PhysAddr, rights: Rights) -> Invocation {
    let (frame, vspace) = (free(node, FRAME), free(node, SPACES[0]));
    Invocation::PageMap { frame, vspace, at: PLACE, rights, execute: false, cacheable: true }
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let (sids, cbs) = (fixed(slot::SID_CONTROL), fixed(slot::CB_CONTROL));
    let mut all = Vec::new();
    for cb in CBS.map(at) {
        for vspace in [at(SPACES[0]), at(SPACES[1]), fixed(slot::INIT_VSPACE)] {
            all.push(Invocation::AssignVspace { cb, vspace });
        }
        all.push(Invocation::UnassignVspace(cb));
        all.push(Invocation::BindCb { sid: at(SID), cb });
    }
    all.push(Invocation::AssignCdTable { cb: at(CBS[0]), words: [PLACE.0, 0] });
    all.push(Invocation::UnassignCdTable(at(CBS[0])));
    all.push(Invocation::InvalidateStage1 { cb: at(CBS[0]), words: vec![1, 0x10, 0] });
    all.push(Invocation::InvalidateContext(at(CBS[0])));
    all.push(Invocation::UnbindCb(at(SID)));
    all.extend([Rights::ALL, Rights::READ, Rights::WRITE].map(|rights| map(node, rights)));
    all.push(Invocation::PageUnmap(at(FRAME)));
    for vspace in SPACES.map(at) {
        all.push(Invocation::TableMap { table: at(SPARE_TABLE), vspace, at: VirtAddr(0x40_0000) });
        let space = NewSpace { handler: 0, cspace: fixed(slot::INIT_CNODE), cspace_data: 0, vspace, vspace_data: 0 };
        for thread in [at(THREAD), fixed(slot::INIT_TCB)] {
            all.push(Invocation::Configure { thread, space: Some(space), buffer: None });
        }
    }
    all.extend([SPARE_TABLE, TABLES[2]].map(|table| Invocation::TableUnmap(at(table))));
    all.push(Invocation::DisableSmmu { control: sids, smmu: 0 });
    all.push(Invocation::InitSmmu { control: sids, smmu: 0 });
    all.push(Invocation::BypassStream { control: sids, sid: at(SID) });
    all.extend([FRAME, SID, CBS[0], SPACES[0], SPACES[1], TABLES[2]].map(|gone| Invocation::Delete(at(gone))));
    all.extend([at(UNTYPED), at(SPACES[0]), sids, cbs].map(Invocation::Revoke));
    let mut acts = acts(all);
    let stream = StreamId { smmu: 0, sid: crate::watch::STREAMS[0] };
    for (iova, write) in [(PLACE.0, true), (PLACE.0, false), (PLACE.0 + 0x1000, false)] {
        acts.push(Act::Access { stream, iova: Iova(iova), write });
    }
    acts
}
