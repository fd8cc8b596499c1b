//! The spec against the machine it runs on.
//!
//! `capdl-gen` derived every number from a device tree. The tree at hand may be another, and a PCI slot may hold
//! another function: a stream bound on the strength of a stale number would confine the wrong device. So each number is
//! derived again, and the first difference stops the boot with both values.

use alloc::string::ToString;
use alloc::vec::Vec;

use sluice_abi::smmu::StreamId;
use sluice_platform::{Interrupt, Machine, MachineError, PciAddress, PciHost, Pin, Trigger};
use sluice_spec::{Device, Location, Mode, Numbered, bus_behind};

use crate::Mismatch;
use crate::pci::{Access, Assigned, Decode, Found, Identity, Role, Windows, above_alone, size_bars};
use crate::plan::LiveDevice;

impl From<MachineError<'_>> for Mismatch {
    fn from(error: MachineError<'_>) -> Self {
        Self::Tree(error.to_string())
    }
}

/// A PCI host whose functions are known.
pub struct Bus<'b> {
    /// The host.
    pub host: PciHost<'b>,
    /// What answered.
    pub found: Vec<Found>,
    /// Room for BARs.
    pub windows: Windows,
    /// The bridges that the spec has devices behind.
    pub bridges: Vec<Numbered>,
    /// Addresses of the functions behind them.
    pub placed: Vec<(PciAddress, Vec<Assigned>)>,
}

impl Bus<'_> {
    /// The bridge right above a function, when it can be reset with what is behind it.
    #[must_use]
    pub fn above_alone(&self, at: PciAddress) -> Option<PciAddress> {
        above_alone(&self.found, at)
    }

    /// The device on the first bus, and its pin, that a pin of a device of the spec arrives on: each bridge turns pins
    /// by the number of the device behind it (PCI-to-PCI Bridge 1.2, 9.1).
    fn wired(&self, device: &Device, at: PciAddress, pin: Pin) -> Option<(PciAddress, Pin)> {
        let Location::Pci { bridges, .. } = &device.location else { return None };
        let start = (at.device(), at.function(), pin);
        let up = |(behind, _, pin): (u8, u8, Pin), bridge: &(u8, u8)| (bridge.0, bridge.1, pin.behind_bridge(behind));
        let (device, function, pin) = bridges.iter().rev().fold(start, up);
        Some((PciAddress::new(self.host.first_bus, device, function)?, pin))
    }
}

/// The function of `device`, compared with the spec; its BARs are assigned then, and it decodes nothing yet.
///
/// # Errors
/// The first [`Mismatch`].
pub fn check_function(
    machine: &Machine<'_>,
    bus: &mut Bus<'_>,
    access: &mut impl Access,
    at: PciAddress,
    device: &Device,
) -> Result<(LiveDevice, Decode), Mismatch> {
    if let Location::Pci { bridges, bus: spec, .. } = &device.location {
        let live = bus_behind(&bus.bridges, bus.host.first_bus, bridges);
        if live != Some(*spec) {
            return Err(Mismatch::Bus { spec: *spec, live });
        }
    }
    let found = bus.found.iter().find(|found| found.at == at).ok_or_else(|| Mismatch::Absent(at.to_string()))?;
    if let Some((vendor, device)) = device.expect {
        let spec = Identity { vendor, device };
        if spec != found.identity {
            return Err(Mismatch::Identity { spec, live: found.identity });
        }
    }
    if found.role != Role::Endpoint {
        return Err(Mismatch::NoEndpoint(at.to_string()));
    }
    let host = bus.host;
    let live = machine.stream_of(&host, at.rid())?;
    check_streams(device, &live.into_iter().collect::<Vec<_>>())?;
    if let Some(spec) = device.interrupt {
        let live = match Pin::from_register(found.pin) {
            Some(pin) => match bus.wired(device, at, pin) {
                Some((first, pin)) => Some(machine.interrupt_of(&host, first, pin)?),
                None => None,
            },
            None => None,
        };
        check_interrupt(spec, live)?;
    }
    let placed = match bus.placed.iter().find(|(placed, _)| *placed == at) {
        Some((_, placed)) => placed.clone(),
        None => {
            let bars = size_bars(access, at).map_err(Mismatch::Bars)?;
            bus.windows.assign(access, at, &bars).map_err(Mismatch::Bars)?
        }
    };
    let mut decode = Decode::default();
    let mut registers = Vec::new();
    let mut ports = Vec::new();
    for assigned in &placed {
        match assigned.bar.space {
            sluice_platform::Space::Io => {
                decode.io = true;
                ports.push(assigned.bar.index);
            }
            sluice_platform::Space::Memory32 | sluice_platform::Space::Memory64 => decode.memory = true,
        }
        registers.push((assigned.bar.index, assigned.cpu_address, assigned.mapped_size));
    }
    Ok((LiveDevice { registers, ports, config: Vec::new() }, decode))
}

