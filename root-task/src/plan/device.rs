//! The devices of a component.

use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::{FrameSize, PAGE_SIZE};
use sluice_manifest::{Device, DmaRegion, GuestBar, GuestDevice, GuestStream, Interrupt, Manage, Registers};
use sluice_spec::{Mode, System, interrupt_signal};

use super::{Addresses, Grant, Grants, PlanError, Signals, perms_of};

/// A device as the machine has it, after it was compared with the spec.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveDevice {
    /// Number (BAR, or position in `reg`), physical address and bytes of each register range.
    pub registers: Vec<(u8, u64, u64)>,
    /// The numbers of those that are ports: no guest has any.
    pub ports: Vec<u8>,
    /// The first words of a PCI function's configuration space, when a guest gets it.
    pub config: Vec<u32>,
}

/// Pages of registers in a component's VSpace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Name of the device.
    pub device: String,
    /// Where they are mapped.
    pub vaddr: u64,
    /// Physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Size of the frames: large ones where base and size allow it.
    pub frame: FrameSize,
}

/// The frames that a component's registers in whole pages are made of.
#[must_use]
pub const fn frames_of(base: u64, size: u64) -> FrameSize {
    if (base | size).is_multiple_of(1 << FrameSize::Large.bits()) { FrameSize::Large } else { FrameSize::Small }
}

/// What grows while devices are described.
pub(super) struct Planner<'a> {
    pub(super) system: &'a System,
    pub(super) translating: bool,
    pub(super) addresses: &'a mut Addresses,
    pub(super) signals: &'a mut Signals,
    pub(super) grants: &'a mut Grants,
    pub(super) registers: Vec<Page>,
    pub(super) fault_badges: Vec<Option<u64>>,
    /// INTID, trigger, and what the first device on that line was given: lines of one owner share a handler.
    pub(super) interrupts: Vec<(u32, bool, Interrupt)>,
}

impl Planner<'_> {
    /// A function that a guest gets.
    pub(super) fn describe_for_guest(
        &mut self,
        position: usize,
        slot: u8,
        device: &sluice_spec::Device,
        live: &LiveDevice,
    ) -> Result<GuestDevice, PlanError> {
        let mut bars = Vec::new();
        for &(index, base, size) in live.registers.iter().filter(|(index, ..)| !live.ports.contains(index)) {
            let frames = self.grants.add(Grant::RegisterFrames { base, size }, size / PAGE_SIZE);
            bars.push(GuestBar { index, size, frames });
        }
        let interrupt = match device.interrupt {
            Some((intid, edge)) => Some(self.interrupt(interrupt_signal(&device.name), intid, edge)?),
            None => None,
        };
        let badge = match &device.faults {
            Some(faults) => Some(self.signals.badge(&faults.notify)?),
            None => None,
        };
        self.fault_badges.push(badge);
        let stream = match (&device.mode, &device.streams[..]) {
            (Mode::None, _) => None,
            (mode, &[word]) => Some(GuestStream {
                word,
                sid: self.grants.add(Grant::Stream { device: position, stream: 0 }, 1),
                cb: self.grants.add(Grant::Context { device: position }, 1),
                nested: *mode == Mode::Nested,
            }),
            (_, streams) => return Err(PlanError::Streams(device.name.clone(), streams.len())),
        };
        Ok(GuestDevice {
            name: device.name.clone(),
            slot,
            config: live.config.iter().flat_map(|word| word.to_le_bytes()).collect(),
            bars,
            interrupt,
            stream,
            fault_signal: device.faults.as_ref().map(|faults| faults.notify.clone()),
            coherent: device.coherent,
        })
    }

    pub(super) fn describe(
        &mut self,
        position: usize,
        device: &sluice_spec::Device,
        live: &LiveDevice,
    ) -> Result<Device, PlanError> {
        let mut registers = Vec::new();
        for &(index, base, size) in &live.registers {
            registers.push(self.place_registers(&device.name, index, base, size)?);
        }
        let interrupt = match device.interrupt {
            Some((intid, edge)) => Some(self.interrupt(interrupt_signal(&device.name), intid, edge)?),
            None => None,
        };
        let badge = match &device.faults {
            Some(faults) => Some(self.signals.badge(&faults.notify)?),
            None => None,
        };
        self.fault_badges.push(badge);
        let manageable = match device.mode {
            Mode::Stage2 | Mode::Stage1 => true,
            Mode::Bypass => !device.streams.is_empty(),
            Mode::None | Mode::Nested => false,
        };
        let managed = device.manage && self.translating && manageable;
        let manage = managed.then(|| Manage {
            sids: (0..device.streams.len())
                .map(|stream| self.grants.add(Grant::Stream { device: position, stream }, 1))
                .collect(),
            cb: self.grants.add(Grant::Context { device: position }, 1),
            space: self.grants.add(Grant::Space { device: position }, 1),
        });
        let mut dma = Vec::new();
        for (mapping, map) in device.dma.iter().enumerate() {
            let region = self.system.regions.get(map.region as usize).ok_or(PlanError::Reference("region"))?;
            if map.perms.write && !map.perms.read {
                return Err(PlanError::WriteOnly(region.name.clone()));
            }
            let frame_count = region.size >> region.frame_bits;
            let frames = match managed {
                true => self.grants.add(Grant::Frames { device: position, mapping }, frame_count),
                false => 0,
            };
            let perms = perms_of(map.perms);
            dma.push(DmaRegion {
                region: region.name.clone(),
                iova: map.iova,
                size: region.size,
                perms,
                frames,
                frame_count,
            });
        }
        Ok(Device {
            name: device.name.clone(),
            registers,
            interrupt,
            streams: device.streams.clone(),
            dma,
            manage,
            address_bits: device.address_bits,
            coherent: device.coherent,
            fault_signal: device.faults.as_ref().map(|faults| faults.notify.clone()),
        })
    }

    /// Registers that do not start at a page are reached through the page they are in.
    fn place_registers(&mut self, device: &str, index: u8, base: u64, size: u64) -> Result<Registers, PlanError> {
        let offset = base % PAGE_SIZE;
        let bytes = offset.checked_add(size).and_then(|bytes| bytes.checked_next_multiple_of(PAGE_SIZE));
        let bytes = bytes.ok_or(PlanError::Outside { at: base, size })?;
        let frame = frames_of(base - offset, bytes);
        let vaddr = self.addresses.place(bytes, frame.bits())?;
        self.registers.push(Page { device: device.into(), vaddr, base: base - offset, size: bytes, frame });
        Ok(Registers { index, vaddr: vaddr + offset, size })
    }

    /// An interrupt and its signal, or those that the component has for the line already.
    pub(super) fn interrupt(&mut self, signal: String, intid: u32, edge: bool) -> Result<Interrupt, PlanError> {
        if let Some((_, trigger, shared)) = self.interrupts.iter().find(|(known, ..)| *known == intid) {
            return if *trigger == edge { Ok(shared.clone()) } else { Err(PlanError::Trigger(intid)) };
        }
        let badge = self.signals.badge(&signal)?;
        let handler = self.grants.add(Grant::Interrupt { intid, edge, badge }, 1);
        let interrupt = Interrupt { handler, signal };
        self.interrupts.push((intid, edge, interrupt.clone()));
        Ok(interrupt)
    }
}
