//! The I/O address space that a device has for one round: made of Untyped, and gone with it.

use alloc::vec::Vec;

use sluice_abi::{CapRights, Iova, ObjectType, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_manifest::slot;
use sluice_rt::{Device, Env, RtError};
use sluice_sys::{AsidPool, CNode, Cb, Frame, PageTable, Sid, Slot, Untyped, VSpace};

use super::trouble::Trouble;

/// Translation tables below the root, of which the last covers all addresses used here.
const TABLES: usize = 3;
const DEVICE_RIGHTS: CapRights = CapRights::READ.union(CapRights::WRITE);

/// A device's stream, its context, and slots for an address space.
pub(super) struct Wing {
    pub(super) sid: Sid,
    pub(super) cb: Cb,
    vspace: Slot,
    tables: [Slot; TABLES],
    /// Slots for the capabilities of what is mapped.
    frames: Vec<Slot>,
}

impl Wing {
    /// That of `device`, with slots for `frames` frames; what the root task bound is taken apart.
    pub(super) fn of(env: &Env, device: &Device<'_>, frames: usize) -> Result<Self, Trouble> {
        let manage = device.manage()?;
        let [sid] = manage.sids[..] else { return Err(Trouble::Streams) };
        sid.unbind_cb().map_err(RtError::refused("unbind a stream"))?;
        manage.cb.unassign_vspace().map_err(RtError::refused("unassign a context's address space"))?;
        let slots = env.slots();
        Ok(Self {
            sid,
            cb: manage.cb,
            vspace: slots.take()?,
            tables: [slots.take()?, slots.take()?, slots.take()?],
            frames: (0..frames).map(|_| slots.take()).collect::<Result<Vec<_>, _>>()?,
        })
    }

    fn space(&self) -> VSpace {
        VSpace::from(self.vspace.index)
    }

    /// Makes the address space, with tables for the lowest 2 MiB.
    pub(super) fn build(&self, memory: Untyped, pool: AsidPool) -> Result<(), RtError> {
        let make = |kind, to: Slot| {
            let to = CNode::from(slot::CNODE).from_offset(to.index);
            memory.retype(kind, 0, to, 1).map_err(RtError::refused("make an address space"))
        };
        make(ObjectType::VSpace, self.vspace)?;
        pool.assign(self.space()).map_err(RtError::refused("assign an ASID"))?;
        for table in self.tables {
            make(ObjectType::PageTable, table)?;
            PageTable::from(table.index)
                .map(self.space(), VirtAddr(0), VmAttributes::DEFAULT)
                .map_err(RtError::refused("install a translation table"))?;
        }
        Ok(())
    }

    /// Maps copies of `frames` from `at` on, their capabilities from the `first`-th of the reserved slots on.
    pub(super) fn map(&self, first: usize, frames: &[Slot], at: Iova) -> Result<(), RtError> {
        for (page, (frame, place)) in (0..).zip(frames.iter().zip(&self.frames[first..])) {
            place.copy_from(*frame, DEVICE_RIGHTS).map_err(RtError::refused("copy a frame's capability"))?;
            Frame::from(place.index)
                .map(
                    self.space(),
                    VirtAddr(at.0 + page * PAGE_SIZE),
                    DEVICE_RIGHTS,
                    VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER,
                )
                .map_err(RtError::refused("map a frame for a device"))?;
        }
        Ok(())
    }

    /// Lets the device at it.
    pub(super) fn open(&self) -> Result<(), RtError> {
        self.cb.assign_vspace(self.space()).map_err(RtError::refused("assign an address space"))?;
        self.sid.bind_cb(self.cb).map_err(RtError::refused("bind a stream"))
    }

    /// Unmaps `count` pages from the `first`-th on.
    pub(super) fn unmap(&self, first: usize, count: usize) -> Result<(), RtError> {
        let pages = &self.frames[first..first + count];
        pages.iter().try_for_each(|page| Frame::from(page.index).unmap()).map_err(RtError::refused("unmap a page"))
    }

    /// Takes the last-level table out.
    pub(super) fn unmap_table(&self) -> Result<(), RtError> {
        let table = PageTable::from(self.tables[TABLES - 1].index);
        table.unmap().map_err(RtError::refused("take a translation table out"))
    }

    /// Deletes the address space.
    pub(super) fn delete_space(&self) -> Result<(), RtError> {
        self.vspace.revoke().map_err(RtError::refused("revoke an address space"))?;
        self.vspace.delete().map_err(RtError::refused("delete an address space"))
    }

    /// Ends the round: whatever is still there of binding and mappings is taken away.
    pub(super) fn close(&self) -> Result<(), RtError> {
        // What the round took away is not there to be taken away again.
        let _was_bound = self.sid.unbind_cb();
        let _was_assigned = self.cb.unassign_vspace();
        for place in &self.frames {
            place.delete().map_err(RtError::refused("delete a page's capability"))?;
        }
        Ok(())
    }

    /// Lets the stream start anew, whatever it has been blocked for.
    pub(super) fn forget_records(&self) -> Result<(), RtError> {
        self.sid.clear_fault().map_err(RtError::refused("clear a stream's faults"))
    }
}