/// The device-tree node of `device`, compared with the spec.
///
/// # Errors
/// The first [`Mismatch`].
pub fn check_node(machine: &Machine<'_>, path: &str, device: &Device) -> Result<LiveDevice, Mismatch> {
    let node = machine.device(path).filter(sluice_platform::Device::is_available);
    let node = node.ok_or_else(|| Mismatch::Node(path.to_string()))?;
    // A spec that says so has said why.
    if node.unconfined()?.is_some() && device.mode != Mode::Bypass {
        return Err(Mismatch::Unconfined);
    }
    let live: Vec<(u64, u64)> = node.registers()?.iter().map(|region| (region.base().0, region.size())).collect();
    for (index, spec) in device.registers.iter().enumerate() {
        let live = live.get(index).copied();
        if live != Some(*spec) {
            return Err(Mismatch::Registers { spec: *spec, live });
        }
    }
    check_streams(device, &node.streams()?.iter().copied().collect::<Vec<_>>())?;
    if let Some(spec) = device.interrupt {
        let interrupts = node.interrupts()?;
        let same = interrupts.iter().copied().find(|live| live.intid == spec.0);
        check_interrupt(spec, same.or(interrupts.get(0).copied()))?;
    }
    let numbered = device.registers.iter().zip(0u8..);
    let registers = numbered.map(|(&(base, size), index)| (index, base, size)).collect();
    Ok(LiveDevice { registers, ..LiveDevice::default() })
}

/// The streams of `device` that no device of the tree stands behind.
///
/// # Errors
/// When a word names no stream of this machine, or the streams are at several SMMUs.
pub fn check_raw_streams(machine: &Machine<'_>, device: &Device) -> Result<LiveDevice, Mismatch> {
    for stream in streams(device)? {
        if usize::from(stream.smmu) >= machine.smmus.len() {
            return Err(Mismatch::BadStream(stream.word()));
        }
    }
    Ok(LiveDevice::default())
}

/// The streams of a device of the spec, all at one SMMU.
///
/// # Errors
/// [`Mismatch::BadStream`] when that is not so.
pub fn streams(device: &Device) -> Result<Vec<StreamId>, Mismatch> {
    let mut all: Vec<StreamId> = Vec::new();
    for word in &device.streams {
        let stream = StreamId::from_word(*word).ok_or(Mismatch::BadStream(*word))?;
        if all.first().is_some_and(|first| first.smmu != stream.smmu) {
            return Err(Mismatch::BadStream(*word));
        }
        all.push(stream);
    }
    Ok(all)
}

fn check_streams(device: &Device, live: &[StreamId]) -> Result<(), Mismatch> {
    match device.mode {
        // Nothing is bound, and bus mastering stays off.
        Mode::None => return Ok(()),
        Mode::Stage2 | Mode::Nested | Mode::Stage1 | Mode::Bypass => {}
    }
    let spec = streams(device)?;
    if live.is_empty() && device.mode != Mode::Bypass {
        return Err(Mismatch::Unconfined);
    }
    if spec.len() != live.len() {
        return Err(Mismatch::StreamCount { spec: spec.len(), live: live.len() });
    }
    match spec.iter().zip(live).find(|(spec, live)| spec != live) {
        Some((spec, live)) => Err(Mismatch::Stream { spec: *spec, live: *live }),
        None => Ok(()),
    }
}

/// The interrupt of the physical timer, compared with the spec.
///
/// # Errors
/// [`Mismatch::Interrupt`] with both.
pub fn check_timer(machine: &Machine<'_>, spec: (u32, bool)) -> Result<(), Mismatch> {
    check_interrupt(spec, Some(machine.timer.physical))
}

fn check_interrupt(spec: (u32, bool), live: Option<Interrupt>) -> Result<(), Mismatch> {
    let live = live.map(|live| (live.intid, live.trigger == Trigger::Edge));
    if live == Some(spec) { Ok(()) } else { Err(Mismatch::Interrupt { spec, live }) }
}

#[cfg(test)]
mod tests;
