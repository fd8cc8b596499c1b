//! Puts kernel, file system and device tree into the guest's memory.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_manifest::Guest;
use sluice_rt::{Env, Memory, time};
use sluice_vmm::fdt::{self, Machine};
use sluice_vmm::image::{HEADER_BYTES, Image};
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr};
use sluice_vmm::smmu::Features;

use crate::ram::Ram;

const OUTSIDE: &str = "it does not fit the guest's memory";

/// How the guest's first processor starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Its PC.
    pub(crate) entry: u64,
    /// Where the device tree is, for x0.
    pub(crate) device_tree: u64,
}

/// Loads the guest into memory that has been scrubbed; `words` go behind its command line.
///
/// # Errors
/// What does not fit or is not what it should be, in words.
pub(crate) fn load(env: &Env, described: &Guest, mut ram: Ram, words: &str) -> Result<Start, String> {
    let (name, bytes) = &described.kernel;
    let kernel = env.region(name).map_err(|error| error.to_string())?;
    let mut header = [0; HEADER_BYTES];
    kernel.read(0, &mut header);
    let image = Image::read(&header, *bytes).map_err(|error| error.to_string())?;
    let initrd = described.initrd.as_ref();
    let placement = image.place(initrd.map(|(_, bytes)| *bytes), ram.0.len() as u64);
    let placement = placement.map_err(|error| error.to_string())?;
    copy(&kernel, *bytes, &mut ram, placement.kernel.base)?;
    if let (Some((name, bytes)), Some(place)) = (initrd, placement.initrd) {
        let file = env.region(name).map_err(|error| error.to_string())?;
        copy(&file, *bytes, &mut ram, place.base)?;
    }
    let seed = seed(described, env.life());
    let command_line = described.bootargs.clone() + words;
    let machine = Machine {
        ram: ram.0.len() as u64,
        processors: usize::from(described.vcpus),
        command_line: &command_line,
        initrd: placement.initrd,
        seed: &seed,
        has_smmu: described.smmu.is_some(),
        coherent: is_coherent(described),
    };
    let tree = fdt::tree(&machine).map_err(|error| error.to_string())?;
    put(&mut ram, placement.tree.base, &tree)?;
    Ok(Start { entry: placement.kernel.base, device_tree: placement.tree.base })
}

/// Whether the guest's devices, and their SMMU, access memory coherently.
pub(crate) fn is_coherent(described: &Guest) -> bool {
    let devices = described.devices.iter().all(|device| device.coherent);
    described.smmu.map_or(devices, |smmu| Features::of_physical(smmu, devices).coherent)
}

/// What seeds the guest's random numbers: its own random bytes, and what tells this life from others. Linux hashes all of it.
fn seed(described: &Guest, life: u32) -> Vec<u8> {
    if described.seed.is_empty() {
        return Vec::new();
    }
    let mut seed = described.seed.clone();
    seed.extend(time::ticks().to_le_bytes());
    seed.extend(life.to_le_bytes());
    seed
}

/// Copies the first `bytes` bytes of a file.
fn copy(file: &Memory, bytes: u64, ram: &mut Ram, to: u64) -> Result<(), String> {
    let bytes = (bytes as usize).min(file.len());
    ram.copy_from(GuestPhysAddr(to), file, bytes).map_err(|_| OUTSIDE.to_string())
}

fn put(ram: &mut Ram, to: u64, bytes: &[u8]) -> Result<(), String> {
    ram.write(GuestPhysAddr(to), bytes).map_err(|_| OUTSIDE.to_string())
}
