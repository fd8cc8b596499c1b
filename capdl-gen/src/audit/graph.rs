//! The graph of reach.

use sluice_abi::PAGE_SIZE;
use sluice_spec::{Component, Device, Mode, Perms, System};
use sluice_vmm::layout::{RAM_BASE, SMMU};

use crate::derive::Together;
use crate::reach;
use crate::spec::Policy;

/// Everything in a system that reaches memory, and the memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Name of the platform.
    pub platform: String,
    /// Components, guests and devices; a device comes behind who drives it.
    pub parties: Vec<Party>,
    /// Memory.
    pub memories: Vec<Memory>,
    /// Direct reach.
    pub edges: Vec<Edge>,
    /// Positions in [`Audit::parties`] of the devices that reach all memory, the kernel's included.
    pub unconfined: Vec<usize>,
    /// Groups of devices that reach each other without an SMMU in between: what makes them one, and positions in
    /// [`Audit::parties`].
    pub groups: Vec<(String, Vec<usize>)>,
    /// Rules of the policy: who must not reach what, by name. They hold, or there would be no audit.
    pub denied: Vec<(String, String)>,
}

/// Somebody who reaches memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Its name: `nvme`, `guest0`, `nvme.disk`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Positions in [`Audit::parties`] of those whose registers it writes, or, a device, could write.
    pub drives: Vec<usize>,
    /// Of a device: how the SMMU knows it.
    pub translation: Option<Translation>,
}

/// How an SMMU knows a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Translation {
    /// What translates.
    pub mode: Mode,
    /// Its streams, each as the word of messages; none when it masters nothing, or is behind no SMMU.
    pub streams: Vec<u64>,
}

/// Kinds of parties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A native component.
    Component,
    /// The VMM of a guest.
    Vmm,
    /// A guest.
    Guest,
    /// A device.
    Device,
}

/// Memory that is reached, or not, as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Its name: that of a region, or `COMPONENT.private`.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// Whether it is what a component has for itself: image, stack, heap.
    pub private: bool,
}

/// A party reaches a memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Position in [`Audit::parties`].
    pub party: usize,
    /// Position in [`Audit::memories`].
    pub memory: usize,
    /// What it may do.
    pub perms: Perms,
    /// How.
    pub access: Access,
}

/// How a party reaches a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A processor, by the address space it runs in.
    Cpu {
        /// Where, when the spec says so.
        at: Option<u64>,
    },
    /// A device, by translation.
    Dma {
        /// First address for the device.
        iova: u64,
        /// The stages: a guest's stage 1 before stage 2 may leave less.
        stages: &'static [u8],
    },
    /// A device that bypasses translation: it reaches the memory as it reaches all, the kernel's included.
    Bypass,
}

/// A memory within somebody's reach, and how it comes to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach<'a> {
    /// The direct edge at the end.
    pub edge: &'a Edge,
    /// Who reaches it directly.
    pub via: Via,
}

/// The way to a direct edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// It is the party's own.
    Itself,
    /// It is that of a device the party drives: position in [`Audit::parties`].
    Device(usize),
}

impl Audit {
    /// What a party reaches, by itself and through what it drives.
    pub fn reach(&self, party: usize) -> impl Iterator<Item = Reach<'_>> {
        let own = self.edges.iter().filter(move |edge| edge.party == party);
        let drives = self.parties.get(party).map_or(&[][..], |party| &party.drives);
        let by_device = drives.iter().flat_map(|device| {
            let edges = self.edges.iter().filter(|edge| edge.party == *device);
            edges.map(|edge| Reach { edge, via: Via::Device(*device) })
        });
        own.map(|edge| Reach { edge, via: Via::Itself }).chain(by_device)
    }
}

pub(super) fn build(policy: &Policy, system: &System, groups: &[Together]) -> Audit {
    let mut audit = Audit { platform: system.platform.clone(), ..Audit::default() };
    for region in &system.regions {
        audit.memories.push(Memory { name: region.name.clone(), bytes: region.size, private: false });
    }
    for component in &system.components {
        add_component(&mut audit, component);
    }
    let rw = Perms { read: true, write: true, execute: false };
    for party in audit.unconfined.clone() {
        let everything = 0..audit.memories.len();
        audit.edges.extend(everything.map(|memory| Edge { party, memory, perms: rw, access: Access::Bypass }));
    }
    audit.denied = policy.deny_reach.iter().flat_map(|denial| reach::pairs(denial, system, groups)).collect();
    add_groups(&mut audit, system, groups);
    audit
}

fn add_groups(audit: &mut Audit, system: &System, groups: &[Together]) {
    for group in groups {
        let names = group.members.iter().map(|(component, device)| {
            let component = &system.components[*component];
            format!("{}.{}", component.name, component.devices[*device].name)
        });
        let find =
            |name: String| audit.parties.iter().position(|party| party.kind == Kind::Device && party.name == name);
        let members: Vec<usize> = names.filter_map(find).collect();
        for member in &members {
            let others = members.iter().copied().filter(|other| other != member);
            audit.parties[*member].drives.extend(others);
        }
        audit.groups.push((group.what.clone(), members));
    }
    for party in &mut audit.parties {
        party.drives.sort_unstable();
        party.drives.dedup();
    }
}

