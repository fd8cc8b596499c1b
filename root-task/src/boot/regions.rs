//! Memory regions: one frame object for each page, and a capability for each mapping.

use alloc::vec::Vec;

use sluice_abi::FrameSize;
use sluice_manifest::Perms;
use sluice_spec::{Map, System};

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
    /// Whether the original capabilities serve a mapping already.
    mapped: bool,
}

impl RegionFrames {
    pub(super) fn frames(&self) -> impl Iterator<Item = u64> + use<> {
        self.first..self.first + self.count
    }
}

/// Makes the frames of every region.
pub(super) fn make<K: Kernel>(
    builder: &mut Builder<K>,
    system: &System,
    payload: &[u8],
) -> Result<Vec<RegionFrames>, Stop> {
    let mut all = Vec::new();
    for region in &system.regions {
        let known = FrameSize::ALL.into_iter().find(|size| size.bits() == u32::from(region.frame_bits));
        let size = known.ok_or(Stop::System("a region's frames have no size the kernel knows"))?;
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
        all.push(RegionFrames { first, count, size, mapped: false });
    }
    Ok(all)
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
        let frame = if region.mapped { builder.copy_frame(who, frame)? } else { frame };
        let at = (vaddr + ((index as u64) << region.size.bits()), region.size);
        builder.map(who, &mut objects.space, frame, at, (rights(perms), attributes(perms, map.cached)))?;
    }
    region.mapped = true;
    Ok(())
}
