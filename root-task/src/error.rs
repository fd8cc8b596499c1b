//! Why the system does not start: one cause, one line.

use alloc::string::String;
use core::fmt;

use sluice_abi::smmu::StreamId;
use sluice_spec::PayloadError;
use sluice_sys::Failure;

use crate::elf::ImageError;
use crate::memory::{CarveError, Different, OutOfSlots};
use crate::pci::{BarError, Identity};
use crate::plan::PlanError;

/// What stops the boot. Nothing of the system has run by then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// What follows the root task in memory is no payload.
    Payload(PayloadError),
    /// The payload's system does not decode, or refers to what it does not contain.
    System(&'static str),
    /// The kernel handed over no device tree.
    NoDeviceTree,
    /// The device tree cannot be worked with; the text names node and property.
    DeviceTree(String),
    /// No RAM Untyped has room.
    Memory {
        /// log2 of the bytes of an object.
        size_bits: u32,
        /// Number of objects.
        count: u64,
    },
    /// The root CNode is full.
    Slots(OutOfSlots),
    /// Device registers cannot be had.
    Registers {
        /// `component.device`, or what else wants them.
        who: String,
        /// Why.
        error: CarveError,
    },
    /// A component's file cannot be started.
    Image {
        /// The component.
        component: String,
        /// Why.
        error: ImageError,
    },
    /// The spec asks for what cannot be laid out.
    Plan {
        /// The component.
        component: String,
        /// Why.
        error: PlanError,
    },
    /// The buses of a PCI host cannot be numbered; the text says why.
    Buses(String),
    /// Functions of different owners cannot be kept apart; the text says which and why.
    Together(String),
    /// The machine differs from the spec.
    Mismatch {
        /// `component.device`.
        who: String,
        /// How.
        mismatch: Mismatch,
    },
    /// The kernel refused.
    Refused {
        /// What was to be done.
        action: &'static str,
        /// For whom.
        who: String,
        /// The kernel's answer.
        failure: Failure,
    },
}

/// A value of the spec that the live machine contradicts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// There is no such PCI host.
    Host(String),
    /// There is no such device-tree node.
    Node(String),
    /// No function answers at the address.
    Absent(String),
    /// Another function answers.
    Identity {
        /// What the spec expects.
        spec: Identity,
        /// What is there.
        live: Identity,
    },
    /// The bus behind bridges has another number.
    Bus {
        /// In the spec.
        spec: u8,
        /// On the machine; `None` when it has none.
        live: Option<u8>,
    },
    /// The place is a bridge, or has a header nobody knows.
    NoEndpoint(String),
    /// A different number of streams.
    StreamCount {
        /// In the spec.
        spec: usize,
        /// On the machine.
        live: usize,
    },
    /// A stream has another number.
    Stream {
        /// In the spec.
        spec: StreamId,
        /// On the machine.
        live: StreamId,
    },
    /// A stream word of the spec is none, or the streams of one device are at several SMMUs.
    BadStream(u64),
    /// The interrupt is another: INTID and edge.
    Interrupt {
        /// In the spec.
        spec: (u32, bool),
        /// On the machine; `None` when there is none.
        live: Option<(u32, bool)>,
    },
    /// Register ranges are elsewhere.
    Registers {
        /// Base and size in the spec.
        spec: (u64, u64),
        /// Base and size on the machine; `None` when there is no such entry.
        live: Option<(u64, u64)>,
    },
    /// The BARs cannot be assigned.
    Bars(BarError),
    /// The device masters memory behind no SMMU.
    Unconfined,
    /// The SMMU has other stages than the mode of the spec says.
    Stages {
        /// The mode in the spec.
        spec: &'static str,
        /// Whether the SMMU has a stage 2.
        live: bool,
    },
    /// The device cannot emit a physical address that it is to use.
    Width {
        /// The last address it is to use.
        last: u64,
        /// Bits of the addresses it can emit.
        bits: u8,
    },
    /// The device tree's description of the device cannot be read.
    Tree(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(error) => error.fmt(f),
            Self::System(cause) => write!(f, "payload's system: {cause}"),
            Self::NoDeviceTree => f.write_str("the kernel handed over no device tree"),
            Self::DeviceTree(text) | Self::Buses(text) | Self::Together(text) => f.write_str(text),
            Self::Memory { size_bits, count } => write!(f, "no memory left for {count} objects of 2^{size_bits} bytes"),
            Self::Slots(error) => error.fmt(f),
            Self::Registers { who, error } => write!(f, "{who}: {error}"),
            Self::Image { component, error } => write!(f, "{component}: image: {error}"),
            Self::Plan { component, error } => write!(f, "{component}: {error}"),
            Self::Mismatch { who, mismatch } => write!(f, "{who}: {mismatch}"),
            Self::Refused { action, who, failure } => write!(f, "{who}: kernel refuses to {action}: {failure}"),
        }
    }
}

/// An interrupt as people write it.
struct Line((u32, bool));

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.0, if self.0.1 { "edge" } else { "level" })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(path) => write!(f, "the machine has no PCI host {path}"),
            Self::Node(path) => write!(f, "the machine has no device {path}"),
            Self::Absent(at) => write!(f, "no PCI function answers at {at}"),
            Self::Identity { spec, live } => write!(f, "spec expects {spec}, the machine has {live}"),
            Self::Bus { spec, live: Some(live) } => write!(f, "spec has bus {spec:02x}, the machine {live:02x}"),
            Self::Bus { spec, live: None } => write!(f, "spec has bus {spec:02x}, the machine none"),
            Self::NoEndpoint(at) => write!(f, "the PCI function at {at} is a bridge"),
            Self::StreamCount { spec, live } => write!(f, "spec has {spec} streams, the machine {live}"),
            Self::Stream { spec, live } => write!(f, "spec has stream {spec}, the machine {live}"),
            Self::BadStream(word) => write!(f, "stream word {word:#x} of the spec is no stream of the device's SMMU"),
            Self::Interrupt { spec, live: Some(live) } => {
                write!(f, "spec has interrupt {}, the machine {}", Line(*spec), Line(*live))
            }
            Self::Interrupt { spec, live: None } => write!(f, "spec has interrupt {}, the machine none", Line(*spec)),
            Self::Registers { spec, live: Some(live) } => {
                write!(f, "spec has registers {:#x}+{:#x}, the machine {:#x}+{:#x}", spec.0, spec.1, live.0, live.1)
            }
            Self::Registers { spec, live: None } => {
                write!(f, "spec has registers {:#x}+{:#x}, the machine none", spec.0, spec.1)
            }
            Self::Bars(error) => error.fmt(f),
            Self::Tree(text) => f.write_str(text),
            Self::Stages { spec, live } => {
                let has = if *live { "a" } else { "no" };
                write!(f, "spec has mode {spec}, and the SMMU {has} stage 2")
            }
            Self::Width { last, bits } => {
                write!(f, "the device has {bits} address bits, and is to use memory up to {last:#x}")
            }
            Self::Unconfined => f.write_str("the device masters memory, but no SMMU translates for it"),
        }
    }
}

impl From<Different> for Stop {
    fn from(_: Different) -> Self {
        Self::System("a component is built of other things than in its first life")
    }
}

impl From<OutOfSlots> for Stop {
    fn from(error: OutOfSlots) -> Self {
        Self::Slots(error)
    }
}
