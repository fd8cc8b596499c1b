//! A platform: the facts of its device tree that a spec can refer to.
//!
//! Everything is read out of the device tree once; a fact that the tree contradicts itself about is kept as an error
//! and reported only to a spec that needs it.

mod load;
mod tree;

use sluice_abi::PAGE_SIZE;
use sluice_abi::smmu::StreamId;

pub use load::{PlatformError, known, load_named};
pub use tree::load_blob;

/// A machine, as its device tree describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// Its name.
    pub name: String,
    /// Its memory.
    pub memory: Vec<Range>,
    /// Its SMMUs, in the order that gives them their numbers.
    pub smmus: Vec<Smmu>,
    /// Its PCI hosts, in device-tree order.
    pub hosts: Vec<Host>,
    /// Every node with registers.
    pub nodes: Vec<Node>,
    /// Names of `/aliases`, and the paths they stand for.
    pub aliases: Vec<(String, String)>,
    /// Nodes that master memory behind no SMMU, and what they are.
    pub masters: Vec<(String, String)>,
    /// The interrupt of the non-secure physical timer.
    pub timer: Interrupt,
    /// What the system keeps for itself.
    pub owned: Vec<Owned>,
    /// The device tree that all of this is from.
    pub tree: Vec<u8>,
}

/// Physical addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The first.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// An SMMU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Smmu {
    /// Its path.
    pub path: String,
    /// Its registers.
    pub registers: Range,
    /// The stages it is expected to have, where `platform.toml` says so: the device tree does not, and what the machine's
    /// registers say decides when it boots.
    pub stages: Option<Stages>,
}

/// The stages of translation of an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stages {
    /// Stage 1.
    pub first: bool,
    /// Stage 2.
    pub second: bool,
}

/// A PCI host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its path.
    pub path: String,
    /// Number of its first bus.
    pub first_bus: u8,
    /// Number of its last bus.
    pub last_bus: u8,
    /// Whether DMA from behind it is coherent with the CPU's caches.
    pub coherent: bool,
    /// Stream of each function of the first bus, by `device << 3 | function`.
    pub streams: Vec<Result<Option<StreamId>, String>>,
    /// Interrupt of each pin of each device of the first bus, by `device << 2 | pin - 1`.
    pub pins: Vec<Result<Interrupt, String>>,
}

/// An interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupt {
    /// Its number at the interrupt controller.
    pub intid: u32,
    /// Whether it is edge-triggered.
    pub edge: bool,
}

/// A device-tree node with registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// The first string of `compatible`, or nothing.
    pub compatible: String,
    /// What `reg` names, as physical addresses.
    pub registers: Vec<Range>,
    /// Its interrupts.
    pub interrupts: Vec<Interrupt>,
    /// Its streams.
    pub streams: Vec<StreamId>,
    /// Whether its DMA is coherent with the CPU's caches.
    pub coherent: bool,
    /// Why the node cannot be used.
    pub error: Option<String>,
}

/// Registers that no component can have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    /// Whose they are.
    pub what: String,
    /// Where they are.
    pub range: Range,
}

impl Platform {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of memory.
    #[must_use]
    pub fn ram(&self) -> u64 {
        self.memory.iter().map(|range| range.size).fold(0, u64::saturating_add)
    }

    /// The stream of a function (bus, device, function) of `host`; `None` when it is behind no SMMU.
    ///
    /// # Errors
    /// What is wrong with the device tree.
    pub fn stream(&self, host: &Host, (bus, device, function): (u8, u8, u8)) -> Result<Option<StreamId>, String> {
        if bus == host.first_bus {
            return host.stream(device, function);
        }
        tree::stream(&self.tree, &host.path, (bus, device, function))
    }

    /// The node at `path`.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.path == path)
    }

    /// What `/aliases` calls `name`.
    #[must_use]
    pub fn alias(&self, name: &str) -> Option<&str> {
        self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, path)| path.as_str())
    }

    /// What the node at `path` is, when it masters memory behind no SMMU.
    #[must_use]
    pub fn unprotected_master(&self, path: &str) -> Option<&str> {
        self.masters.iter().find(|(master, _)| master == path).map(|(_, binding)| binding.as_str())
    }
}

impl Host {
    /// The stream of a function of the first bus; `None` when it is behind no SMMU.
    ///
    /// # Errors
    /// What is wrong with the device tree.
    pub fn stream(&self, device: u8, function: u8) -> Result<Option<StreamId>, String> {
        let index = usize::from(device) << 3 | usize::from(function);
        self.streams.get(index).cloned().unwrap_or_else(|| Err(format!("there is no function {device:02x}.{function}")))
    }

    /// The interrupt of pin `pin` (1 for INTA) of a device of the first bus.
    ///
    /// # Errors
    /// What is wrong with the device tree.
    pub fn pin(&self, device: u8, pin: u8) -> Result<Interrupt, String> {
        let index = usize::from(device) << 2 | usize::from(pin.saturating_sub(1));
        self.pins.get(index).cloned().unwrap_or_else(|| Err(format!("there is no pin {pin} of device {device:02x}")))
    }
}

impl Range {
    /// Whether the two have an address in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.start.saturating_add(other.size) && other.start < self.start.saturating_add(self.size)
    }

    /// The pages it touches.
    #[must_use]
    pub fn pages(&self) -> Self {
        let start = self.start / PAGE_SIZE * PAGE_SIZE;
        let end = self.start.saturating_add(self.size).div_ceil(PAGE_SIZE).saturating_mul(PAGE_SIZE);
        Self { start, size: end - start }
    }

    /// The last address.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.start.saturating_add(self.size.saturating_sub(1))
    }
}