fn add_component(audit: &mut Audit, component: &Component) {
    let position = audit.parties.len();
    let kind = if component.guest.is_some() { Kind::Vmm } else { Kind::Component };
    let name = match kind {
        Kind::Vmm => format!("{} (VMM)", component.name),
        Kind::Component | Kind::Guest | Kind::Device => component.name.clone(),
    };
    audit.parties.push(Party { name, kind, drives: Vec::new(), translation: None });
    let untyped = component.untyped.iter().map(|grant| 1u64 << grant.size_bits).sum::<u64>();
    let bytes = component.stack + component.heap + untyped;
    let private = audit.memories.len();
    audit.memories.push(Memory { name: format!("{}.private", component.name), bytes, private: true });
    let all = Perms { read: true, write: true, execute: true };
    audit.edges.push(Edge { party: position, memory: private, perms: all, access: Access::Cpu { at: None } });
    for map in &component.maps {
        let access = Access::Cpu { at: map.vaddr };
        audit.edges.push(Edge { party: position, memory: map.region as usize, perms: map.perms, access });
    }
    // Who drives the devices: a guest its own, a component the others.
    let mut driver = position;
    if let Some(guest) = &component.guest {
        driver = audit.parties.len();
        audit.parties.push(Party {
            name: component.name.clone(),
            kind: Kind::Guest,
            drives: Vec::new(),
            translation: None,
        });
        let access = Access::Cpu { at: Some(RAM_BASE) };
        audit.edges.push(Edge { party: driver, memory: guest.ram as usize, perms: all, access });
    }
    let shown = shown_registers(audit, component, position);
    for (memory, at) in &shown {
        audit.edges.push(Edge { party: driver, memory: *memory, perms: READ, access: Access::Cpu { at: Some(*at) } });
    }
    let mut passed = Vec::new();
    for device in &component.devices {
        let party = audit.parties.len();
        let name = format!("{}.{}", component.name, device.name);
        let translation = Some(Translation { mode: device.mode.clone(), streams: device.streams.clone() });
        audit.parties.push(Party { name, kind: Kind::Device, drives: Vec::new(), translation });
        let by = if device.guest_slot.is_some() { driver } else { position };
        audit.parties[by].drives.push(party);
        if device.mode == Mode::Bypass {
            audit.unconfined.push(party);
            continue;
        }
        audit.edges.extend(by_device(party, device, component));
        if device.guest_slot.is_some() && device.mode != Mode::None {
            let access = |at| Access::Dma { iova: at, stages: stages(&device.mode) };
            let edges =
                shown.iter().map(|(memory, at)| Edge { party, memory: *memory, perms: READ, access: access(*at) });
            audit.edges.extend(edges);
        }
        passed.extend(device.guest_slot.map(|_| party));
    }
    // A guest's devices are in its address space, as are their registers.
    for party in &passed {
        audit.parties[*party].drives.extend(passed.iter().copied().filter(|other| other != party));
    }
}

const READ: Perms = Perms { read: true, write: false, execute: false };

/// The registers of a guest's SMMU that it reads without its VMM: memory of the VMM's, and where the guest sees it.
fn shown_registers(audit: &mut Audit, component: &Component, vmm: usize) -> Vec<(usize, u64)> {
    let mut shown = Vec::new();
    if component.devices.iter().any(|device| device.mode == Mode::Nested) {
        for (half, at) in [(0, SMMU.base), (1, SMMU.base + SMMU.size / 2)] {
            let memory = audit.memories.len();
            let name = format!("{}.smmu{half}", component.name);
            audit.memories.push(Memory { name, bytes: PAGE_SIZE, private: true });
            let perms = Perms { write: true, ..READ };
            audit.edges.push(Edge { party: vmm, memory, perms, access: Access::Cpu { at: None } });
            shown.push((memory, at));
        }
    }
    shown
}

const fn stages(mode: &Mode) -> &'static [u8] {
    match mode {
        Mode::Nested => &[1, 2],
        Mode::Stage1 => &[1],
        Mode::None | Mode::Stage2 | Mode::Bypass => &[2],
    }
}

fn by_device(party: usize, device: &Device, component: &Component) -> Vec<Edge> {
    let stages = stages(&device.mode);
    if let (Some(guest), true) = (&component.guest, device.guest_slot.is_some() && device.mode != Mode::None) {
        let perms = Perms { read: true, write: true, execute: false };
        let access = Access::Dma { iova: RAM_BASE, stages };
        return vec![Edge { party, memory: guest.ram as usize, perms, access }];
    }
    let edges = device.dma.iter().map(|dma| Edge {
        party,
        memory: dma.region as usize,
        perms: dma.perms,
        access: Access::Dma { iova: dma.iova, stages },
    });
    edges.collect()
}
