//! What a component finds when it starts: its capabilities and mappings, by the names the system spec gives them.
//!
//! The root task writes one [`Manifest`] for each component and maps it read-only at [`layout::MANIFEST`]; `sluice-rt`
//! decodes it before `main`. Every number a component would otherwise have to agree on with somebody is in here.
//! What is needed before it can be decoded comes in registers: [`Start`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod block;
pub mod console;
pub mod supervisor;
pub mod timer;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Where the root task puts things in a component's VSpace.
pub mod layout {
    /// The manifest, read-only.
    pub const MANIFEST: u64 = 0x1_0000_0000;
    /// Most bytes of a manifest.
    pub const MANIFEST_MAX: u64 = 0x1_0000;
    /// Page that starts with the IPC buffer.
    pub const IPC_BUFFER: u64 = 0x1_0010_0000;
    /// First address of a small range that shares its translation tables with the manifest and the IPC buffer, so that
    /// the component can map pages there without making tables; the root task maps nothing in it.
    pub const WINDOW: u64 = 0x1_0018_0000;
    /// One past that range.
    pub const WINDOW_END: u64 = 0x1_0020_0000;
    /// One past the stack, which grows down from here; an unmapped page lies below it.
    pub const STACK_TOP: u64 = 0x1_1000_0000;
    /// First byte of the heap.
    pub const HEAP: u64 = 0x1_2000_0000;
    /// First address for regions and device registers.
    pub const REGIONS: u64 = 0x2_0000_0000;
    /// First address the component may map things at itself.
    pub const FREE: u64 = 0x10_0000_0000;
}

/// What a component finds in its registers at its ELF entry; the stack pointer is [`layout::STACK_TOP`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// Bytes of heap at [`layout::HEAP`], needed to decode the manifest.
    pub heap_bytes: u64,
    /// Bytes of the encoded manifest at [`layout::MANIFEST`].
    pub manifest_bytes: u64,
}

impl Start {
    /// The values of `x0`, `x1` and `x2`.
    #[must_use]
    pub const fn registers(self) -> [u64; 3] {
        [layout::MANIFEST, self.heap_bytes, self.manifest_bytes]
    }
}

/// Fixed slots of a component's CNode; `cptr == slot` (64 bits resolved).
pub mod slot {
    /// Its own CNode.
    pub const CNODE: u64 = 1;
    /// Its own thread.
    pub const TCB: u64 = 2;
    /// Its own VSpace.
    pub const VSPACE: u64 = 3;
    /// Its notification, bound to its thread.
    pub const NOTIFICATION: u64 = 4;
    /// Endpoint of the supervisor, badged with the component's number.
    pub const SUPERVISOR: u64 = 5;
    /// First slot for everything else.
    pub const FIRST: u64 = 16;
}

/// Everything a component was given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the component.
    pub name: String,
    /// `args` of the spec, as written.
    pub args: Vec<(String, String)>,
    /// log2 of the slots of its CNode.
    pub cnode_bits: u8,
    /// First slot nothing was put into; all after it are free too.
    pub first_free_slot: u64,
    /// Bytes of heap at [`layout::HEAP`].
    pub heap_bytes: u64,
    /// Memory regions.
    pub regions: Vec<Region>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Channels it is a client of.
    pub clients: Vec<Client>,
    /// Channels it serves.
    pub servers: Vec<Server>,
    /// Signals that arrive at its notification.
    pub signals: Vec<Signal>,
    /// Untyped memory of its own.
    pub untyped: Vec<Untyped>,
    /// Capability of an ASID pool of its own.
    pub asid_pool: Option<u64>,
    /// The interrupt of the physical timer, whose registers are CNTP_CVAL_EL0 and CNTP_CTL_EL0.
    pub timer: Option<Interrupt>,
    /// The guest it is the VMM of.
    pub guest: Option<Guest>,
    /// How often it has been started again. Encoded in as many bytes whatever it is, so that a component that is built
    /// again takes the same memory.
    #[serde(with = "postcard::fixint::le")]
    pub life: u32,
}

/// A guest, for its VMM.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Guest {
    /// Name of the region that is its memory.
    pub ram: String,
    /// Name of the region with its kernel, and bytes of the kernel.
    pub kernel: (String, u64),
    /// Name of the region with its first file system, and bytes of that.
    pub initrd: Option<(String, u64)>,
    /// Command line of its kernel.
    pub bootargs: String,
    /// Number of its virtual processors.
    pub vcpus: u8,
    /// Priority for its virtual processors, below the VMM's.
    pub priority: u8,
    /// Random bytes of its own, to seed its random numbers with; empty when the machine has none.
    pub seed: Vec<u8>,
    /// Identification registers IDR0, IDR1, IDR3 and IDR5 of the SMMU that its nested devices are behind.
    pub smmu: Option<[u32; 4]>,
    /// Its devices.
    pub devices: Vec<GuestDevice>,
}

