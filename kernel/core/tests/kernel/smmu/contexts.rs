//! Several contexts of a VSpace, and several streams of a context: none may be forgotten.

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_core::cap::{Derivation, VSpace, derivation};

use super::*;

const OTHERS: [u64; 2] = [STREAM + 1, STREAM + 2];

/// Binds a new stream to the context in slot `cb`.
fn bind(system: &mut System, stream: u64, cb: u64) {
    let sid = system.next_slot;
    assert_eq!(system.get_sid(stream), ok());
    system.done(sid, Label::SidBindCb, &[cb], &[]);
}

/// A bound device, and two more streams in the same VSpace, each with a context of its own; the slots of the contexts.
fn three_contexts() -> (Device, [(u64, u64); 3]) {
    let mut device = Device::bound();
    let (vspace, first) = (device.vspace, device.cb);
    let system = &mut device.system;
    let others = OTHERS.map(|stream| {
        let cb = system.next_slot;
        assert_eq!(system.get_cb(stream - STREAM + 4), ok());
        system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
        bind(system, stream, cb);
        (stream, cb)
    });
    (device, [(STREAM, first), others[0], others[1]])
}

fn prefetch(system: &System, streams: &[(u64, u64)]) {
    for (stream, _) in streams {
        system.model().speculate(*stream as u32);
        assert!(!system.reached(*stream).is_empty(), "{stream:#x} reaches nothing to begin with");
    }
}

#[test]
fn every_context_of_a_vspace_forgets() {
    let removals: [fn(&mut Device) -> Reply; 3] = [
        |device| device.system.call(device.frame, Label::PageUnmap, &[], &[]),
        |device| device.system.delete(device.tables[1]),
        |device| device.system.revoke(device.memory),
    ];
    for remove in removals {
        let (mut device, streams) = three_contexts();
        prefetch(&device.system, &streams);
        assert_eq!(remove(&mut device), ok());
        let system = &device.system;
        for (stream, _) in streams {
            assert_eq!(system.reached(stream), BTreeSet::new(), "{stream:#x}");
            assert!(system.model().access(stream as u32, Iova(AT), false).is_err(), "{stream:#x}");
        }
    }
}

#[test]
fn every_stream_of_a_context_aborts() {
    let removals: [fn(&mut Device) -> Reply; 2] = [
        |device| device.system.call(device.cb, Label::CbUnassignVspace, &[], &[]),
        |device| device.system.revoke(device.cb),
    ];
    for remove in removals {
        let mut device = Device::bound();
        let cb = device.cb;
        for stream in OTHERS {
            bind(&mut device.system, stream, cb);
        }
        prefetch(&device.system, &[(STREAM, cb), (OTHERS[0], cb), (OTHERS[1], cb)]);
        assert_eq!(remove(&mut device), ok());
        let system = &device.system;
        for stream in [STREAM, OTHERS[0], OTHERS[1]] {
            assert_eq!(system.reached(stream), BTreeSet::new(), "{stream:#x}");
            assert_eq!(system.model().access(stream as u32, Iova(AT), false), Err(Abort::Configured), "{stream:#x}");
        }
    }
}

#[test]
fn contexts_leave_a_vspace_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut device, streams) = three_contexts();
        let (vspace, frame) = (device.vspace, device.frame);
        for gone in 0..3 {
            let (stream, cb) = streams[order[gone]];
            device.system.done(cb, Label::CbUnassignVspace, &[], &[]);
            assert_eq!(device.system.reached(stream), BTreeSet::new(), "{order:?} {gone}");
            let left: Vec<_> = order[gone + 1..].iter().map(|at| streams[*at]).collect();
            prefetch(&device.system, &left);
            device.system.done(frame, Label::PageUnmap, &[], &[]);
            for (stream, _) in &left {
                assert_eq!(device.system.reached(*stream), BTreeSet::new(), "{order:?} {gone} {stream:#x}");
            }
            assert_eq!(device.system.map(frame, vspace, AT, 3, 7), ok());
        }
    }
}

#[test]
fn streams_leave_a_context_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut device = Device::bound();
        let (first, cb) = (device.sid, device.cb);
        let sids: Vec<u64> = OTHERS
            .into_iter()
            .map(|stream| {
                let sid = device.system.next_slot;
                bind(&mut device.system, stream, cb);
                sid
            })
            .collect();
        let streams = [(STREAM, first), (OTHERS[0], sids[0]), (OTHERS[1], sids[1])];
        device.system.done(streams[order[0]].1, Label::SidUnbindCb, &[], &[]);
        device.system.done(cb, Label::CbUnassignVspace, &[], &[]);
        for (stream, _) in streams {
            assert_eq!(device.system.reached(stream), BTreeSet::new(), "{order:?} {stream:#x}");
        }
        device.system.done(cb, Label::CbAssignVspace, &[device.vspace], &[]);
        assert_eq!(device.system.reached(streams[order[0]].0), BTreeSet::new(), "an unbound stream comes back");
        for at in &order[1..] {
            assert!(!device.system.reached(streams[*at].0).is_empty(), "{order:?} {at}");
        }
    }
}

#[test]
fn copies_of_hidden_capabilities_are_not_hidden() {
    let context = ContextId { smmu: 0, cb: 3 };
    let hidden = Cap::Cb { context, bound: Some(StreamId { smmu: 0, sid: 7 }) };
    assert_eq!(derivation(hidden), Derivation::Cap(Cap::Cb { context, bound: None }));
    let device = Device::bound();
    let Cap::VSpace(vspace) = device.system.cap(device.vspace) else { panic!("no VSpace") };
    let hidden = Cap::VSpace(VSpace { bound: Some(context), ..vspace });
    assert_eq!(derivation(hidden), Derivation::Cap(Cap::VSpace(vspace)));
}
