//! Devices that are told to master memory before anybody has them ([`crate::provoke`]), and quarantine.
//!
//! The stream leads to an I/O address space with nothing in it meanwhile, and everything made for it is taken back
//! afterwards. A device that is not seen at its SMMU is left without decoding, mastering and interrupt for good, and the
//! component that was to have it is not started.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::smmu::{ContextId, StreamId};
use sluice_abi::{CapRights, FrameSize, ObjectType, PAGE_SIZE, VirtAddr};
use sluice_platform::PciAddress;
use sluice_spec::{Device, Mode, System};

use super::builder::{Builder, DEVICE, FILL, READ_WRITE};
use super::ecam::Ecam;
use super::machine::{Checked, Devices};
use crate::kernel::{Invocation, Kernel};
use crate::memory::Arena;
use crate::pci::{Access, Identity, enable_decode, enable_mastering, follow_mastering, quiesce};
use crate::plan::frames_of;
use crate::provoke::{Finding, Kind, Scene};
use crate::{Stop, live};

/// Configuration registers of a function: identity, and class in the upper three bytes (PCI Local Bus 3.0, 6.1).
const ID: u16 = 0x00;
const CLASS: u16 = 0x08;
/// Where the root task maps the registers of a device that it provokes: beside the frame it fills, and the console.
const PROVOKED: u64 = FILL + 2 * PAGE_SIZE;
/// Where the page is mapped that the device is told to read: behind the device's registers.
const PAGE: u64 = PROVOKED + 2 * PAGE_SIZE;

/// Provokes every device of a kind that is known, and marks those that the SMMU did not see.
pub(super) fn all<K: Kernel>(builder: &mut Builder<K>, system: &System, devices: &mut Devices<'_>) -> Result<(), Stop> {
    let mut page = None;
    for (component, checked) in system.components.iter().zip(&mut devices.checked) {
        for (device, checked) in component.devices.iter().zip(checked) {
            // Without translation, or with all of it chosen away, nothing is claimed.
            if !matches!(device.mode, Mode::Stage1 | Mode::Stage2 | Mode::Nested) {
                continue;
            }
            let who = format!("{}.{}", component.name, device.name);
            let Some(function) = checked.function else { continue };
            let Some(bus) = devices.buses.get(function.bus) else { continue };
            let ecam = Ecam { builder, host: &bus.host };
            let Some(kind) = kind(&ecam, function.at) else { continue };
            let page = match page {
                Some(page) => page,
                None => *page.insert(builder.contiguous("root", ObjectType::SmallPage, 1)?),
            };
            let stage = Stage { device, checked, kind, page };
            let (line, good) = stage.provoke(builder, &who, |builder, masters| {
                let mut ecam = Ecam { builder, host: &bus.host };
                match masters {
                    true => {
                        enable_decode(&mut ecam, function.at, function.decode);
                        enable_mastering(&mut ecam, function.at);
                    }
                    false => quiesce(&mut ecam, function.at),
                }
                follow_mastering(&mut ecam, &bus.found);
            })?;
            builder.kernel.line(&format!("{who} {line}"));
            checked.quarantined = !good;
        }
    }
    Ok(())
}

fn kind<K: Kernel>(ecam: &Ecam<'_, '_, K>, at: PciAddress) -> Option<Kind> {
    let id = ecam.read(at, ID);
    let identity = Identity { vendor: id as u16, device: (id >> 16) as u16 };
    Kind::of(identity, ecam.read(at, CLASS) >> 8)
}

/// A device, and what it is provoked with.
struct Stage<'a> {
    device: &'a Device,
    checked: &'a Checked,
    kind: Kind,
    /// Slot and physical address of the page.
    page: (u64, u64),
}

