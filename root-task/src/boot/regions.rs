//! Memory regions: one frame object for each page, and a capability for each mapping.
//!
//! A region is of the component that alone has to do with it, or it outlives all of them.

use alloc::vec::Vec;

use sluice_abi::FrameSize;
use sluice_manifest::Perms;
use sluice_spec::{Map, Region, System};

use super::builder::Builder;
use super::component::{Objects, attributes, rights};
use super::part;
use crate::Stop;
use crate::kernel::Kernel;

/// The frames of a region, in consecutive slots.
pub(super) struct RegionFrames {
    first: u64,
    count: u64,
    pub(super) size: FrameSize,
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
            Some(_) => RegionFrames { first: 0, count: 0, size, copied: false },
            None => RegionFrames { copied: true, ..make_one(builder, system, region, payload)? },
        });
    }
    Ok(all)
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
            *made = make_one(builder, system, region, payload)?;
        }
    }
    Ok(())
}

/// The component whose own a region is; `None` when it outlives components.
fn owner(system: &System, region: usize) -> Option<usize> {
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
    region: &Region,
    payload: &[u8],
) -> Result<RegionFrames, Stop> {
    let size = frame_size(region)?;
    if !region.size.is_multiple_of(size.bytes()) {
        return Err(Stop::System("a region is not made of whole frames"));
    }
    let count = region.size >> size.bits();
    let first = builder.objects(&region.name, size.object_type(), 0, count)?;
    if let Some(blob) = region.contents {
        let blob = system.blobs.get(blob as usize);
        let file = blob.and_then(|blob| part(payload, blob.offset, blob.len));
        let file = file.ok_or(Stop::System("a region's file is not in the payload"))?;
        for (frame, bytes) in (first..first + count).zip(file.chunks(size.bytes() as usize)) {
            builder.fill_frame(&region.name, frame, size, bytes)?;
        }
    }
    Ok(RegionFrames { first, count, size, copied: false })
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
