//! The system a boot image carries: what `capdl-gen` derived from a spec and a device tree, as the root task reads it.
//!
//! Names are resolved, numbers derived and conflicts excluded before a [`System`] is written; the root task checks
//! again what the live machine can contradict (streams, device identities, memory).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod buses;
mod payload;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use buses::{MAX_BRIDGES, Numbered, Step, TooManyBuses, bus_behind, number_buses};
pub use payload::{PAYLOAD_MAGIC, PayloadError, PayloadHeader};

/// A whole system. Cross references are positions in its lists.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct System {
    /// Name of the platform.
    pub platform: String,
    /// Memory regions.
    pub regions: Vec<Region>,
    /// Components, highest priority first.
    pub components: Vec<Component>,
    /// Channels between them.
    pub channels: Vec<Channel>,
    /// Component ELFs and other files: byte range in the payload's blob area.
    pub blobs: Vec<Blob>,
}

/// A file in the payload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blob {
    /// File name without folder.
    pub name: String,
    /// First byte, from the start of the payload.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// A memory region, made of frames of one size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Region {
    /// Name.
    pub name: String,
    /// Bytes, a multiple of the frame size.
    pub size: u64,
    /// log2 of the frame size: 12, 21 or 30.
    pub frame_bits: u8,
    /// The file it starts with, in [`System::blobs`]; the rest of it is zero.
    pub contents: Option<u32>,
}

/// Access to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Perms {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

/// A native component (protection domain).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Component {
    /// Name.
    pub name: String,
    /// Its ELF, in [`System::blobs`].
    pub image: u32,
    /// Priority of its thread.
    pub priority: u8,
    /// Bytes of stack.
    pub stack: u64,
    /// Bytes of heap.
    pub heap: u64,
    /// `args` of the spec, as written.
    pub args: Vec<(String, String)>,
    /// Whether the system's run is over only when this component has finished.
    pub must_finish: bool,
    /// What follows when it dies.
    pub restart: Restart,
    /// Regions it sees.
    pub maps: Vec<Map>,
    /// Devices it drives.
    pub devices: Vec<Device>,
    /// Untyped memory of its own.
    pub untyped: Vec<UntypedGrant>,
    /// Whether it gets an ASID pool, to make address spaces of its own.
    pub asid_pool: bool,
    /// The interrupt of the non-secure physical timer (INTID, and whether it is edge-triggered), when this is the
    /// component that gets it.
    pub timer: Option<(u32, bool)>,
    /// The guest it is the VMM of.
    pub guest: Option<Guest>,
}

/// What follows when a component dies: faults, panics, or does what no component does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Restart {
    /// Nothing.
    #[default]
    Never,
    /// It is built and started again, every time.
    Always,
    /// As [`Restart::Always`], so many times.
    Times(u32),
}

/// A guest, as its VMM starts it. Regions are positions in [`System::regions`], all of which the VMM maps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Guest {
    /// Its memory.
    pub ram: u32,
    /// Its kernel, an arm64 Image.
    pub kernel: u32,
    /// Its first file system.
    pub initrd: Option<u32>,
    /// Its kernel's command line.
    pub bootargs: String,
    /// Number of its virtual processors.
    pub vcpus: u8,
}

/// A region in a component's VSpace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Map {
    /// Position in [`System::regions`].
    pub region: u32,
    /// Access.
    pub perms: Perms,
    /// Normal write-back memory; Device memory otherwise.
    pub cached: bool,
    /// Chosen address; the root task's choice when `None`.
    pub vaddr: Option<u64>,
    /// Whether the component gets capabilities of the frames, to map them elsewhere.
    pub frames: bool,
}

/// Untyped memory for a component to retype itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UntypedGrant {
    /// Name.
    pub name: String,
    /// log2 of its bytes.
    pub size_bits: u8,
}

