//! Everything a component will hold, decided before anything is made: slots, addresses, rights, signals.
//!
//! The result is the component's [`Manifest`] and the list of grants that make the manifest true. Deciding is pure, so
//! what a component gets can be tested without a kernel.

mod addresses;
pub mod alarm;
mod args;
mod device;
mod error;
mod guest;
mod signals;

use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::FrameSize;
use sluice_manifest::{Caller, Client, Frames, Manifest, Region, Server, Signal, Untyped, slot};
use sluice_spec::{Component, System};

pub use addresses::Addresses;
pub use device::{LiveDevice, Page, frames_of};
pub use error::PlanError;
pub use signals::Signals;

/// Slots left free for what a component makes itself.
const SPARE_SLOTS: u64 = 256;

/// A capability beyond the fixed ones, for one slot or several that follow each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Grant {
    /// The handler of an interrupt, which signals with a badge.
    Interrupt {
        /// INTID.
        intid: u32,
        /// Edge-triggered.
        edge: bool,
        /// Badge of its signal.
        badge: u64,
    },
    /// The calling side of a channel.
    Client {
        /// Position in [`System::channels`].
        channel: usize,
        /// Badge the server sees.
        badge: u64,
    },
    /// The receiving side of a channel.
    Server {
        /// Position in [`System::channels`].
        channel: usize,
    },
    /// What raises a signal of another component.
    Signal {
        /// Position of that component in [`System::components`].
        component: usize,
        /// The badge it sees.
        badge: u64,
    },
    /// What raises the root task's own signal: the alarm that it asks the timer server for.
    Alarm,
    /// A stream of a device.
    Stream {
        /// Position in [`Component::devices`].
        device: usize,
        /// Position in the device's streams.
        stream: usize,
    },
    /// The translation context of a device.
    Context {
        /// Position in [`Component::devices`].
        device: usize,
    },
    /// The I/O address space of a device.
    Space {
        /// Position in [`Component::devices`].
        device: usize,
    },
    /// The frames mapped in the I/O address space of a device.
    Frames {
        /// Position in [`Component::devices`].
        device: usize,
        /// Position in the device's DMA mappings.
        mapping: usize,
    },
    /// Capabilities of the frames of a region.
    RegionFrames {
        /// Position in [`Component::maps`].
        map: usize,
    },
    /// Capabilities of the pages of device registers, for a guest.
    RegisterFrames {
        /// Physical address.
        base: u64,
        /// Bytes.
        size: u64,
    },
    /// A new ASID pool.
    AsidPool,
    /// Untyped memory.
    Untyped {
        /// log2 of its bytes.
        size_bits: u8,
    },
}

/// What one component gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What it is told.
    pub manifest: Manifest,
    /// First slot and grant.
    pub grants: Vec<(u64, Grant)>,
    /// Pages of device registers to map.
    pub registers: Vec<Page>,
    /// Badge of each device's fault records.
    pub fault_badges: Vec<Option<u64>>,
}

/// The part of a plan that grows: slots in ascending order, and who gets them.
struct Grants {
    next: u64,
    list: Vec<(u64, Grant)>,
}

impl Grants {
    fn add(&mut self, grant: Grant, count: u64) -> u64 {
        let slot = self.next;
        self.next += count;
        self.list.push((slot, grant));
        slot
    }
}

/// What the machine adds to the spec.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Circumstances {
    /// Whether SMMUs translate; without them there are no stream capabilities.
    pub translating: bool,
    /// Arguments every component gets besides those of the spec.
    pub extra_args: Vec<(String, String)>,
    /// Identification registers IDR0, IDR1, IDR3 and IDR5 of each SMMU.
    pub smmus: Vec<[u32; 4]>,
    /// Random bytes from firmware; what guests are seeded with is derived from them.
    pub rng_seed: Vec<u8>,
    /// The command line; `NAME.KEY=VALUE` is an argument for one component.
    pub command_line: String,
}

