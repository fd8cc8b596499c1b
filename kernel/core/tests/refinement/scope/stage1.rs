//! A device with a stage 1 of its holder's, and an SMMU that errs, is taken down and up, and lets streams bypass it.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, VirtAddr};
use sluice_abstract::{Cap, Invocation, Rights, Slot};

use super::{Scope, acts, free, retype};
use crate::input::Act;
use crate::machine::{IDENTITY, STAGE2_ONLY};
use crate::stage1::{DESCRIPTOR, PAGE, READ_ONLY, TABLE};
use crate::system::System;

pub(crate) const STAGE1: Scope = Scope { name: "stage 1", identity: IDENTITY, prepare, alphabet };
/// The same on an SMMU that has no stage 1 to give: each attempt is refused.
pub(crate) const NO_STAGE1: Scope = Scope { name: "no stage 1", identity: STAGE2_ONLY, prepare, alphabet };

const UNTYPED: u64 = 0;
const SPACE: u64 = 1;
/// Descriptor, tables of levels 2 and 3, two pages that those lead to, and one in stage 2 only.
const FRAMES: [u64; 6] = [5, 6, 7, 8, 9, 10];
const SIDS: [u64; 2] = [11, 12];
const CBS: [u64; 2] = [13, 14];
const START: u64 = 0x10_0000;
/// TLBI_S12_VMALL (IHI 0070, 4.4.3).
const WHOLE_CONTEXT: u64 = 0x28;

fn ipa(frame: usize) -> u64 {
    START + 0x1000 * frame as u64
}

fn prepare(system: &mut System) {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    system.done(&retype(system.untyped(false), ObjectType::Untyped, 16, at(UNTYPED)));
    system.done(&retype(at(UNTYPED), ObjectType::VSpace, 0, at(SPACE)));
    system.done(&Invocation::AssignAsid { pool: fixed(slot::INIT_ASID_POOL), vspace: at(SPACE) });
    for table in [2, 3, 4] {
        system.done(&retype(at(UNTYPED), ObjectType::PageTable, 0, at(table)));
        system.done(&Invocation::TableMap { table: at(table), vspace: at(SPACE), at: VirtAddr(START) });
    }
    for (index, frame) in FRAMES.into_iter().enumerate() {
        system.done(&retype(at(UNTYPED), ObjectType::SmallPage, 0, at(frame)));
        system.done(&map(node, index, index, Rights::ALL));
    }
    let mut write = |frame: usize, word: u64, value| {
        let Some(Cap::Frame { base, .. }) = system.state.cap(at(FRAMES[frame])) else { panic!("no frame") };
        system.happens(&Act::Write { at: base.offset(8 * word), value });
    };
    write(0, 0, DESCRIPTOR);
    write(0, 1, ipa(1));
    write(0, 3, 0xff);
    write(1, 0, ipa(2) | TABLE);
    write(2, 1, ipa(3) | PAGE);
    write(2, 2, ipa(4) | PAGE | READ_ONLY);
    write(2, 3, 0x4000_0000 | PAGE);
    for (sid, stream) in SIDS.into_iter().zip(crate::watch::STREAMS) {
        let stream = StreamId { smmu: 0, sid: stream };
        system.done(&Invocation::GetSid { control: fixed(slot::SID_CONTROL), stream, dest: at(sid) });
    }
    for (cb, number) in CBS.into_iter().zip(1..) {
        system.done(&Invocation::GetCb { control: fixed(slot::CB_CONTROL), smmu: 0, cb: number, dest: at(cb) });
    }
    system.done(&Invocation::AssignVspace { cb: at(CBS[0]), vspace: at(SPACE) });
    system.done(&Invocation::BindCb { sid: at(SIDS[0]), cb: at(CBS[0]) });
    if system.identity.idr0 == IDENTITY.idr0 {
        system.done(&Invocation::AssignCdTable { cb: at(CBS[0]), words: [ipa(0), 0] });
    }
}

fn map(node: sluice_abi::PhysAddr, frame: usize, place: usize, rights: Rights) -> Invocation {
    let (frame, vspace, at) = (free(node, FRAMES[frame]), free(node, SPACE), VirtAddr(ipa(place)));
    Invocation::PageMap { frame, vspace, at, rights, execute: false, cacheable: true }
}

