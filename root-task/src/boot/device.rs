//! A device's translation and registers, and the moment it may master memory.

use sluice_abi::CapRights;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_manifest::Manifest;
use sluice_spec::{Device, Location, Mode};

use super::builder::{Builder, DATA, DEVICE, READ_WRITE};
use super::component::{Objects, rights};
use super::ecam::Ecam;
use super::machine::{Checked, Devices};
use super::regions::RegionFrames;
use crate::kernel::{Invocation, Kernel};
use crate::pci::{enable_decode, enable_interrupt, enable_mastering, follow_mastering};
use crate::plan::Page;
use crate::{Mismatch, Stop, live};

/// Slots of a device's translation, in the order of its streams.
#[derive(Default)]
pub(super) struct Translation {
    pub(super) streams: alloc::vec::Vec<u64>,
    pub(super) context: u64,
    pub(super) space: u64,
}

/// Builds the I/O address space of a device and binds its streams to it, or has them bypass translation; `None` for a
/// device without streams.
pub(super) fn translate<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    device: &Device,
    objects: &Objects,
    (manifest, position): (&Manifest, usize),
    (regions, fault_badge): (&[RegionFrames], Option<u64>),
) -> Result<Option<Translation>, Stop> {
    let streams =
        live::streams(device).map_err(|mismatch| Stop::Mismatch { who: alloc::string::String::from(who), mismatch })?;
    let Some(first) = streams.first().filter(|_| device.mode != Mode::None) else { return Ok(None) };
    if device.guest_slot.is_some() {
        return guests(builder, who, device, &streams, (objects, fault_badge)).map(Some);
    }
    let described = manifest.devices.get(position).ok_or(Stop::System("a device without description"))?;
    let mut translation = match device.mode == Mode::Bypass && described.manage.is_none() {
        true => Translation::default(),
        false => space(builder, who, device, objects, (described, first.smmu), regions)?,
    };
    for stream in streams {
        let slot = builder.slot()?;
        builder.invoke(who, Invocation::GetStream { stream, slot })?;
        // Before the binding, so that no record of the first access is lost.
        if let (Some(badge), Some(faults)) = (fault_badge, &device.faults) {
            let notification = builder.badged(who, objects.notification, CapRights::WRITE, badge)?;
            let budget = faults.budget;
            builder.invoke(who, Invocation::SetFaultHandler { stream: slot, notification, budget })?;
        }
        let way = match device.mode {
            Mode::Bypass => Invocation::Bypass { stream: slot },
            Mode::None | Mode::Stage2 | Mode::Nested | Mode::Stage1 => {
                Invocation::Bind { stream: slot, context: translation.context }
            }
        };
        builder.invoke(who, way)?;
        translation.streams.push(slot);
    }
    Ok(Some(translation))
}

/// The context of a device and its I/O address space, with what the device reaches.
fn space<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    device: &Device,
    objects: &Objects,
    (described, smmu): (&sluice_manifest::Device, u8),
    regions: &[RegionFrames],
) -> Result<Translation, Stop> {
    let context = builder.slot()?;
    builder.invoke(who, Invocation::GetContext { context: ContextId { smmu, cb: device.context }, slot: context })?;
    // Streams by number come with an empty address space, which is right for either stage.
    if matches!(device.mode, Mode::Stage1 | Mode::Stage2) && device.location != Location::Streams {
        let live = builder.has_stage_2(who, smmu, context)?;
        if live != (device.mode == Mode::Stage2) {
            let mismatch = Mismatch::Stages { spec: device.mode.name(), live };
            return Err(Stop::Mismatch { who: alloc::string::String::from(who), mismatch });
        }
    }
    let mut space = builder.space(who)?;
    // While it is empty: that decides about the format of its tables.
    builder.invoke(who, Invocation::AssignSpace { context, space: space.vspace })?;
    for (map, told) in device.dma.iter().zip(&described.dma) {
        let region = regions.get(map.region as usize).ok_or(Stop::System("a device reaches no such region"))?;
        for (index, frame) in region.frames().enumerate() {
            let at = told.iova + ((index as u64) << region.size.bits());
            let access = (rights(told.perms), DATA);
            if described.manage.is_some() {
                let copy = builder.copy_frame_in_transit(who, frame)?;
                builder.map(who, &mut space, copy, (at, region.size), access)?;
                let to = objects.slot(told.frames + index as u64);
                builder.invoke(who, Invocation::Move { from: copy, to })?;
            } else {
                let copy = builder.copy_frame(who, frame)?;
                builder.map(who, &mut space, copy, (at, region.size), access)?;
            }
        }
    }
    Ok(Translation { context, space: space.vspace, ..Translation::default() })
}

/// The streams and the context of a guest's device; its VMM binds them to the guest's address space.
fn guests<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    device: &Device,
    streams: &[StreamId],
    (objects, fault_badge): (&Objects, Option<u64>),
) -> Result<Translation, Stop> {
    let mut translation = Translation { context: builder.slot()?, ..Translation::default() };
    let smmu = streams.first().map_or(0, |stream| stream.smmu);
    let context = ContextId { smmu, cb: device.context };
    builder.invoke(who, Invocation::GetContext { context, slot: translation.context })?;
    for stream in streams.iter().copied() {
        let slot = builder.slot()?;
        builder.invoke(who, Invocation::GetStream { stream, slot })?;
        if let (Some(badge), Some(faults)) = (fault_badge, &device.faults) {
            let notification = builder.badged(who, objects.notification, CapRights::WRITE, badge)?;
            let budget = faults.budget;
            builder.invoke(who, Invocation::SetFaultHandler { stream: slot, notification, budget })?;
        }
        translation.streams.push(slot);
    }
    Ok(translation)
}

/// Maps pages of registers into a component.
pub(super) fn map_registers<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    objects: &mut Objects,
    page: &Page,
) -> Result<(), Stop> {
    let frames = builder.registers(who, (page.base, page.size), page.frame)?;
    let offsets = (0..page.size).step_by(1 << page.frame.bits());
    for (offset, original) in offsets.zip(frames..) {
        let frame = builder.copy_frame(who, original)?;
        let at = (page.vaddr + offset, page.frame);
        builder.map(who, &mut objects.space, frame, at, (READ_WRITE, DEVICE))?;
    }
    Ok(())
}

/// Lets a PCI function decode, interrupt and, last, master memory.
///
/// `confined` says that its stream is bound, or that the spec or whoever booted the machine chose no protection; a device
/// of mode "none" never masters.
pub(super) fn enable<K: Kernel>(
    builder: &mut Builder<K>,
    devices: &Devices<'_>,
    checked: &Checked,
    device: &Device,
    confined: bool,
) {
    let Some(function) = checked.function else { return };
    let Some(bus) = devices.buses.get(function.bus) else { return };
    let mut ecam = Ecam { builder, host: &bus.host };
    enable_decode(&mut ecam, function.at, function.decode);
    if device.interrupt.is_some() {
        enable_interrupt(&mut ecam, function.at);
    }
    // A guest's device waits until its VMM has bound the streams and says so.
    if confined && device.mode != Mode::None && device.guest_slot.is_none() {
        enable_mastering(&mut ecam, function.at);
        follow_mastering(&mut ecam, &bus.found);
    }
}
