//! The live machine: its PCI functions, and every device of the spec compared with it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_platform::{Machine, PciAddress, option};
use sluice_spec::{Location, System};

use super::builder::Builder;
use super::ecam::Ecam;
use super::{extra, far};
use crate::kernel::Kernel;
use crate::live::{Bus, check_function, check_node, check_raw_streams, check_timer};
use crate::pci::{Access, Decode};
use crate::plan::{Circumstances, LiveDevice};
use crate::{Mismatch, Stop};

/// A PCI function that belongs to a device of the spec.
#[derive(Clone, Copy)]
pub(super) struct Function {
    /// Position of its host in the list of buses.
    pub(super) bus: usize,
    pub(super) at: PciAddress,
    pub(super) decode: Decode,
}

/// A device of the spec on this machine.
pub(super) struct Checked {
    pub(super) live: LiveDevice,
    pub(super) function: Option<Function>,
    /// It was not seen at its SMMU, and nobody may have it.
    pub(super) quarantined: bool,
}

/// The buses of every PCI host the spec names, and each component's devices.
pub(super) struct Devices<'b> {
    pub(super) buses: Vec<Bus<'b>>,
    pub(super) checked: Vec<Vec<Checked>>,
}

/// Compares every device of the spec with the machine.
pub(super) fn check<'b, K: Kernel>(
    builder: &mut Builder<K>,
    machine: &Machine<'b>,
    system: &System,
) -> Result<Devices<'b>, Stop> {
    let mut devices = Devices { buses: Vec::new(), checked: Vec::new() };
    for component in &system.components {
        let mut checked = Vec::new();
        for device in &component.devices {
            let who = format!("{}.{}", component.name, device.name);
            let stop = |mismatch| Stop::Mismatch { who: who.clone(), mismatch };
            let found = match &device.location {
                Location::Pci { host, bus, device: number, function, .. } => {
                    let index = far::open_bus(builder, machine, system, &mut devices.buses, (host, &who))?;
                    let at = PciAddress::new(*bus, *number, *function);
                    let at = at.ok_or_else(|| stop(Mismatch::Absent(format!("{bus:02x}:{number:02x}.{function}"))))?;
                    let bus = devices.buses.get_mut(index).ok_or(Stop::System("no such PCI host"))?;
                    let host = bus.host;
                    let mut ecam = Ecam { builder, host: &host };
                    let (mut live, decode) = check_function(machine, bus, &mut ecam, at, device).map_err(stop)?;
                    if device.guest_slot.is_some() {
                        live.config = snapshot(&mut ecam, at);
                    }
                    Checked { live, function: Some(Function { bus: index, at, decode }), quarantined: false }
                }
                Location::Node { path } => Checked {
                    live: check_node(machine, path, device).map_err(stop)?,
                    function: None,
                    quarantined: false,
                },
                Location::Streams => Checked {
                    live: check_raw_streams(machine, device).map_err(stop)?,
                    function: None,
                    quarantined: false,
                },
            };
            checked.push(found);
        }
        if let Some(timer) = component.timer {
            let who = format!("{}.timer", component.name);
            check_timer(machine, timer).map_err(|mismatch| Stop::Mismatch { who, mismatch })?;
        }
        devices.checked.push(checked);
    }
    Ok(devices)
}

/// The part of a function's configuration space that every function has (PCI Local Bus 3.0, 6.1).
fn snapshot(access: &mut impl Access, at: PciAddress) -> Vec<u32> {
    (0..0x100).step_by(4).map(|offset| access.read(at, offset)).collect()
}

/// What the machine and its command line add to the spec. Addresses confer nothing: they are what a component aims at
/// when it shows that it cannot reach them.
pub(super) fn circumstances(machine: &Machine<'_>, extra: &[u8]) -> Circumstances {
    let mut extra_args: Vec<(String, String)> = Vec::new();
    let mut tell = |name: &str, address: u64| extra_args.push((name.to_string(), format!("{address:#x}")));
    if let Some(address) = extra::canary(extra) {
        tell("kernel_canary", address);
    }
    if let Some(smmu) = machine.smmus.get(0) {
        tell("smmu_base", smmu.registers.base().0);
    }
    tell("gic_base", machine.gic.distributor.base().0);
    let translating = option(machine.bootargs, "sluice.smmu") != Some("off");
    let smmus = extra::smmus(extra);
    let (command_line, rng_seed) = (machine.bootargs.to_string(), machine.rng_seed.to_vec());
    Circumstances { translating, extra_args, smmus, rng_seed, command_line }
}
