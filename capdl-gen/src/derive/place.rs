//! Where the platform has a device, and what comes with the place: streams, interrupt, registers.

use sluice_abi::smmu::StreamId;
use sluice_platform::Pin;
use sluice_spec::{Location, Step, bus_behind, number_buses};

use crate::diagnostic::{At, Problem};
use crate::platform::{Host, Interrupt, Platform, Range};
use crate::spec::{Device, Irq, Mode, PciAddress, Place, Spec};
use crate::suggest;

/// A device found on the platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) location: Location,
    /// Every stream of the device, whatever its mode.
    pub(super) streams: Vec<StreamId>,
    pub(super) interrupt: Option<Interrupt>,
    pub(super) registers: Vec<Range>,
    /// Whether its DMA is coherent with the CPU's caches.
    pub(super) coherent: bool,
}

/// Looks for `device`, and whether it can have the mode it asks for.
pub(super) fn find(device: &Device, spec: &Spec, platform: &Platform) -> Result<Found, Problem> {
    let found = match &device.at.value {
        Place::Pci(address) => function(device, address, spec, platform),
        Place::Node(path) => node(device, path, platform),
        Place::Alias(name) => {
            let path = platform.alias(name).ok_or_else(|| {
                Problem::new(format!("{} has no alias `{name}`", platform.name()))
                    .at(device.at.span, "not in its device tree")
                    .help_if(suggest::help(name, platform.aliases.iter().map(|(alias, _)| alias.as_str())))
            })?;
            node(device, path, platform)
        }
    }?;
    if !matches!(device.mode.value, Mode::None | Mode::Bypass) && found.streams.is_empty() {
        return Err(Problem::new(format!("`{}` is behind no SMMU", device.name.value))
            .at(device.mode.span, "nothing can translate its accesses")
            .at(device.at.span, "the device tree connects it to no SMMU"));
    }
    Ok(found)
}

/// Turns what the device tree says about a device into a problem of that device.
fn blame<T>(result: Result<T, String>, at: &At<Place>) -> Result<T, Problem> {
    result.map_err(|error| Problem::new(error).at(at.span, "this device needs it"))
}

fn function(device: &Device, address: &PciAddress, spec: &Spec, platform: &Platform) -> Result<Found, Problem> {
    let at = &device.at;
    let hosts = &platform.hosts;
    let host = hosts.get(usize::from(address.host)).ok_or_else(|| {
        Problem::new(format!("{} has no PCI host {}", platform.name(), address.host))
            .at(at.span, format!("it has {}", hosts.len()))
    })?;
    if address.bus != host.first_bus {
        return Err(Problem::new("a place begins at the bus of the PCI host")
            .at(at.span, format!("that is {:02x}", host.first_bus))
            .help("what is behind a bridge is named by its way there: \"pci:00:01.0/00.0\""));
    }
    let bus = bus(address, host, spec).map_err(|error| Problem::new(error).at(at.span, "for this device too"))?;
    let stream = blame(platform.stream(host, (bus, address.device, address.function)), at)?;
    let interrupt = match device.irq.value {
        Irq::None => None,
        Irq::Auto => Some(blame(pin(host, address, 1), at)?),
        Irq::Pin(number) => Some(blame(pin(host, address, number), at)?),
    };
    let location = Location::Pci {
        host: host.path.clone(),
        bridges: address.bridges.clone(),
        bus,
        device: address.device,
        function: address.function,
    };
    let streams = stream.into_iter().collect();
    Ok(Found { location, streams, interrupt, registers: Vec::new(), coherent: host.coherent })
}

/// The bus of a function, as the root task will number it: by all ways that the spec names.
fn bus(address: &PciAddress, host: &Host, spec: &Spec) -> Result<u8, String> {
    let devices = spec.components.iter().flat_map(|component| &component.devices);
    let ways = devices.filter_map(|device| match &device.at.value {
        Place::Pci(other) if other.host == address.host => Some(other.bridges.as_slice()),
        Place::Pci(_) | Place::Node(_) | Place::Alias(_) => None,
    });
    let numbered = number_buses((host.first_bus, host.last_bus), ways).map_err(|error| error.to_string())?;
    bus_behind(&numbered, host.first_bus, &address.bridges).ok_or_else(|| "a bridge has no number".to_owned())
}