/// Where a device is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Location {
    /// A PCI function.
    Pci {
        /// Device-tree path of the host.
        host: String,
        /// The bridges above it, from the host's first bus.
        bridges: Vec<Step>,
        /// Its bus, by [`number_buses`].
        bus: u8,
        /// Device 0..32.
        device: u8,
        /// Function 0..8.
        function: u8,
    },
    /// A device-tree node.
    Node {
        /// Its path.
        path: String,
    },
    /// No device: streams the spec names by number (`smmu_sids`). There are no registers, no interrupt, and nothing
    /// to enable; the component gets the streams' capabilities and an empty I/O address space.
    Streams,
}

/// How a device's memory accesses are translated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Mode {
    /// The device masters nothing.
    None,
    /// Stage 2, its own I/O address space, or that of the guest that has it.
    Stage2,
    /// Stage 2 is the guest's address space, stage 1 the guest's own.
    Nested,
    /// Its own I/O address space, in stage-1 tables: the SMMU has no stage 2.
    Stage1,
    /// Not at all: the device reaches all memory.
    Bypass,
}

impl Mode {
    /// As a spec says it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Stage2 => "s2",
            Self::Nested => "nested",
            Self::Stage1 => "s1",
            Self::Bypass => "bypass",
        }
    }
}

/// A device as handed to a component.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Name.
    pub name: String,
    /// Where it is.
    pub location: Location,
    /// Vendor and device number the function must show.
    pub expect: Option<(u16, u16)>,
    /// Translation.
    pub mode: Mode,
    /// Why it has the mode [`Mode::Bypass`].
    pub why: Option<String>,
    /// Message words of its streams (`smmu << 32 | sid`); none when it masters nothing, or is behind no SMMU.
    pub streams: Vec<u64>,
    /// Number of its context, unique for each SMMU; 0 when there is none.
    pub context: u16,
    /// What it reaches.
    pub dma: Vec<DmaMap>,
    /// Interrupt (INTID) and whether it is edge-triggered.
    pub interrupt: Option<(u32, bool)>,
    /// Budget of fault records; `None`: nobody listens.
    pub faults: Option<Faults>,
    /// Bits of the addresses it can emit.
    pub address_bits: u8,
    /// Whether its DMA is coherent with the CPU's caches.
    pub coherent: bool,
    /// Whether the component holds the SID, CB and I/O address space itself.
    pub manage: bool,
    /// The slot of the guest's PCI bus at which it appears, when it is a guest's: the component then gets capabilities of
    /// its registers instead of a mapping, and has no I/O address space but the guest's.
    pub guest_slot: Option<u8>,
    /// Register ranges of a [`Location::Node`]: physical address and bytes. Empty for PCI (BARs are assigned at boot).
    pub registers: Vec<(u64, u64)>,
}

/// A region as a device sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DmaMap {
    /// Position in [`System::regions`].
    pub region: u32,
    /// Address for the device, aligned to the region's frame size. 0 for a device that bypasses translation: it finds
    /// the region at its physical address.
    pub iova: u64,
    /// What the device may do.
    pub perms: Perms,
}

/// Delivery of fault records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// Name of the signal.
    pub notify: String,
    /// Records before the stream is quarantined; 0 for no limit.
    pub budget: u64,
}

/// A call channel: one server, any number of clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Channel {
    /// Name.
    pub name: String,
    /// Position in [`System::components`].
    pub server: u32,
    /// Positions in [`System::components`]; client `i` has badge `i + 1`.
    pub clients: Vec<u32>,
    /// Whether the server can signal each client: the client then has a signal of the channel's name.
    pub notify: bool,
}

/// Name of the signal that the interrupt of the device called `device` raises.
#[must_use]
pub fn interrupt_signal(device: &str) -> String {
    alloc::format!("{device}-irq")
}

impl System {
    /// The encoded system.
    ///
    /// # Errors
    /// When it does not serialise; the types here always do.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// The system in `bytes`.
    ///
    /// # Errors
    /// When the bytes are no system.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}
