//! A guest, for its VMM.

use alloc::string::String;
use alloc::vec::Vec;

use sluice_manifest::{Guest, GuestDevice};
use sluice_spec::System;

use super::PlanError;

/// What the VMM of `guest`, which has `devices`, is told of it; the VMM runs at `priority`.
pub(super) fn describe(
    system: &System,
    (guest, priority): (&sluice_spec::Guest, u8),
    devices: Vec<GuestDevice>,
) -> Result<Guest, PlanError> {
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
        priority: priority.saturating_sub(1),
        devices,
    })
}
