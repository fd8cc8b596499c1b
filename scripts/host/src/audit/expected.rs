//! What `capdl-gen audit --json` says, as far as it is compared.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The audit of a system; `docs/audit.md` describes the form.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Audit {
    pub(super) parties: Vec<Party>,
    pub(super) memories: Vec<Memory>,
    pub(super) reach: Vec<Reach>,
}

/// A component, VMM, guest or device.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) drives: Vec<String>,
    #[serde(default)]
    pub(super) mode: String,
    #[serde(default)]
    pub(super) streams: Vec<String>,
}

/// A memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Memory {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) private: bool,
}

/// A party reaches a memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Reach {
    party: String,
    kind: String,
    pub(super) memory: String,
    pub(super) rights: String,
    by: String,
    at: Option<u64>,
    through: Option<String>,
}

impl Audit {
    /// # Errors
    /// When it is not of the form.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("the audit does not read")
    }

    /// The devices.
    pub(super) fn devices(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.kind == "device")
    }

    /// The names of the devices that guests drive and that master memory.
    pub(super) fn guests_devices(&self) -> impl Iterator<Item = &str> {
        let mastering = self.devices().filter(|device| device.mode != "none" && self.is_guests(device));
        mastering.map(|device| device.name.as_str())
    }

    /// The guests.
    pub(super) fn guests(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.kind == "guest")
    }

    /// Whether a guest drives a device.
    pub(super) fn is_guests(&self, device: &Party) -> bool {
        self.parties.iter().any(|party| party.kind == "guest" && party.drives.contains(&device.name))
    }

    /// What a device reaches itself by translation, and at which address.
    pub(super) fn reach_of(&self, device: &Party) -> impl Iterator<Item = (&Reach, u64)> {
        let own = self.reach.iter().filter(|reach| {
            reach.kind == "device" && reach.party == device.name && reach.by == "dma" && reach.through.is_none()
        });
        own.filter_map(|reach| Some((reach, reach.at?)))
    }

    /// The parties that have an address space of their own making: components, VMMs among them.
    pub(super) fn components(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| matches!(party.kind.as_str(), "component" | "vmm"))
    }

    /// What is mapped in the address space of a component or a guest; the address where the spec says it.
    pub(super) fn mapped_by(&self, component: &Party) -> impl Iterator<Item = (&Reach, Option<u64>)> {
        let own = self.reach.iter().filter(|reach| {
            reach.kind == component.kind
                && reach.party == component.name
                && reach.by == "cpu"
                && reach.through.is_none()
        });
        own.map(|reach| (reach, reach.at))
    }

    /// A memory.
    pub(super) fn memory(&self, name: &str) -> Option<&Memory> {
        self.memories.iter().find(|memory| memory.name == name)
    }
}
