//! Hosts and what is behind their bridges: numbered, opened, and with a stream table for the streams there.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sluice_abi::ObjectType;
use sluice_abi::smmu::{STREAM_TABLE_SPLIT, StreamId};
use sluice_platform::{Machine, PciAddress, PciHost};
use sluice_spec::{Location, Mode, System, bus_behind, number_buses};
use sluice_sys::Failure;

use super::builder::Builder;
use super::ecam::Ecam;
use super::machine::Devices;
use crate::kernel::{Invocation, Kernel};
use crate::live::Bus;
use crate::pci::{EnumerateError, Holder, Windows, enumerate, open_bridges, place_behind};
use crate::{Mismatch, Stop, pci};

/// Enumerates a host the first time it is named.
pub(super) fn open_bus<'b, K: Kernel>(
    builder: &mut Builder<K>,
    machine: &Machine<'b>,
    system: &System,
    buses: &mut Vec<Bus<'b>>,
    (path, who): (&str, &str),
) -> Result<usize, Stop> {
    if let Some(index) = buses.iter().position(|bus| bus.host.path.is(path)) {
        return Ok(index);
    }
    let no_host = || Stop::Mismatch { who: who.to_string(), mismatch: Mismatch::Host(path.to_string()) };
    let host = *machine.pci_hosts.iter().find(|host| host.path.is(path)).ok_or_else(no_host)?;
    buses.push(enumerated(builder, system, host)?);
    Ok(buses.len() - 1)
}

fn enumerated<'b, K: Kernel>(builder: &mut Builder<K>, system: &System, host: PciHost<'b>) -> Result<Bus<'b>, Stop> {
    let range = (host.first_bus, host.last_bus);
    let mut ecam = Ecam { builder, host: &host };
    let found = enumerate(&mut ecam, range.0, range.1).map_err(|error| match error {
        EnumerateError::Open(stop) => stop,
        buses @ EnumerateError::Buses { .. } => Stop::Buses(buses.to_string()),
    })?;
    let devices = || {
        system.components.iter().flat_map(|component| &component.devices).filter_map(|device| match &device.location {
            Location::Pci { host: path, bridges, device, function, .. } if host.path.is(path) => {
                Some((bridges.as_slice(), *device, *function))
            }
            Location::Pci { .. } | Location::Node { .. } | Location::Streams => None,
        })
    };
    let stop = |error: &dyn core::fmt::Display| Stop::Buses(error.to_string());
    let bridges = number_buses(range, devices().map(|(bridges, ..)| bridges)).map_err(|error| stop(&error))?;
    let found = open_bridges(&mut ecam, &found, range.0, &bridges).map_err(|error| stop(&error))?;
    let mut windows = Windows::new(host.windows.iter().copied());
    let behind = devices().filter(|(above, ..)| !above.is_empty()).filter_map(|(above, device, function)| {
        let bus = bus_behind(&bridges, range.0, above)?;
        PciAddress::new(bus, device, function).filter(|at| found.iter().any(|found| found.at == *at))
    });
    let behind: Vec<PciAddress> = behind.collect();
    let placed = place_behind(&mut ecam, &mut windows, &bridges, &behind).map_err(|error| stop(&error))?;
    Ok(Bus { host, found, windows, bridges, placed })
}

/// Has ports keep functions apart, and stops when they do not those of different components.
pub(super) fn isolate<K: Kernel>(builder: &mut Builder<K>, system: &System, devices: &Devices<'_>) -> Result<(), Stop> {
    for (index, bus) in devices.buses.iter().enumerate() {
        let mut holders = Vec::new();
        for (owner, (component, checked)) in system.components.iter().zip(&devices.checked).enumerate() {
            for (device, checked) in component.devices.iter().zip(checked) {
                let Some(function) = checked.function.filter(|function| function.bus == index) else { continue };
                let name = format!("{}.{}", component.name, device.name);
                holders.push(Holder { name, owner, at: function.at, masters: device.mode != Mode::None });
            }
        }
        let mut ecam = Ecam { builder, host: &bus.host };
        pci::isolate(&mut ecam, &bus.found, &holders).map_err(|shared| Stop::Together(shared.to_string()))?;
    }
    Ok(())
}

/// Has the SMMUs know the streams of devices behind bridges. Those of a host's first bus they know since they were brought up.
pub(super) fn stream_tables<K: Kernel>(
    builder: &mut Builder<K>,
    system: &System,
    devices: &Devices<'_>,
) -> Result<(), Stop> {
    let of_components = system.components.iter().zip(&devices.checked);
    let all = of_components.flat_map(|(component, checked)| component.devices.iter().zip(checked));
    let far = all.filter(|(device, checked)| {
        let first = checked.function.and_then(|function| devices.buses.get(function.bus)).map(|bus| bus.host.first_bus);
        device.mode != Mode::None && checked.function.is_some_and(|function| Some(function.at.bus()) != first)
    });
    let streams = far.flat_map(|(device, _)| &device.streams).filter_map(|word| StreamId::from_word(*word));
    let tables: BTreeSet<(u8, u32)> =
        streams.map(|stream| (stream.smmu, stream.sid >> STREAM_TABLE_SPLIT << STREAM_TABLE_SPLIT)).collect();
    for (smmu, sid) in tables {
        let table = builder.object("root", ObjectType::StreamTable)?;
        let map = Invocation::MapStreamTable { table, first: StreamId { smmu, sid } };
        match builder.kernel.invoke(&map) {
            // There is one already, for a stream that the device tree names.
            Ok(()) | Err(Failure::DeleteFirst) => {}
            Err(failure) => {
                let who = format!("streams from {}", StreamId { smmu, sid });
                return Err(Stop::Refused { action: map.action(), who, failure });
            }
        }
    }
    Ok(())
}
