//! Facts out of a device tree.

use sluice_abi::smmu::StreamId;
use sluice_platform::{Machine, MachineError, PciAddress, PciHost, Pin, Region, Trigger, remove_nops, validate};

use super::{Host, Interrupt, Node, Owned, Platform, PlatformError, Range, Smmu};

/// The machine a device-tree blob describes, called `name`.
///
/// # Errors
/// [`PlatformError::DeviceTree`] says what is wrong with the blob.
pub fn load_blob(name: &str, blob: &[u8]) -> Result<Platform, PlatformError> {
    let wrong = |error: String| PlatformError::DeviceTree(name.to_owned(), error);
    let mut blob = blob.to_vec();
    remove_nops(&mut blob);
    let tree = blob;
    let blob = validate(&tree).map_err(|error| wrong(error.to_string()))?;
    let machine = Machine::from_blob(&blob).map_err(|error| wrong(error.to_string()))?;
    let mut masters = Vec::new();
    machine
        .visit_unconfined_masters(|device, binding| masters.push((device.path().to_string(), binding.to_owned())))
        .map_err(|error| wrong(error.to_string()))?;
    let smmu = |smmu: &sluice_platform::Smmu<'_>| Smmu {
        path: smmu.path.to_string(),
        registers: smmu.registers.into(),
        stages: None,
    };
    Ok(Platform {
        name: name.to_owned(),
        memory: machine.memory.iter().map(|region| Range::from(*region)).collect(),
        smmus: machine.smmus.iter().map(smmu).collect(),
        hosts: machine.pci_hosts.iter().map(|host| self::host(&machine, host)).collect(),
        nodes: nodes(&machine),
        aliases: aliases(&machine),
        masters,
        timer: machine.timer.physical.into(),
        owned: owned(&machine),
        tree: tree.clone(),
    })
}

/// The stream of a function behind bridges of the host at `path`.
pub(super) fn stream(
    tree: &[u8],
    path: &str,
    (bus, device, function): (u8, u8, u8),
) -> Result<Option<StreamId>, String> {
    let blob = validate(tree).map_err(|error| error.to_string())?;
    let machine = Machine::from_blob(&blob).map_err(|error| error.to_string())?;
    let host = machine.pci_hosts.iter().find(|host| host.path.is(path)).ok_or("there is no such PCI host")?;
    let at = PciAddress::new(bus, device, function).ok_or("there is no such function")?;
    machine.stream_of(host, at.rid()).map_err(|error| error.to_string())
}

impl From<Region> for Range {
    fn from(region: Region) -> Self {
        Self { start: region.base().0, size: region.size() }
    }
}

impl From<sluice_platform::Interrupt> for Interrupt {
    fn from(interrupt: sluice_platform::Interrupt) -> Self {
        Self { intid: interrupt.intid, edge: interrupt.trigger == Trigger::Edge }
    }
}

fn host<'b>(machine: &Machine<'b>, host: &PciHost<'b>) -> Host {
    let text = |error: MachineError<'_>| error.to_string();
    let functions = || (0..=u8::MAX).map(|rid| PciAddress::from_rid(u16::from(host.first_bus) << 8 | u16::from(rid)));
    let devices = functions().filter(|function| function.function() == 0);
    Host {
        path: host.path.to_string(),
        first_bus: host.first_bus,
        last_bus: host.last_bus,
        coherent: host.coherent,
        streams: functions().map(|function| machine.stream_of(host, function.rid()).map_err(text)).collect(),
        pins: devices
            .flat_map(|device| {
                Pin::ALL.map(|pin| machine.interrupt_of(host, device, pin).map(Into::into).map_err(text))
            })
            .collect(),
    }
}

fn nodes(machine: &Machine<'_>) -> Vec<Node> {
    let mut nodes = Vec::new();
    machine.visit_devices(|device| {
        let mut node = Node {
            path: device.path().to_string(),
            compatible: device.compatible().next().unwrap_or_default().to_owned(),
            registers: Vec::new(),
            interrupts: Vec::new(),
            streams: Vec::new(),
            coherent: device.is_coherent(),
            error: None,
        };
        match device.registers() {
            Ok(registers) => node.registers = registers.iter().map(|region| Range::from(*region)).collect(),
            Err(error) => node.error = Some(error.to_string()),
        }
        match device.interrupts() {
            Ok(interrupts) => node.interrupts = interrupts.iter().map(|interrupt| (*interrupt).into()).collect(),
            Err(error) => node.error = node.error.take().or(Some(error.to_string())),
        }
        match device.streams() {
            Ok(streams) => node.streams = streams.iter().copied().collect(),
            Err(error) => node.error = node.error.take().or(Some(error.to_string())),
        }
        nodes.push(node);
    });
    nodes
}

fn aliases(machine: &Machine<'_>) -> Vec<(String, String)> {
    let Some(aliases) = machine.tree().root().child("aliases") else { return Vec::new() };
    let names = aliases.properties().map(|(name, _)| name);
    names.filter_map(|name| Some((name.to_owned(), machine.alias(name)?.path().to_string()))).collect()
}

/// What no component can have: it is the kernel's or the root task's.
fn owned(machine: &Machine<'_>) -> Vec<Owned> {
    let own = |what: String, region: Region| Owned { what, range: region.into() };
    let gic = [machine.gic.distributor];
    let gic = gic.iter().chain(machine.gic.redistributors.iter()).chain(machine.gic.its.iter());
    let mut owned: Vec<Owned> = gic.map(|region| own("the interrupt controller".to_owned(), *region)).collect();
    owned.extend(machine.smmus.iter().enumerate().map(|(number, smmu)| own(format!("SMMU {number}"), smmu.registers)));
    for (number, host) in machine.pci_hosts.iter().enumerate() {
        owned.push(own(format!("PCI host {number} (configuration)"), host.ecam));
        owned.extend(host.windows.iter().map(|window| own(format!("PCI host {number} (window)"), window.cpu)));
    }
    owned.extend(machine.memory.iter().map(|region| own("the machine's memory".to_owned(), *region)));
    owned
}