impl Plan {
    /// The ranges of device registers that the component has: base and size, and the size of their frames.
    pub fn register_ranges(&self) -> impl Iterator<Item = ((u64, u64), FrameSize)> + '_ {
        let mapped = self.registers.iter().map(|page| ((page.base, page.size), page.frame));
        let granted = self.grants.iter().filter_map(|(_, grant)| match *grant {
            Grant::RegisterFrames { base, size } => Some(((base, size), FrameSize::Small)),
            Grant::Interrupt { .. }
            | Grant::Client { .. }
            | Grant::Server { .. }
            | Grant::Signal { .. }
            | Grant::Alarm
            | Grant::Stream { .. }
            | Grant::Context { .. }
            | Grant::Space { .. }
            | Grant::Frames { .. }
            | Grant::RegionFrames { .. }
            | Grant::AsidPool
            | Grant::Untyped { .. } => None,
        });
        mapped.chain(granted)
    }

    /// The plan of the component at position `index`, whose devices are `live`.
    ///
    /// # Errors
    /// [`PlanError`] when the spec contradicts itself or does not fit the address space.
    pub fn new(
        system: &System,
        index: usize,
        live: &[LiveDevice],
        circumstances: &Circumstances,
    ) -> Result<Self, PlanError> {
        let component = system.components.get(index).ok_or(PlanError::Reference("component"))?;
        let mut addresses = Addresses::new(component)?;
        let mut signals = Signals::of_channels(system, index)?;
        let mut grants = Grants { next: slot::FIRST, list: Vec::new() };

        let regions = place_regions(system, component, &mut addresses, &mut grants)?;
        let mut devices = device::Planner {
            system,
            translating: circumstances.translating,
            addresses: &mut addresses,
            signals: &mut signals,
            grants: &mut grants,
            registers: Vec::new(),
            fault_badges: Vec::new(),
            interrupts: Vec::new(),
        };
        if live.len() != component.devices.len() {
            return Err(PlanError::Reference("device"));
        }
        let mut described = Vec::new();
        let mut guests = Vec::new();
        for (position, (device, live)) in component.devices.iter().zip(live).enumerate() {
            match device.guest_slot {
                Some(slot) => guests.push(devices.describe_for_guest(position, slot, device, live)?),
                None => described.push(devices.describe(position, device, live)?),
            }
        }
        let timer = match component.timer {
            Some((intid, edge)) => Some(devices.interrupt(signals::PHYSICAL_TIMER.into(), intid, edge)?),
            None => None,
        };
        let device::Planner { registers, fault_badges, .. } = devices;

        let (clients, servers) = place_channels(system, index, &mut grants)?;
        let untyped = component.untyped.iter().map(|grant| Untyped {
            name: grant.name.clone(),
            cap: grants.add(Grant::Untyped { size_bits: grant.size_bits }, 1),
            size_bits: grant.size_bits,
        });
        let untyped = untyped.collect();
        let asid_pool = component.asid_pool.then(|| grants.add(Grant::AsidPool, 1));

        let args = args::of(component, circumstances);
        let manifest = Manifest {
            name: component.name.clone(),
            args,
            cnode_bits: (grants.next + SPARE_SLOTS).next_power_of_two().ilog2() as u8,
            first_free_slot: grants.next,
            heap_bytes: component.heap,
            regions,
            devices: described,
            clients,
            servers,
            signals: signals.iter().map(|(name, badge)| Signal { name: name.into(), badge }).collect(),
            untyped,
            asid_pool,
            timer,
            guest: match &component.guest {
                Some(guest) => Some(guest::describe(system, component, guest, (guests, circumstances))?),
                None => None,
            },
            life: 0,
        };
        Ok(Self { manifest, grants: grants.list, registers, fault_badges })
    }
}

fn place_regions(
    system: &System,
    component: &Component,
    addresses: &mut Addresses,
    grants: &mut Grants,
) -> Result<Vec<Region>, PlanError> {
    // Chosen addresses first, so that the others go around them.
    let mut chosen = Vec::new();
    for map in &component.maps {
        let region = system.regions.get(map.region as usize).ok_or(PlanError::Reference("region"))?;
        if map.perms.write && !map.perms.read {
            return Err(PlanError::WriteOnly(region.name.clone()));
        }
        let vaddr = match map.vaddr {
            Some(vaddr) => Some(addresses.claim(vaddr, region.size, u32::from(region.frame_bits))?),
            None => None,
        };
        chosen.push((region, map, vaddr));
    }
    let placed = chosen.into_iter().enumerate().map(|(index, (region, map, vaddr))| {
        let vaddr = match vaddr {
            Some(vaddr) => vaddr,
            None => addresses.place(region.size, u32::from(region.frame_bits))?,
        };
        let frames = map.frames.then(|| {
            let count = region.size >> region.frame_bits;
            let first = grants.add(Grant::RegionFrames { map: index }, count);
            Frames { first, count, size_bits: region.frame_bits }
        });
        Ok(Region { name: region.name.clone(), vaddr, size: region.size, perms: perms_of(map.perms), frames })
    });
    placed.collect()
}

fn place_channels(system: &System, index: usize, grants: &mut Grants) -> Result<(Vec<Client>, Vec<Server>), PlanError> {
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for (channel, described) in system.channels.iter().enumerate() {
        let name = described.name.clone();
        if described.server as usize == index {
            let endpoint = grants.add(Grant::Server { channel }, 1);
            let callers = described.clients.iter().zip(1..).map(|(client, badge)| {
                let component = *client as usize;
                let client = system.components.get(component).ok_or(PlanError::Reference("component"))?;
                let signal = match described.notify {
                    true => {
                        let badge = Signals::of_channels(system, component)?.badge(&name)?;
                        Some(grants.add(Grant::Signal { component, badge }, 1))
                    }
                    false => None,
                };
                Ok(Caller { name: client.name.clone(), badge, signal })
            });
            let mut clients = callers.collect::<Result<Vec<_>, _>>()?;
            if alarm::channel(system) == Some(channel) {
                let signal = Some(grants.add(Grant::Alarm, 1));
                clients.push(Caller { name: alarm::CLIENT.into(), badge: alarm::badge(described), signal });
            }
            servers.push(Server { name: name.clone(), endpoint, clients });
        }
        if let Some(position) = described.clients.iter().position(|client| *client as usize == index) {
            let endpoint = grants.add(Grant::Client { channel, badge: position as u64 + 1 }, 1);
            clients.push(Client { name, endpoint });
        }
    }
    Ok((clients, servers))
}

const fn perms_of(perms: sluice_spec::Perms) -> sluice_manifest::Perms {
    let sluice_spec::Perms { read, write, execute } = perms;
    sluice_manifest::Perms { read, write, execute }
}

#[cfg(test)]
mod tests;
