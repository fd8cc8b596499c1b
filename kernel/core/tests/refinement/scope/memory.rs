//! Two frames and a table in two address spaces: the one the caller runs in, and one a device uses.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, VirtAddr};
use sluice_abstract::{Invocation, Rights, Slot};

use super::{Scope, acts, free, retype};
use crate::input::Act;
use crate::machine::IDENTITY;
use crate::system::System;

pub(crate) const MEMORY: Scope = Scope { name: "memory", identity: IDENTITY, prepare, alphabet };

const UNTYPED: u64 = 0;
const SPACE: u64 = 1;
const FRAMES: [u64; 3] = [4, 5, 6];
const TABLE: u64 = 7;
const SPARE: u64 = 8;
const SID: u64 = 9;
const CB: u64 = 10;
/// Pages that the caller's tables already reach, and that the device's do once it has its third table.
const PAGES: [VirtAddr; 2] = [VirtAddr(0x41_0000), VirtAddr(0x41_1000)];

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    system.done(&retype(system.untyped(false), ObjectType::Untyped, 15, at(UNTYPED)));
    system.done(&retype(at(UNTYPED), ObjectType::VSpace, 0, at(SPACE)));
    system.done(&Invocation::AssignAsid { pool: fixed(slot::INIT_ASID_POOL), vspace: at(SPACE) });
    for table in [2, 3] {
        system.done(&retype(at(UNTYPED), ObjectType::PageTable, 0, at(table)));
        system.done(&Invocation::TableMap { table: at(table), vspace: at(SPACE), at: PAGES[0] });
    }
    for frame in [FRAMES[0], FRAMES[1]] {
        system.done(&retype(at(UNTYPED), ObjectType::SmallPage, 0, at(frame)));
    }
    system.done(&retype(at(UNTYPED), ObjectType::PageTable, 0, at(TABLE)));
    let stream = StreamId { smmu: 0, sid: crate::watch::STREAMS[0] };
    system.done(&Invocation::GetSid { control: fixed(slot::SID_CONTROL), stream, dest: at(SID) });
    system.done(&Invocation::GetCb { control: fixed(slot::CB_CONTROL), smmu: 0, cb: 1, dest: at(CB) });
    system.done(&Invocation::AssignVspace { cb: at(CB), vspace: at(SPACE) });
    system.done(&Invocation::BindCb { sid: at(SID), cb: at(CB) });
    system.done(&Invocation::TableMap { table: at(TABLE), vspace: at(SPACE), at: PAGES[0] });
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let spaces = [fixed(slot::INIT_VSPACE), at(SPACE)];
    let mut all = Vec::new();
    for frame in FRAMES.map(at) {
        for vspace in spaces {
            for (page, rights) in [(PAGES[0], Rights::ALL), (PAGES[0], Rights::READ), (PAGES[1], Rights::ALL)] {
                let execute = vspace == spaces[0];
                all.push(Invocation::PageMap { frame, vspace, at: page, rights, execute, cacheable: true });
            }
        }
        all.push(Invocation::PageUnmap(frame));
        all.push(Invocation::Delete(frame));
    }
    let [first, second, third] = FRAMES.map(at);
    let page = |page| Invocation::PageMap {
        frame: second,
        vspace: at(SPACE),
        at: page,
        rights: Rights::WRITE,
        execute: false,
        cacheable: false,
    };
    all.extend([page(PAGES[0]), page(VirtAddr(0x41_0800)), page(VirtAddr(0x60_0000)), page(VirtAddr(1 << 44))]);
    for rights in [Rights::ALL, Rights::READ] {
        all.push(Invocation::Copy { source: first, dest: third, rights });
    }
    all.push(Invocation::Move { source: first, dest: third });
    for (vspace, page) in [(at(SPACE), PAGES[0]), (at(SPACE), VirtAddr(0x60_0000)), (spaces[0], VirtAddr(0x60_0000))] {
        all.push(Invocation::TableMap { table: at(TABLE), vspace, at: page });
    }
    all.push(Invocation::Copy { source: at(TABLE), dest: at(SPARE), rights: Rights::ALL });
    all.push(Invocation::Copy { source: at(SPACE), dest: at(SPARE), rights: Rights::ALL });
    all.extend([TABLE, 3, SPARE].map(|table| Invocation::TableUnmap(at(table))));
    all.extend([TABLE, 2, SPACE, SPARE, SID, CB].map(|gone| Invocation::Delete(at(gone))));
    all.extend([UNTYPED, SPACE, FRAMES[0]].map(|root| Invocation::Revoke(at(root))));
    all.push(retype(at(UNTYPED), ObjectType::SmallPage, 0, first));
    all.push(retype(at(UNTYPED), ObjectType::VSpace, 0, at(SPACE)));
    all.push(retype(at(UNTYPED), ObjectType::PageTable, 0, at(TABLE)));
    all.push(Invocation::AssignAsid { pool: fixed(slot::INIT_ASID_POOL), vspace: at(SPACE) });
    acts(all)
}
