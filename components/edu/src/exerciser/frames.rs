//! Frames the exerciser makes itself: each with a view for the CPU and a second capability for the device.

use sluice_abi::{CapRights, FrameSize, Iova, ObjectType};
use sluice_dma::{Access, DeviceSpace};
use sluice_manifest::slot;
use sluice_rt::{Env, Memory, RtError, Tables};
use sluice_sys::{CNode, Frame, Slot, Untyped};

use super::error::Trouble;

/// A page of the exerciser's own.
pub(super) struct OwnPage {
    /// The CPU's view; gone when the Untyped is revoked.
    pub(super) memory: Memory,
    slot: Slot,
    for_device: Slot,
}

/// Makes a frame of `untyped`.
pub(super) fn make_frame(env: &Env, untyped: Untyped) -> Result<Slot, RtError> {
    let place = env.slots().take()?;
    untyped
        .retype(ObjectType::SmallPage, 0, CNode::from(slot::CNODE).from_offset(place.index), 1)
        .map_err(RtError::refused("make a frame"))?;
    Ok(place)
}

impl OwnPage {
    pub(super) fn make(env: &Env, untyped: Untyped, tables: &Tables<'_>) -> Result<Self, Trouble> {
        let slot = make_frame(env, untyped)?;
        let for_device = env.slots().take()?;
        for_device
            .copy_from(slot, CapRights::READ | CapRights::WRITE)
            .map_err(RtError::refused("copy a frame's capability"))?;
        Ok(Self { memory: env.map_page(frame(slot), tables)?, slot, for_device })
    }

    pub(super) fn frame(&self) -> Frame {
        frame(self.slot)
    }

    /// Maps the page for the device.
    pub(super) fn show(&self, space: &mut DeviceSpace<'_>) -> Result<Iova, Trouble> {
        Ok(space.map(frame(self.for_device), FrameSize::Small, Access::ReadWrite)?)
    }

    /// Maps the page for the device at a chosen address.
    pub(super) fn show_at(&self, space: &mut DeviceSpace<'_>, iova: Iova) -> Result<(), Trouble> {
        Ok(space.map_at(frame(self.for_device), FrameSize::Small, iova, Access::ReadWrite)?)
    }

    /// Unmaps it for the device.
    pub(super) fn hide(&self, space: &mut DeviceSpace<'_>, iova: Iova) -> Result<(), Trouble> {
        Ok(space.unmap(frame(self.for_device), FrameSize::Small, iova)?)
    }
}

/// The capability in a slot of the component's own CNode.
pub(super) fn frame(slot: Slot) -> Frame {
    Frame::from(slot.index)
}
