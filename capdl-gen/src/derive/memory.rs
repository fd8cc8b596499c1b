//! Memory regions, where components see them, and whether the machine has that much.

use sluice_abi::{FrameSize, USER_TOP};
use sluice_spec::{Guest, Map, Region};

use super::{find, human, unique};
use crate::diagnostic::{At, Problem, Problems, Span};
use crate::platform::Platform;
use crate::spec::{self, GuestParts, Map as Mapping, Spec};

/// The regions of a spec, none of which is larger than the machine's memory.
pub(super) fn regions(spec: &Spec, platform: &Platform, problems: &mut Problems) -> Vec<Region> {
    let ram = platform.ram();
    for region in spec.regions.iter().filter(|region| region.size.value > ram) {
        problems.push(
            Problem::new(format!("region `{}` is larger than the machine's memory", region.name.value))
                .at(region.size.span, human(region.size.value))
                .help(format!("{} has {} of memory", platform.name(), human(ram))),
        );
    }
    spec.regions
        .iter()
        .map(|region| Region {
            name: region.name.value.clone(),
            size: region.size.value,
            frame_bits: region.frame.bits() as u8,
            contents: region.file.as_ref().map(|file| blob(file, spec)),
        })
        .collect()
}

/// The position of a file among the system's blobs.
fn blob(file: &At<String>, spec: &Spec) -> u32 {
    let position = super::files(spec).iter().position(|known| known.value == file.value).unwrap_or_default();
    (super::images(spec).len() + position) as u32
}

/// A guest, with the positions of its regions.
pub(super) fn guest(guest: &GuestParts, spec: &Spec) -> Guest {
    let position =
        |name: &str| spec.regions.iter().position(|region| region.name.value == name).unwrap_or_default() as u32;
    Guest {
        ram: position(&guest.ram),
        kernel: position(&guest.kernel),
        initrd: guest.initrd.as_deref().map(position),
        bootargs: guest.bootargs.clone(),
        vcpus: guest.vcpus,
    }
}

/// Whether everything that is asked for fits the machine's memory together.
pub(super) fn check_total(spec: &Spec, platform: &Platform, problems: &mut Problems) {
    let ram = platform.ram();
    let regions = spec.regions.iter().map(|region| region.size.value);
    if regions.clone().any(|size| size > ram) {
        return;
    }
    let components = spec.components.iter().flat_map(|component| {
        let untyped = component.untyped.iter().map(|grant| 1 << grant.size_bits);
        untyped.chain([component.stack, component.heap])
    });
    let total = regions.chain(components).fold(0, u64::saturating_add);
    if total > ram {
        problems.push(
            Problem::new("the spec asks for more memory than the machine has")
                .at(spec.platform.span, format!("has {}", human(ram)))
                .help(format!("regions, stacks, heaps and Untyped of the spec are {total} bytes together")),
        );
    }
}

/// What a component sees.
pub(super) fn maps(component: &spec::Component, spec: &Spec, problems: &mut Problems) -> Vec<Map> {
    unique(component.maps.iter().map(|map| &map.region), "a mapping of", problems);
    let mut maps = Vec::new();
    let mut fixed = Vec::new();
    for map in &component.maps {
        let Some(index) = problems.keep(find(&map.region, "memory region", names(spec))) else { continue };
        let region = &spec.regions[index];
        if let Some(vaddr) = &map.vaddr {
            let placed = Placed::new(vaddr, region);
            problems.keep(placed.check("virtual address", USER_TOP));
            fixed.push(placed);
        }
        let vaddr = map.vaddr.as_ref().map(|vaddr| vaddr.value);
        let Mapping { perms, cached, frames, .. } = *map;
        maps.push(Map { region: index as u32, perms, cached, vaddr, frames });
    }
    check_overlaps("virtual addresses", &fixed, problems);
    maps
}

/// Names of the spec's regions.
pub(super) fn names(spec: &Spec) -> impl Iterator<Item = &At<String>> + Clone {
    spec.regions.iter().map(|region| &region.name)
}

/// A region at an address the user chose.
pub(super) struct Placed<'a> {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) span: Span,
    region: &'a str,
    frame: FrameSize,
}

impl<'a> Placed<'a> {
    pub(super) fn new(start: &At<u64>, region: &'a spec::Region) -> Self {
        Self {
            start: start.value,
            size: region.size.value,
            span: start.span,
            region: &region.name.value,
            frame: region.frame,
        }
    }

    /// Whether the address is aligned to the region's frames, and the last byte of the region is not above `top`.
    pub(super) fn check(&self, kind: &str, top: u64) -> Result<(), Problem> {
        if !self.start.is_multiple_of(self.frame.bytes()) {
            return Err(Problem::new(format!("{kind} {:#x} is not aligned", self.start))
                .at(self.span, format!("`{}` is made of {} pages", self.region, human(self.frame.bytes()))));
        }
        match self.start.checked_add(self.size - 1) {
            Some(last) if last <= top => Ok(()),
            Some(_) | None => Err(Problem::new(format!("`{}` does not end within the address space", self.region))
                .at(self.span, format!("{} from here", human(self.size)))
                .help(format!("the last {kind} is {top:#x}"))),
        }
    }
}

/// Reports each of `placed` that overlaps an earlier one.
pub(super) fn check_overlaps(kind: &str, placed: &[Placed<'_>], problems: &mut Problems) {
    for (index, second) in placed.iter().enumerate() {
        let overlaps = |first: &&Placed<'_>| {
            first.start < second.start.saturating_add(second.size)
                && second.start < first.start.saturating_add(first.size)
        };
        if let Some(first) = placed[..index].iter().find(overlaps) {
            let extent = |placed: &Placed<'_>| {
                format!(
                    "`{}`: {:#x} to {:#x}",
                    placed.region,
                    placed.start,
                    placed.start.saturating_add(placed.size - 1)
                )
            };
            problems.push(
                Problem::new(format!("`{}` and `{}` overlap in {kind}", second.region, first.region))
                    .at(second.span, extent(second))
                    .at(first.span, extent(first)),
            );
        }
    }
}