/// A PCI function that a guest has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuestDevice {
    /// Its name in the spec.
    pub name: String,
    /// Its slot on the guest's bus.
    pub slot: u8,
    /// The first bytes of its configuration space as they were when the system was built.
    pub config: Vec<u8>,
    /// Its memory BARs.
    pub bars: Vec<GuestBar>,
    /// Its interrupt.
    pub interrupt: Option<Interrupt>,
    /// What translates its DMA; nothing when it masters no memory.
    pub stream: Option<GuestStream>,
    /// Name of the signal for its fault records.
    pub fault_signal: Option<String>,
    /// Whether its DMA is coherent with the CPU's caches.
    pub coherent: bool,
}

/// The stream of a guest's function. A function has one: its requester ID, which is also what numbers it in the guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuestStream {
    /// Its message word (`smmu << 32 | sid`).
    pub word: u64,
    /// SID capability.
    pub sid: u64,
    /// CB capability.
    pub cb: u64,
    /// Whether the guest has a stage 1 of its own.
    pub nested: bool,
}

/// A memory BAR of a guest's function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuestBar {
    /// Its number.
    pub index: u8,
    /// Bytes of the pages it takes.
    pub size: u64,
    /// First of the consecutive slots of its pages' capabilities.
    pub frames: u64,
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

/// A memory region mapped into the component.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Region {
    /// Its name in the spec.
    pub name: String,
    /// Where it is mapped.
    pub vaddr: u64,
    /// Bytes.
    pub size: u64,
    /// How it is mapped.
    pub perms: Perms,
    /// Capabilities of its frames, to be mapped elsewhere.
    pub frames: Option<Frames>,
}

/// Frames of one size in consecutive slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frames {
    /// First slot.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// log2 of the bytes of each.
    pub size_bits: u8,
}

/// A device the component drives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its name in the spec.
    pub name: String,
    /// Its registers: BARs of a PCI function, `reg` entries of a device-tree node.
    pub registers: Vec<Registers>,
    /// Its interrupt.
    pub interrupt: Option<Interrupt>,
    /// Message words of its streams (`smmu << 32 | sid`); empty when it has none.
    pub streams: Vec<u64>,
    /// Memory it can reach when the component starts.
    pub dma: Vec<DmaRegion>,
    /// Capabilities over its streams, when the spec says `manage = true`.
    pub manage: Option<Manage>,
    /// Bits of the addresses it can emit.
    pub address_bits: u8,
    /// Whether its DMA is coherent with the CPU's caches.
    pub coherent: bool,
    /// Name of the signal for its fault records.
    pub fault_signal: Option<String>,
}

/// One range of device registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registers {
    /// BAR number, or position in `reg`.
    pub index: u8,
    /// Where it is mapped.
    pub vaddr: u64,
    /// Bytes.
    pub size: u64,
}

/// The interrupt of a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interrupt {
    /// Capability of the handler.
    pub handler: u64,
    /// Name of the signal it raises.
    pub signal: String,
}

/// A region as the device sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DmaRegion {
    /// Name of the region.
    pub region: String,
    /// Where the device finds it.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
    /// What the device may do.
    pub perms: Perms,
    /// First of the consecutive slots of the frames' capabilities mapped there (`manage` only, else 0).
    pub frames: u64,
    /// Number of those frames; all have the same size.
    pub frame_count: u64,
}

/// Authority over a device's translation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manage {
    /// SID capability of each stream.
    pub sids: Vec<u64>,
    /// CB capability.
    pub cb: u64,
    /// VSpace the context translates with.
    pub space: u64,
}

/// A channel the component calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Client {
    /// Its name in the spec.
    pub name: String,
    /// Badged endpoint.
    pub endpoint: u64,
}

/// A channel the component serves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Server {
    /// Its name in the spec.
    pub name: String,
    /// Endpoint to receive from.
    pub endpoint: u64,
    /// Who calls.
    pub clients: Vec<Caller>,
}

/// A client of a channel, as its server knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Caller {
    /// Its name in the spec.
    pub name: String,
    /// Badge of its messages.
    pub badge: u64,
    /// Capability that raises the client's signal of the channel's name; `None` when the channel has no `notify`.
    pub signal: Option<u64>,
}

/// A source of signals.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// The badge bits it sets.
    pub badge: u64,
}

/// Untyped memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Untyped {
    /// Its name in the spec.
    pub name: String,
    /// Capability.
    pub cap: u64,
    /// log2 of its bytes.
    pub size_bits: u8,
}

impl Manifest {
    /// The encoded manifest.
    ///
    /// # Errors
    /// When it does not serialise; the types here always do.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// The manifest in `bytes`, which may be followed by others.
    ///
    /// # Errors
    /// When the bytes are no manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::take_from_bytes(bytes).map(|(manifest, _)| manifest)
    }
}

const _: () = {
    const BLOCK: u64 = 1 << 21;
    assert!(layout::MANIFEST / BLOCK == layout::WINDOW / BLOCK, "one table of pages serves both");
    assert!((layout::WINDOW_END - 1) / BLOCK == layout::WINDOW / BLOCK);
    assert!(layout::IPC_BUFFER / BLOCK == layout::WINDOW / BLOCK && layout::IPC_BUFFER < layout::WINDOW);
};
