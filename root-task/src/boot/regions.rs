//! Memory regions: one frame object for each page, and a capability for each mapping.
//!
//! A region is of the component that alone has to do with it, or it outlives all of them.

use alloc::format;
use alloc::vec::Vec;

use sluice_abi::FrameSize;
use sluice_manifest::Perms;
use sluice_spec::{Map, Mode, Region, System};

use super::builder::Builder;
use super::component::{Objects, attributes, rights};
use super::part;
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::{Mismatch, Stop};

/// The frames of a region, in consecutive slots.
pub(super) struct RegionFrames {
    first: u64,
    count: u64,
    pub(super) size: FrameSize,
    /// Physical address of the first byte, when a device needs all of it in one piece.
    pub(super) base: Option<u64>,
    /// Whether mappings are of copies: the original capabilities serve another, or outlive the component.
    copied: bool,
}

impl RegionFrames {
    pub(super) fn frames(&self) -> impl Iterator<Item = u64> + use<> {
        self.first..self.first + self.count
    }
}

/// Makes the frames of every region that outlives components: those that several have to do with, and files that nobody
/// can change.
pub(super) fn make<K: Kernel>(
    builder: &mut Builder<K>,
    system: &System,
    payload: &[u8],
) -> Result<Vec<RegionFrames>, Stop> {
    let mut all = Vec::new();
    for (index, region) in system.regions.iter().enumerate() {
        let size = frame_size(region)?;
        all.push(match owner(system, index) {
            Some(_) => RegionFrames { first: 0, count: 0, size, base: None, copied: false },
            None => RegionFrames {
                copied: true,
                ..make_one(builder, system, (region, untranslated(system, index)), payload)?
            },
        });
    }
    Ok(all)
}

/// Whether a device that bypasses translation is given the region.
fn untranslated(system: &System, region: usize) -> bool {
    let devices = system.components.iter().flat_map(|component| &component.devices);
    let mut given = devices.filter(|device| device.mode == Mode::Bypass).flat_map(|device| &device.dma);
    given.any(|dma| dma.region as usize == region)
}

/// Tells components where devices that bypass translation find their regions: at physical addresses.
pub(super) fn tell_physical(system: &System, plans: &mut [Plan], regions: &[RegionFrames]) -> Result<(), Stop> {
    for (component, plan) in system.components.iter().zip(plans) {
        for (device, told) in component.devices.iter().zip(&mut plan.manifest.devices) {
            if device.mode != Mode::Bypass {
                continue;
            }
            for (map, told) in device.dma.iter().zip(&mut told.dma) {
                let base = regions.get(map.region as usize).and_then(|region| region.base);
                told.iova = base.ok_or(Stop::System("a device reaches no such region"))?;
                let last = told.iova + (told.size - 1);
                if u32::from(device.address_bits) < u64::BITS && last >> device.address_bits != 0 {
                    let who = format!("{}.{}", component.name, device.name);
                    let mismatch = Mismatch::Width { last, bits: device.address_bits };
                    return Err(Stop::Mismatch { who, mismatch });
                }
            }
        }
    }
    Ok(())
}

/// Makes the frames of the regions that are `component`'s alone: they are gone with it, and new, so cleared, in its next
/// life.
pub(super) fn make_own<K: Kernel>(
    builder: &mut Builder<K>,
    system: &System,
    payload: &[u8],
    component: usize,
    regions: &mut [RegionFrames],
) -> Result<(), Stop> {
    for (index, (region, made)) in system.regions.iter().zip(regions).enumerate() {
        if owner(system, index) == Some(component) {
            *made = make_one(builder, system, (region, false), payload)?;
        }
    }
    Ok(())
}

/// The regions that are `component`'s alone are gone with it.
pub(super) fn forget_own(system: &System, component: usize, regions: &mut [RegionFrames]) {
    for (index, made) in regions.iter_mut().enumerate() {
        if owner(system, index) == Some(component) {
            made.count = 0;
        }
    }
}

/// The component whose own a region is; `None` when it outlives components, as one does that somebody knows by its physical
/// address.
fn owner(system: &System, region: usize) -> Option<usize> {
    if untranslated(system, region) {
        return None;
    }
    let is = |number: u32| number as usize == region;
    let mut written = false;
    let mut users = system.components.iter().enumerate().filter_map(|(index, component)| {
        let maps = component.maps.iter().filter(|map| is(map.region)).map(|map| map.perms);
        let devices = component.devices.iter().flat_map(|device| &device.dma);
        let reached = devices.filter(|map| is(map.region)).map(|map| map.perms);
        let perms: Vec<sluice_spec::Perms> = maps.chain(reached).collect();
        written |= perms.iter().any(|perms| perms.write);
        (!perms.is_empty()).then_some(index)
    });
    let (first, second) = (users.next()?, users.next());
    drop(users);
    let kept = system.regions.get(region).is_none_or(|region| region.contents.is_some()) && !written;
    (second.is_none() && !kept).then_some(first)
}

fn frame_size(region: &Region) -> Result<FrameSize, Stop> {
    let known = FrameSize::ALL.into_iter().find(|size| size.bits() == u32::from(region.frame_bits));
    known.ok_or(Stop::System("a region's frames have no size the kernel knows"))
}

fn make_one<K: Kernel>(
    builder: &mut Builder<K>,
    system: &System,
    (region, contiguous): (&Region, bool),
    payload: &[u8],
) -> Result<RegionFrames, Stop> {
    let size = frame_size(region)?;
    if !region.size.is_multiple_of(size.bytes()) {
        return Err(Stop::System("a region is not made of whole frames"));
    }
    let count = region.size >> size.bits();
    let (first, base) = if contiguous {
        let (first, base) = builder.contiguous(&region.name, size.object_type(), count)?;
        (first, Some(base))
    } else {
        (builder.objects(&region.name, size.object_type(), 0, count)?, None)
    };
    if let Some(blob) = region.contents {
        let blob = system.blobs.get(blob as usize);
        let file = blob.and_then(|blob| part(payload, blob.offset, blob.len));
        let file = file.ok_or(Stop::System("a region's file is not in the payload"))?;
        for (frame, bytes) in (first..first + count).zip(file.chunks(size.bytes() as usize)) {
            builder.fill_frame(&region.name, frame, size, bytes)?;
        }
    }
    Ok(RegionFrames { first, count, size, base, copied: false })
}

/// Maps a region into a component.
pub(super) fn map<K: Kernel>(
    builder: &mut Builder<K>,
    who: &str,
    objects: &mut Objects,
    regions: &mut [RegionFrames],
    (map, vaddr, perms): (&Map, u64, Perms),
) -> Result<(), Stop> {
    let region = regions.get_mut(map.region as usize).ok_or(Stop::System("a component sees no such region"))?;
    for (index, frame) in region.frames().enumerate() {
        let frame = if region.copied { builder.copy_frame(who, frame)? } else { frame };
        let at = (vaddr + ((index as u64) << region.size.bits()), region.size);
        builder.map(who, &mut objects.space, frame, at, (rights(perms), attributes(perms, map.cached)))?;
    }
    region.copied = true;
    Ok(())
}
