//! Two streams, three contexts, two address spaces of a pool of their own, and every way to lose what binds them.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, PhysAddr, VirtAddr};
use sluice_abstract::{Invocation, Rights, Slot};

use super::{Scope, acts, free, retype};
use crate::input::Act;
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const STREAMS: Scope = Scope { name: "streams", identity: IDENTITY, prepare, alphabet };

const UNTYPED: u64 = 0;
const SPACES: [u64; 2] = [1, 2];
const FRAMES: [u64; 2] = [6, 7];
const POOL: u64 = 8;
const SIDS: [u64; 2] = [10, 11];
const CBS: [u64; 2] = [12, 13];
const SPARE: u64 = 14;
const NOTIFICATION: u64 = 15;
const PAGE: VirtAddr = VirtAddr(0x10_0000);

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let all = system.untyped(false);
    system.done(&retype(all, ObjectType::Untyped, 15, at(UNTYPED)));
    system.done(&retype(all, ObjectType::Untyped, 12, at(9)));
    let control = fixed(slot::ASID_CONTROL);
    system.done(&Invocation::MakePool { control, untyped: at(9), dest: at(POOL) });
    system.done(&retype(all, ObjectType::Notification, 0, at(NOTIFICATION)));
    for space in SPACES {
        system.done(&retype(at(UNTYPED), ObjectType::VSpace, 0, at(space)));
        system.done(&Invocation::AssignAsid { pool: at(POOL), vspace: at(space) });
    }
    for table in [3, 4, 5] {
        system.done(&retype(at(UNTYPED), ObjectType::PageTable, 0, at(table)));
        system.done(&Invocation::TableMap { table: at(table), vspace: at(SPACES[0]), at: PAGE });
    }
    for frame in FRAMES {
        system.done(&retype(at(UNTYPED), ObjectType::SmallPage, 0, at(frame)));
    }
    system.done(&map(node, 0, PAGE));
    let [first, ..] = streams();
    system.done(&Invocation::GetSid { control: fixed(slot::SID_CONTROL), stream: first, dest: at(SIDS[0]) });
    system.done(&Invocation::GetCb { control: fixed(slot::CB_CONTROL), smmu: 0, cb: 1, dest: at(CBS[0]) });
}

fn map(node: PhysAddr, frame: usize, page: VirtAddr) -> Invocation {
    let (frame, vspace) = (free(node, FRAMES[frame]), free(node, SPACES[0]));
    Invocation::PageMap { frame, vspace, at: page, rights: Rights::ALL, execute: false, cacheable: true }
}

/// Two that can be had, one that no table covers, one that the SMMU cannot tell, and one of an SMMU that is not there.
fn streams() -> [StreamId; 5] {
    let [first, second, _] = crate::watch::STREAMS.map(|sid| StreamId { smmu: 0, sid });
    [first, second, StreamId { smmu: 0, sid: 300 }, StreamId { smmu: 0, sid: 512 }, StreamId { smmu: 1, sid: 8 }]
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let (sid_control, cb_control) = (fixed(slot::SID_CONTROL), fixed(slot::CB_CONTROL));
    let mut all = Vec::new();
    for stream in streams() {
        let dest = if stream == streams()[0] { SIDS[0] } else { SIDS[1] };
        all.push(Invocation::GetSid { control: sid_control, stream, dest: at(dest) });
    }
    for (smmu, cb, dest) in [(0, 1, 0), (0, 2, 1), (0, 3, 1), (1, 0, 1)] {
        all.push(Invocation::GetCb { control: cb_control, smmu, cb, dest: at(CBS[dest]) });
    }
    for cb in CBS.map(at) {
        all.extend(SPACES.map(|vspace| Invocation::AssignVspace { cb, vspace: at(vspace) }));
        all.extend(SIDS.map(|sid| Invocation::BindCb { sid: at(sid), cb }));
        all.push(Invocation::UnassignVspace(cb));
    }
    all.extend(SIDS.map(|sid| Invocation::UnbindCb(at(sid))));
    for notification in [Some(at(NOTIFICATION)), Some(at(SPARE)), None] {
        all.push(Invocation::SetFaultHandler { sid: at(SIDS[0]), notification, budget: 0 });
    }
    for source in [SIDS[0], CBS[0], SPACES[0], NOTIFICATION, POOL] {
        all.push(Invocation::Copy { source: at(source), dest: at(SPARE), rights: Rights::ALL });
    }
    all.push(Invocation::Copy { source: sid_control, dest: at(SPARE), rights: Rights::ALL });
    all.push(Invocation::Mint { source: at(NOTIFICATION), dest: at(SPARE), rights: Rights::WRITE, data: 1 });
    let gone = [SIDS[0], SIDS[1], CBS[0], CBS[1], SPACES[0], SPACES[1], SPARE, NOTIFICATION, POOL, 5, FRAMES[0]];
    all.extend(gone.map(|gone| Invocation::Delete(at(gone))));
    let roots = [at(SIDS[0]), at(CBS[0]), at(SPACES[0]), at(UNTYPED), sid_control, cb_control];
    all.extend(roots.map(Invocation::Revoke));
    all.push(map(node, 0, PAGE));
    all.push(map(node, 1, VirtAddr(PAGE.0 + 0x1000)));
    all.push(Invocation::PageUnmap(at(FRAMES[0])));
    all.push(Invocation::TableUnmap(at(5)));
    acts(all)
}