/// Batches that are carried out, and such as are not, each for another reason.
fn batches() -> Vec<Vec<u64>> {
    let all = [0x10, 0];
    let address = [9 << 48 | 0x12, 0x1000];
    let one_granule_without_level = [9 << 48 | 0x12, 0x1000 | 1 << 10];
    let mut batches = vec![
        vec![],
        vec![0],
        vec![60],
        vec![1, 0x10],
        [&[2][..], &all, &address].concat(),
        [&[4][..], &[0x30, 0], &[8 << 32 | 0x06, 0], &[9 << 48 | 0x11, 0], &[5 << 32 | 0x13, 0x2001]].concat(),
        [&[2][..], &[8 << 32 | 0x05, 1], &[9 << 48 | 0x12 | 3 << 12, 0x1000 | 1 << 10]].concat(),
        [&[2][..], &all, &[0x2a, 0x1000]].concat(),
        [&[2][..], &address, &one_granule_without_level].concat(),
    ];
    // Another's substream, TLBI_EL2_ALL, SYNC, reserved bits.
    for refused in [[1 << 12 | 0x05, 0], [0x20, 0], [0x46, 0], [1 << 8 | 0x10, 0], [0x10, 1], [0x30 | 1 << 32, 0]] {
        batches.push([&[1][..], &refused].concat());
    }
    batches
}

fn alphabet(system: &System) -> Vec<Act> {
    let node = system.node;
    let at = |index| free(node, index);
    let fixed = |index| Slot::Node { node, index };
    let (sids, cbs) = (fixed(slot::SID_CONTROL), fixed(slot::CB_CONTROL));
    let mut all = Vec::new();
    for cb in CBS.map(at) {
        for words in [[ipa(0), 0], [ipa(5), 0]] {
            all.push(Invocation::AssignCdTable { cb, words });
        }
        all.push(Invocation::UnassignCdTable(cb));
        all.push(Invocation::InvalidateStage1 { cb, words: vec![1, 0x10, 0] });
        all.push(Invocation::AssignVspace { cb, vspace: at(SPACE) });
        all.push(Invocation::UnassignVspace(cb));
    }
    // Misaligned, too far, with a substream, two levels, reserved values, reserved bits.
    for words in
        [[ipa(0) + 8, 0], [1 << 44, 0], [ipa(0), 1], [ipa(0), 1 << 8], [ipa(0), 3 << 16], [ipa(0), 1 << 28], [0, 32]]
    {
        all.push(Invocation::AssignCdTable { cb: at(CBS[0]), words });
    }
    all.extend(batches().into_iter().map(|words| Invocation::InvalidateStage1 { cb: at(CBS[0]), words }));
    all.push(Invocation::InvalidateStage1 { cb: at(SIDS[0]), words: vec![1, 0x10, 0] });
    for sid in SIDS.map(at) {
        all.push(Invocation::BindCb { sid, cb: at(CBS[0]) });
        all.push(Invocation::UnbindCb(sid));
        all.push(Invocation::BypassStream { control: sids, sid });
    }
    for (control, sid) in [(sids, at(CBS[0])), (sids, at(SPACE)), (cbs, at(SIDS[0])), (at(SIDS[0]), at(SIDS[0]))] {
        all.push(Invocation::BypassStream { control, sid });
    }
    for smmu in [0, 1] {
        all.push(Invocation::DisableSmmu { control: sids, smmu });
        all.push(Invocation::InitSmmu { control: sids, smmu });
        all.push(Invocation::SkipCmdqError { control: sids, smmu });
    }
    all.push(Invocation::InitSmmu { control: cbs, smmu: 0 });
    all.push(Invocation::GetGlobalFault { control: sids, smmu: 0 });
    all.push(Invocation::ClearGlobalFault { control: sids, smmu: 0 });
    all.push(Invocation::InvalidateAll { control: cbs, smmu: 0 });
    all.extend(FRAMES.map(|frame| Invocation::PageUnmap(at(frame))));
    all.push(map(node, 3, 3, Rights::READ));
    all.push(map(node, 5, 3, Rights::ALL));
    all.push(Invocation::TableUnmap(at(4)));
    let gone = [SIDS[0], CBS[0], SPACE, 4, FRAMES[1]];
    all.extend(gone.map(|gone| Invocation::Delete(at(gone))));
    all.extend([at(UNTYPED), at(SPACE), sids, cbs].map(Invocation::Revoke));
    let mut acts = acts(all);
    let invocation = Invocation::InvalidateContext(at(CBS[0]));
    acts.push(Act::Rejecting { invocation, command: WHOLE_CONTEXT });
    acts.push(Act::GiveUp);
    acts
}
