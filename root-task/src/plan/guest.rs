//! A guest, for its VMM.

use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::smmu::StreamId;
use sluice_manifest::{Guest, GuestDevice};
use sluice_spec::{Component, System};

use super::PlanError;

/// IDR0.S1P and IDR0.S2P (IHI 0070, 6.3.1).
const BOTH_STAGES: u32 = 0b11;

/// What the VMM `component` of `guest` is told of it: of its `devices`, and of their SMMU among `smmus`.
pub(super) fn describe(
    system: &System,
    component: &Component,
    guest: &sluice_spec::Guest,
    (devices, smmus): (Vec<GuestDevice>, &[[u32; 4]]),
) -> Result<Guest, PlanError> {
    let mut nested = devices.iter().filter(|device| device.nested).flat_map(|device| &device.streams);
    let mut nested = nested.by_ref().filter_map(|word| StreamId::from_word(*word));
    let smmu = match nested.next() {
        None => None,
        Some(first) => {
            if nested.any(|stream| stream.smmu != first.smmu) {
                return Err(PlanError::Nested("its nested devices are behind several SMMUs"));
            }
            let registers = *smmus.get(usize::from(first.smmu)).ok_or(PlanError::Reference("SMMU"))?;
            if registers[0] & BOTH_STAGES != BOTH_STAGES {
                return Err(PlanError::Nested("the SMMU of its nested devices does not have both stages"));
            }
            Some(registers)
        }
    };
    let region = |index: u32| system.regions.get(index as usize).ok_or(PlanError::Reference("region"));
    let file = |index: u32| -> Result<(String, u64), PlanError> {
        let region = region(index)?;
        let blob = region.contents.and_then(|blob| system.blobs.get(blob as usize));
        let blob = blob.ok_or(PlanError::Reference("file"))?;
        Ok((region.name.clone(), blob.len))
    };
    Ok(Guest {
        ram: region(guest.ram)?.name.clone(),
        kernel: file(guest.kernel)?,
        initrd: guest.initrd.map(file).transpose()?,
        bootargs: guest.bootargs.clone(),
        vcpus: guest.vcpus,
        priority: component.priority.saturating_sub(1),
        smmu,
        devices,
    })
}
