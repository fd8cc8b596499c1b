//! Where a device finds its memory.

use sluice_abi::{FrameSize, PHYS_BITS};
use sluice_spec::DmaMap;

use super::memory::{self, Placed};
use super::{find, human, unique};
use crate::diagnostic::{Problem, Problems};
use crate::spec::{self, Mode, Spec};

/// First address that is chosen for a region. The addresses below stay unmapped, so that a device that is told to
/// use a null pointer or a small number faults.
const FIRST: u64 = 64 << 10;

/// What `device` reaches. Addresses the spec leaves open are chosen low, for devices with few address lines.
pub(super) fn derive(device: &spec::Device, spec: &Spec, problems: &mut Problems) -> Vec<DmaMap> {
    unique(device.dma.iter().map(|dma| &dma.region), "a DMA mapping of", problems);
    if device.mode.value == Mode::Bypass {
        return untranslated(device, spec, problems);
    }
    let top = last_address(device.address_bits);
    let mut fixed = Vec::new();
    let mut found = Vec::new();
    for dma in &device.dma {
        let Some(index) = problems.keep(find(&dma.region, "memory region", memory::names(spec))) else { continue };
        let region = &spec.regions[index];
        found.push((dma, index));
        if let Some(iova) = &dma.iova {
            let placed = Placed::new(iova, region);
            problems.keep(placed.check("I/O address", top).map_err(|problem| width(problem, device)));
            fixed.push(placed);
        }
    }
    memory::check_overlaps("I/O addresses", &fixed, problems);
    let mut taken: Vec<(u64, u64)> = fixed.iter().map(|placed| (placed.start, placed.size)).collect();
    let mut maps = Vec::new();
    for (dma, index) in found {
        let region = &spec.regions[index];
        let iova = match &dma.iova {
            Some(iova) => iova.value,
            None => match choose(&taken, region.size.value, region.frame, top) {
                Some(iova) => {
                    taken.push((iova, region.size.value));
                    iova
                }
                None => {
                    let problem = Problem::new(format!("there is no room for `{}`", dma.region.value)).at(
                        dma.region.span,
                        format!("{} do not fit the device's I/O addresses", human(region.size.value)),
                    );
                    problems.push(width(problem, device));
                    continue;
                }
            },
        };
        maps.push(DmaMap { region: index as u32, iova, perms: dma.perms });
    }
    maps
}

/// The regions of a device that finds memory where it is.
fn untranslated(device: &spec::Device, spec: &Spec, problems: &mut Problems) -> Vec<DmaMap> {
    let region = |dma: &spec::Dma, problems: &mut Problems| {
        problems.keep(find(&dma.region, "memory region", memory::names(spec)))
    };
    let found = device.dma.iter().filter_map(|dma| Some((region(dma, problems)?, dma.perms)));
    found.map(|(index, perms)| DmaMap { region: index as u32, iova: 0, perms }).collect()
}

/// The highest address of a device with `bits` address lines that the SMMU translates.
fn last_address(bits: u8) -> u64 {
    (1 << u32::from(bits).min(PHYS_BITS)) - 1
}

fn width(problem: Problem, device: &spec::Device) -> Problem {
    if u32::from(device.address_bits) >= PHYS_BITS {
        return problem;
    }
    problem.help(format!(
        "`{}` has {} address bits: its last I/O address is {:#x}",
        device.name.value,
        device.address_bits,
        last_address(device.address_bits)
    ))
}

/// The lowest address for `size` bytes in frames of `frame` that overlaps nothing in `taken` and ends at or below `top`.
fn choose(taken: &[(u64, u64)], size: u64, frame: FrameSize, top: u64) -> Option<u64> {
    let mut at = FIRST.next_multiple_of(frame.bytes());
    loop {
        let last = at.checked_add(size - 1).filter(|last| *last <= top)?;
        let obstacle = taken.iter().filter(|(start, length)| *start <= last && at < start.saturating_add(*length));
        match obstacle.map(|(start, length)| start.saturating_add(*length)).max() {
            Some(end) => at = end.checked_next_multiple_of(frame.bytes())?,
            None => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOP: u64 = (1 << 28) - 1;

    #[test]
    fn the_first_address_is_low_and_never_null() {
        assert_eq!(choose(&[], 0x1000, FrameSize::Small, TOP), Some(0x1_0000));
        assert_eq!(choose(&[], 0x20_0000, FrameSize::Large, TOP), Some(0x20_0000));
    }

    #[test]
    fn what_is_taken_is_stepped_over() {
        let taken = [(0x1_0000, 0x1000), (0x1_2000, 0x1000)];
        assert_eq!(choose(&taken, 0x1000, FrameSize::Small, TOP), Some(0x1_1000));
        assert_eq!(choose(&taken, 0x2000, FrameSize::Small, TOP), Some(0x1_3000));
        assert_eq!(choose(&taken, 0x20_0000, FrameSize::Large, TOP), Some(0x20_0000));
    }

    #[test]
    fn the_last_page_is_used_and_nothing_beyond_it() {
        assert_eq!(choose(&[], TOP + 1 - FIRST, FrameSize::Small, TOP), Some(FIRST));
        assert_eq!(choose(&[], TOP + 1 - FIRST + 0x1000, FrameSize::Small, TOP), None);
        assert_eq!(choose(&[(FIRST, TOP)], 0x1000, FrameSize::Small, TOP), None);
    }

    #[test]
    fn a_wide_device_is_limited_by_the_smmu() {
        assert_eq!(last_address(64), (1 << 44) - 1);
        assert_eq!(last_address(32), u64::from(u32::MAX));
    }

    fn requests() -> impl Strategy<Value = Vec<(u64, FrameSize)>> {
        let small = (1u64..64).prop_map(|pages| (pages << 12, FrameSize::Small));
        let large = (1u64..4).prop_map(|pages| (pages << 21, FrameSize::Large));
        prop::collection::vec(prop_oneof![small, large], 1..24)
    }

    proptest! {
        #[test]
        fn chosen_addresses_are_aligned_apart_and_in_reach(requests in requests(), bits in 20u8..44) {
            let top = last_address(bits);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (size, frame) in requests {
                let Some(at) = choose(&taken, size, frame, top) else {
                    let candidates = (0..=top >> frame.bits()).take(1 << 16).map(|index| index << frame.bits());
                    let fits = |at: &u64| {
                        let apart = taken.iter().all(|(start, length)| at + size <= *start || start + length <= *at);
                        *at >= FIRST && at + size - 1 <= top && apart
                    };
                    prop_assert_eq!(candidates.into_iter().find(fits), None, "there was room");
                    continue;
                };
                prop_assert!(at >= FIRST && at % frame.bytes() == 0 && at + size - 1 <= top);
                for (start, length) in &taken {
                    prop_assert!(at + size <= *start || start + length <= at, "{at:#x} overlaps {start:#x}");
                }
                taken.push((at, size));
            }
        }
    }
}
