//! Making objects.

use sluice_abi::{CapRights, FrameSize, ObjectType, PhysAddr};

use crate::Kernel;
use crate::cap::{CNode, Cap, EndpointCap, Frame, NotificationCap, PageTable, Untyped, VSpace};
use crate::error::Preempted;
use crate::hal::Hal;
use crate::object::{Endpoint, Notification, Tcb, Vcpu};
use crate::store::SlotRef;

/// Bytes cleared between two looks for interrupts.
const CLEAR_CHUNK: u64 = 1 << 12;

/// A checked request to make objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Retype {
    /// The slot of the Untyped.
    pub(crate) source: SlotRef,
    /// Whether the Untyped has no objects any more and starts over.
    pub(crate) reset: bool,
    /// Kind of the objects.
    pub(crate) object: ObjectType,
    /// Size argument.
    pub(crate) user_bits: u32,
    /// Offset of the first object in the Untyped.
    pub(crate) offset: u64,
    /// First slot for their capabilities; all are empty.
    pub(crate) dest: SlotRef,
    /// How many.
    pub(crate) count: u64,
}

impl<H: Hal> Kernel<H> {
    pub(crate) fn retype(&mut self, request: Retype) -> Result<(), Preempted> {
        if request.reset {
            self.reset_untyped(request.source)?;
        }
        let Cap::Untyped(untyped) = self.cap(request.source) else { return Ok(()) };
        let bytes = 1u64 << request.object.size_bits(request.user_bits);
        let used = request.offset + bytes * request.count;
        self.slot(request.source).set_cap(Cap::Untyped(Untyped { used, ..untyped }));
        for index in 0..request.count {
            let at = untyped.base.offset(request.offset + index * bytes);
            let cap = self.create_object(request.object, request.user_bits, at, untyped.device);
            self.insert_child(request.source, request.dest.nth(index), cap);
        }
        Ok(())
    }

    /// Clears what objects left, from the end, and remembers how far that has come.
    fn reset_untyped(&mut self, slot: SlotRef) -> Result<(), Preempted> {
        let Cap::Untyped(untyped) = self.cap(slot) else { return Ok(()) };
        let set_used = |kernel: &Self, used| kernel.slot(slot).set_cap(Cap::Untyped(Untyped { used, ..untyped }));
        if untyped.device {
            set_used(self, 0);
            return Ok(());
        }
        let mut used = untyped.used;
        while used > 0 {
            let start = (used - 1) & !(CLEAR_CHUNK - 1);
            self.hal.clear(untyped.base.offset(start), used - start);
            used = start;
            set_used(self, used);
            self.preemption_point()?;
        }
        Ok(())
    }

    fn create_object(&mut self, object: ObjectType, user_bits: u32, at: PhysAddr, device: bool) -> Cap {
        match object {
            ObjectType::Untyped => {
                // Its memory is clear: the parent was cleared when it was last reset.
                Cap::Untyped(Untyped { base: at, bits: user_bits as u8, device, used: 0 })
            }
            ObjectType::Tcb => Cap::Thread(self.hal.create::<Tcb>(at)),
            ObjectType::Endpoint => {
                let object = self.hal.create::<Endpoint>(at);
                Cap::Endpoint(EndpointCap { object, badge: 0, rights: CapRights::all() })
            }
            ObjectType::Notification => {
                let object = self.hal.create::<Notification>(at);
                Cap::Notification(NotificationCap { object, badge: 0, rights: CapRights::READ | CapRights::WRITE })
            }
            ObjectType::CNode => {
                self.hal.create_slots(at, 1 << user_bits);
                Cap::CNode(CNode { base: at, radix: user_bits as u8, guard: 0, guard_bits: 0 })
            }
            ObjectType::SmallPage => frame(at, FrameSize::Small, device),
            ObjectType::LargePage => frame(at, FrameSize::Large, device),
            ObjectType::HugePage => frame(at, FrameSize::Huge, device),
            ObjectType::PageTable => Cap::PageTable(PageTable { base: at, mapped: None }),
            ObjectType::VSpace => Cap::VSpace(VSpace { root: at, asid: None, bound: None }),
            ObjectType::StreamTable => {
                self.create_stream_table(at);
                Cap::StreamTable { base: at, mapped: None }
            }
            ObjectType::Vcpu => Cap::Vcpu(self.hal.create::<Vcpu>(at)),
        }
    }
}

fn frame(base: PhysAddr, size: FrameSize, device: bool) -> Cap {
    Cap::Frame(Frame { base, size, rights: CapRights::READ | CapRights::WRITE, device, mapped: None })
}
