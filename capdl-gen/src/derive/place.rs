//! Where the platform has a device, and what comes with the place: streams, interrupt, registers.

use sluice_abi::smmu::StreamId;
use sluice_spec::Location;

use crate::diagnostic::{At, Problem};
use crate::platform::{Host, Interrupt, Platform, Range};
use crate::spec::{Device, Irq, Mode, PciAddress, Place};
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
pub(super) fn find(device: &Device, platform: &Platform) -> Result<Found, Problem> {
    let found = match &device.at.value {
        Place::Pci(address) => function(device, *address, platform),
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

fn function(device: &Device, address: PciAddress, platform: &Platform) -> Result<Found, Problem> {
    let at = &device.at;
    let hosts = &platform.hosts;
    let host = hosts.get(usize::from(address.host)).ok_or_else(|| {
        Problem::new(format!("{} has no PCI host {}", platform.name(), address.host))
            .at(at.span, format!("it has {}", hosts.len()))
    })?;
    if address.bus != host.first_bus {
        return Err(Problem::new("devices behind PCI bridges are not supported yet")
            .at(at.span, format!("the bus of the host is {:02x}", host.first_bus)));
    }
    let stream = blame(host.stream(address.device, address.function), at)?;
    let interrupt = match device.irq.value {
        Irq::None => None,
        Irq::Auto => Some(blame(host.pin(address.device, 1), at)?),
        Irq::Pin(pin) => Some(blame(host.pin(address.device, pin), at)?),
    };
    let location =
        Location::Pci { host: host.path.clone(), bus: address.bus, device: address.device, function: address.function };
    let streams = stream.into_iter().collect();
    Ok(Found { location, streams, interrupt, registers: Vec::new(), coherent: host.coherent })
}

/// A device number on `host` whose INTA satisfies `free`.
pub(super) fn free_slot(host: &Host, free: impl Fn(u8, Interrupt) -> bool) -> Option<u8> {
    (1..32).find(|slot| host.pin(*slot, 1).is_ok_and(|interrupt| free(*slot, interrupt)))
}

fn node(device: &Device, path: &str, platform: &Platform) -> Result<Found, Problem> {
    let at = &device.at;
    let node = platform.node(path).ok_or_else(|| {
        let paths = platform.nodes.iter().map(|node| node.path.as_str());
        Problem::new(format!("{} has no device `{path}`", platform.name()))
            .at(at.span, "not in its device tree")
            .help_if(suggest::nearest(path, paths).map(|near| format!("did you mean `{near}`?")))
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
