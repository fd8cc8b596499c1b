//! A guest, for its VMM.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use sluice_abi::smmu::StreamId;
use sluice_manifest::{Guest, GuestDevice};
use sluice_spec::{Component, System};

use super::{Circumstances, PlanError};

/// IDR0.S2P (IHI 0070, 6.3.1).
const STAGE_2: u32 = 1 << 0;
/// IDR0.S1P.
const STAGE_1: u32 = 1 << 1;

/// What the VMM `component` of `guest` is told of it: of its `devices`, of their SMMU, and
/// what seeds its random numbers.
pub(super) fn describe(
    system: &System,
    component: &Component,
    guest: &sluice_spec::Guest,
    (devices, circumstances): (Vec<GuestDevice>, &Circumstances),
) -> Result<Guest, PlanError> {
    let nested = devices.iter().filter_map(|device| device.stream).filter(|stream| stream.nested);
    let mut nested = nested.filter_map(|stream| StreamId::from_word(stream.word));
    let smmu = match nested.next() {
        None => None,
        Some(first) => {
            if nested.any(|stream| stream.smmu != first.smmu) {
                return Err(PlanError::Nested("its nested devices are behind several SMMUs"));
            }
            let registers = *circumstances.smmus.get(usize::from(first.smmu)).ok_or(PlanError::Reference("SMMU"))?;
            for (bit, what) in [
                (STAGE_2, "its nested devices take both stages, and their SMMU has no stage 2"),
                (STAGE_1, "its nested devices take both stages, and their SMMU has no stage 1"),
            ] {
                if registers[0] & bit == 0 {
                    return Err(PlanError::Nested(what));
                }
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
        seed: seed(&component.name, &circumstances.rng_seed),
        devices,
    })
}

/// Random bytes for one guest, which say nothing of the machine's or of another's; none where the machine has none.
fn seed(name: &str, machine: &[u8]) -> Vec<u8> {
    if machine.is_empty() {
        return Vec::new();
    }
    let digest = Sha256::new().chain_update("guest seed\0").chain_update(name).chain_update([0]).chain_update(machine);
    digest.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_has_a_seed_of_its_own_and_without_a_machines_there_is_none() {
        assert_eq!(seed("a", &[]), []);
        let seeds = [seed("a", b"one"), seed("b", b"one"), seed("a", b"two")];
        assert_eq!(seeds.each_ref().map(Vec::len), [32; 3]);
        assert!(seeds[0] != seeds[1] && seeds[0] != seeds[2] && seeds[1] != seeds[2]);
        assert_eq!(seed("a", b"one"), seeds[0]);
    }
}
