//! A device's stream, its context, and the address space that both CPU and SMMU walk.

use sluice_abi::bootinfo::slot;
use sluice_abi::smmu::ContextId;
use sluice_abi::{CapRights, ObjectType, PAGE_BITS, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_sys::{Cb, CbControl, Frame, PageTable, Sid, SidControl, Untyped, VSpace};

use super::around_commands;
use crate::device::Device;
use crate::machine::{ASID_POOL, Machine, at, done, into};
use crate::samples::RUNS;

/// Where pages are mapped for the device: one last-level table of them.
const START: VirtAddr = VirtAddr(0x10_0000_0000);
/// Pages of one last-level table.
const TABLE: u64 = 512;
/// Most objects of one Retype.
const MOST: u64 = 256;
/// Samples of what takes hundreds of pages.
const FEWER: usize = 100;

/// A device whose stream is bound.
pub(super) struct Bound {
    pub(super) device: Device,
    pub(super) sid: Sid,
    cb: Cb,
    space: VSpace,
    table: PageTable,
}

impl Bound {
    /// The device, whose registers are mapped from `window` on. It may reach what is mapped between [`START`] and the end of
    /// the table there, which its command ring is not in.
    pub(super) fn new(machine: &mut Machine, window: VirtAddr) -> Self {
        let device = Device::find(machine, window, START.0 + TABLE * PAGE_SIZE);
        let (sid, cb) = (machine.slot(), machine.slot());
        done(SidControl::from(slot::SID_CONTROL).get_sid(device.stream, at(sid)));
        let context = ContextId { smmu: device.stream.smmu, cb: 1 };
        done(CbControl::from(slot::CB_CONTROL).get_cb(context, at(cb)));
        let (sid, cb) = (Sid::from(sid), Cb::from(cb));
        let space = VSpace::from(machine.make(ObjectType::VSpace, 0));
        done(ASID_POOL.assign(space));
        let [_, _, table] = [(); 3].map(|()| {
            let table = PageTable::from(machine.make(ObjectType::PageTable, 0));
            done(table.map(space, START, VmAttributes::DEFAULT));
            table
        });
        done(cb.assign_vspace(space));
        done(sid.bind_cb(cb));
        Self { device, sid, cb, space, table }
    }

    fn map(&self, first: u64, count: u64) {
        for page in 0..count {
            let frame = Frame::from(first + page);
            let rights = CapRights::READ | CapRights::WRITE;
            done(frame.map(self.space, START.offset(page * PAGE_SIZE), rights, VmAttributes::DEFAULT));
        }
    }
}

pub(super) fn bindings(bound: &Bound) {
    let bind = || done(bound.sid.bind_cb(bound.cb));
    let unbind = || done(bound.sid.unbind_cb());
    around_commands("smmu-unbind", RUNS, unbind, bind);
    unbind();
    around_commands("smmu-bind", RUNS, bind, unbind);
    bind();
}

/// So many frames in slots side by side, made of one Untyped that has no other children.
struct Frames {
    memory: Untyped,
    first: u64,
    count: u64,
}

impl Frames {
    fn new(machine: &mut Machine, count: u64) -> Self {
        let memory = Untyped::from(machine.make(ObjectType::Untyped, PAGE_BITS + count.ilog2()));
        let frames = Self { memory, first: machine.slots(count), count };
        frames.make();
        frames
    }

    fn make(&self) {
        for first in (0..self.count).step_by(MOST as usize) {
            let count = (self.count - first).min(MOST);
            done(self.memory.retype(ObjectType::SmallPage, 0, into(self.first + first), count));
        }
    }

    fn unmap(&self) {
        (self.first..self.first + self.count).for_each(|frame| done(Frame::from(frame).unmap()));
    }

    fn revoke(&self) {
        done(at(self.memory.cptr().0).revoke());
    }
}

pub(super) fn mappings(machine: &mut Machine, bound: &Bound) {
    let rows = [("smmu-map-1", "smmu-unmap-1", 1, RUNS), ("smmu-map-16", "smmu-revoke-16", 16, RUNS)];
    for (map, unmap, count, wanted) in rows.into_iter().chain([("smmu-map-512", "smmu-revoke-512", TABLE, FEWER)]) {
        let frames = Frames::new(machine, count);
        around_commands(map, wanted, || bound.map(frames.first, count), || frames.unmap());
        bound.map(frames.first, count);
        if count == 1 {
            around_commands(unmap, wanted, || frames.unmap(), || bound.map(frames.first, count));
        } else {
            let again = || {
                frames.make();
                bound.map(frames.first, count);
            };
            around_commands(unmap, wanted, || frames.revoke(), again);
        }
        if count == TABLE {
            let again = || {
                done(bound.table.map(bound.space, START, VmAttributes::DEFAULT));
                bound.map(frames.first, count);
            };
            around_commands("smmu-unmap-table", wanted, || done(bound.table.unmap()), again);
        }
        frames.unmap();
    }
}