impl Stage<'_> {
    /// What is to be said about the device, and whether its owner may have it. `masters` has it decode and master, or
    /// neither.
    fn provoke<K: Kernel>(
        &self,
        builder: &mut Builder<K>,
        who: &str,
        masters: impl Fn(&mut Builder<K>, bool),
    ) -> Result<(String, bool), Stop> {
        let page = self.page.1;
        let bits = u32::from(self.device.address_bits);
        if bits < u64::BITS && page >> bits != 0 {
            return Ok((format!("is not tried: it emits {bits} address bits, and memory begins above"), true));
        }
        let streams = live::streams(self.device).map_err(|mismatch| Stop::Mismatch { who: who.into(), mismatch })?;
        let registers = self.checked.live.registers.iter().find(|(index, ..)| *index == 0);
        let (Some(stream), Some(&(_, base, size))) = (streams.first().copied(), registers) else {
            return Err(Stop::System("a device that is provoked has no stream or no registers"));
        };
        // Registers are made of one kind of frame, and these are for pages.
        let large = self.device.guest_slot.is_none() && frames_of(base, size) != FrameSize::Small;
        if large || size < self.kind.registers() {
            return Ok((format!("is not tried: its registers are {size} bytes"), true));
        }
        builder.enter(Arena::default());
        let found = self.with(builder, who, (stream, base, size), &masters);
        masters(builder, false);
        let mut arena = builder.leave();
        let undone = undo(builder, who, &mut arena);
        let finding = found.and_then(|finding| undone.map(|()| finding))?;
        Ok(match finding {
            Finding::Behind { address } if address == page => {
                (format!("is behind SMMU {}: it refused a read by stream {stream}", stream.smmu), true)
            }
            Finding::Behind { address } => (
                format!(
                    "is behind SMMU {}, and emits fewer than {bits} address bits: told to read {page:#x}, it asked for \
                     {address:#x} by stream {stream}",
                    stream.smmu
                ),
                true,
            ),
            Finding::Past => (
                format!(
                    "QUARANTINED: it mastered memory, and SMMU {} saw nothing of stream {stream}; nobody gets the device",
                    stream.smmu
                ),
                false,
            ),
            Finding::Idle => (
                format!(
                    "QUARANTINED: it did not master memory when told to, so that nothing shows that stream {stream} is \
                     its own; nobody gets the device"
                ),
                false,
            ),
        })
    }

    fn with<K: Kernel>(
        &self,
        builder: &mut Builder<K>,
        who: &str,
        (stream, base, size): (StreamId, u64, u64),
        masters: impl Fn(&mut Builder<K>, bool),
    ) -> Result<Finding, Stop> {
        let first = builder.registers(who, (base, size), FrameSize::Small)?;
        for page in 0..self.kind.registers() / PAGE_SIZE {
            let frame = builder.copy_frame(who, first + page)?;
            builder.map_with(who, frame, (PROVOKED + page * PAGE_SIZE, FrameSize::Small), (READ_WRITE, DEVICE))?;
        }
        let frame = builder.copy_frame(who, self.page.0)?;
        builder.map_with(who, frame, (PAGE, FrameSize::Small), (READ_WRITE, DEVICE))?;
        let context = builder.slot()?;
        let id = ContextId { smmu: stream.smmu, cb: self.device.context };
        builder.invoke(who, Invocation::GetContext { context: id, slot: context })?;
        let space = builder.space(who)?;
        builder.invoke(who, Invocation::AssignSpace { context, space: space.vspace })?;
        let slot = builder.slot()?;
        builder.invoke(who, Invocation::GetStream { stream, slot })?;
        let notification = builder.object(who, ObjectType::Notification)?;
        let notification = builder.badged(who, notification, CapRights::WRITE, 1)?;
        builder.invoke(who, Invocation::SetFaultHandler { stream: slot, notification, budget: 0 })?;
        builder.invoke(who, Invocation::Bind { stream: slot, context })?;
        masters(builder, true);
        self.kind.provoke(&mut Live { kernel: &mut builder.kernel, stream: slot, who }, self.page.1)
    }
}

/// Takes back what was made: the stream aborts again, and belongs to nobody.
fn undo<K: Kernel>(builder: &mut Builder<K>, who: &str, arena: &mut Arena) -> Result<(), Stop> {
    for slot in arena.slots().collect::<Vec<_>>() {
        builder.invoke(who, Invocation::Delete { slot: Builder::<K>::root(slot) })?;
    }
    for untyped in arena.untypeds() {
        builder.invoke(who, Invocation::Revoke { slot: *untyped })?;
    }
    Ok(())
}

/// The device's registers and the page, where the root task has them mapped.
struct Live<'a, K> {
    kernel: &'a mut K,
    stream: u64,
    who: &'a str,
}

impl<K: Kernel> Scene for Live<'_, K> {
    type Error = Stop;

    fn read(&self, register: u64) -> u32 {
        self.kernel.load(VirtAddr(PROVOKED + register))
    }

    fn write(&mut self, register: u64, value: u32) {
        self.kernel.store(VirtAddr(PROVOKED + register), value);
    }

    fn write_wide(&mut self, register: u64, value: u64) {
        self.kernel.store_wide(VirtAddr(PROVOKED + register), value);
    }

    fn put(&mut self, words: &[u32]) {
        for (word, at) in words.iter().zip((PAGE..).step_by(4)) {
            self.kernel.store(VirtAddr(at), *word);
        }
    }

    fn word(&self, index: u64) -> u32 {
        self.kernel.load(VirtAddr(PAGE + 4 * index))
    }

    fn record(&mut self) -> Result<Option<u64>, Stop> {
        let record = self.kernel.record(self.stream).map_err(|failure| Stop::Refused {
            action: "tell the fault records of a stream",
            who: self.who.into(),
            failure,
        })?;
        Ok(record.map(|record| record.iova.0 & !(PAGE_SIZE - 1)))
    }

    fn wait(&mut self) {
        K::wait(1);
    }
}