/// The interrupt of a function's pin, which each bridge above passes on (PCI-to-PCI Bridge 1.2, 9.1).
fn pin(host: &Host, address: &PciAddress, number: u8) -> Result<Interrupt, String> {
    let pin = Pin::from_register(number).ok_or_else(|| format!("there is no pin {number}"))?;
    let start = (address.device, pin);
    let (device, pin) =
        address.bridges.iter().rev().fold(start, |(device, pin), (bridge, _)| (*bridge, pin.behind_bridge(device)));
    host.pin(device, pin as u8)
}

/// How a diagnostic tells the bridges above a device.
pub(super) fn behind(bridges: &[Step]) -> String {
    let steps: Vec<String> = bridges.iter().map(|(device, function)| format!("{device:02x}.{function}")).collect();
    if steps.is_empty() { String::new() } else { format!(" behind {}", steps.join("/")) }
}

/// A device number on `host` whose INTA satisfies `free`.
pub(super) fn free_slot(host: &Host, free: impl Fn(u8, Interrupt) -> bool) -> Option<u8> {
    (1..32).find(|slot| host.pin(*slot, 1).is_ok_and(|interrupt| free(*slot, interrupt)))
}

/// The node that may be meant by a path there is not: the nearest, or the first of the nearest name at any unit address.
pub(super) fn meant<'a>(path: &str, paths: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    suggest::nearest(path, paths.clone()).or_else(|| {
        let name = suggest::nearest(without_unit(path), paths.clone().map(without_unit))?;
        paths.clone().find(|path| without_unit(path) == name)
    })
}

/// A path without its last node's unit address.
fn without_unit(path: &str) -> &str {
    let last = path.rfind('/').unwrap_or(0);
    path[last..].find('@').map_or(path, |at| &path[..last + at])
}

fn node(device: &Device, path: &str, platform: &Platform) -> Result<Found, Problem> {
    let at = &device.at;
    let node = platform.node(path).ok_or_else(|| {
        let paths = platform.nodes.iter().map(|node| node.path.as_str());
        Problem::new(format!("{} has no device `{path}`", platform.name()))
            .at(at.span, "not in its device tree")
            .help_if(meant(path, paths).map(|near| format!("did you mean `{near}`?")))
    })?;
    if let Some(binding) = platform.unprotected_master(path).filter(|_| device.mode.value != Mode::Bypass) {
        return Err(Problem::new(format!("`{}` masters memory behind no SMMU", device.name.value))
            .at(at.span, format!("a {binding}: who holds its registers reaches all memory"))
            .help("that takes mode = \"bypass\" and `why`"));
    }
    blame(node.error.clone().map_or(Ok(()), Err), at)?;
    if node.registers.is_empty() {
        return Err(Problem::new(format!("`{path}` has no registers to hand out")).at(at.span, "no usable `reg`"));
    }
    for owned in &platform.owned {
        if node.registers.iter().any(|range| range.overlaps(&owned.range)) {
            return Err(Problem::new(format!("`{path}` cannot be given to a component"))
                .at(at.span, format!("its registers are those of {}", owned.what)));
        }
    }
    let interrupt = match device.irq.value {
        Irq::None | Irq::Pin(_) => None,
        Irq::Auto => node.interrupts.first().copied(),
    };
    Ok(Found {
        location: Location::Node { path: path.to_owned() },
        streams: node.streams.clone(),
        interrupt,
        registers: node.registers.clone(),
        coherent: node.coherent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_by_its_name_when_its_unit_address_is_another_or_missing() {
        let meant = |path| meant(path, ["/left@b020000", "/bus@0/clock@10", "/clock@9010000", "/plain"].into_iter());
        assert_eq!(meant("/clock@9010001"), Some("/clock@9010000"));
        assert_eq!(meant("/clokc"), Some("/clock@9010000"));
        assert_eq!(meant("/clock@12345678900"), Some("/clock@9010000"));
        assert_eq!(meant("/bus@0/clock"), Some("/bus@0/clock@10"));
        assert_eq!(meant("/plain@5000000000"), Some("/plain"));
        assert_eq!(meant("/nothing@9010000"), None);
    }
}
