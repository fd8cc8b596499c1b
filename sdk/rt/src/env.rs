//! Everything a component was given, by name.

use core::cell::Cell;

use sluice_abi::{CapRights, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_manifest::{Guest, Manifest, layout, slot};
use sluice_sys::{AsidPool, Endpoint, Frame, Untyped, VSpace};

use crate::{Device, Interrupt, Memory, Missing, RtError, Server, Signal, Slots, Tables};

/// A component's manifest with what is still free in its CNode and its address space.
#[derive(Debug)]
pub struct Env {
    manifest: Manifest,
    slots: Slots,
    free_address: Cell<u64>,
}

/// Untyped memory of the component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UntypedGrant {
    /// The capability.
    pub cap: Untyped,
    /// log2 of its bytes.
    pub size_bits: u8,
}

/// The entry of `list` with this name.
fn named<'a, T>(kind: &'static str, name: &str, list: &'a [T], of: impl Fn(&T) -> &str) -> Result<&'a T, Missing> {
    list.iter().find(|entry| of(entry) == name).ok_or_else(|| Missing::new(kind, name, list.iter().map(of)))
}

impl Env {
    /// The environment a manifest describes.
    #[must_use]
    pub fn new(manifest: Manifest) -> Self {
        let slots = Slots::new(manifest.first_free_slot, 1u64.checked_shl(manifest.cnode_bits.into()).unwrap_or(0));
        Self { manifest, slots, free_address: Cell::new(layout::FREE) }
    }

    /// Name of the component.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// An argument of the spec.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.manifest.args.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// The component's view of a memory region.
    ///
    /// # Errors
    /// When it sees none of that name.
    pub fn region(&self, name: &str) -> Result<Memory, RtError> {
        let region = named("region", name, &self.manifest.regions, |region| &region.name)?;
        Memory::at(VirtAddr(region.vaddr), region.size).ok_or(RtError::Address(region.vaddr))
    }

    /// Capabilities of the frames of a memory region, to be mapped elsewhere, and log2 of the bytes of each.
    ///
    /// # Errors
    /// When the component has none of that name, or sees the region only.
    pub fn region_frames(&self, name: &str) -> Result<(impl Iterator<Item = Frame> + use<>, u8), Missing> {
        let region = named("region", name, &self.manifest.regions, |region| &region.name)?;
        let frames = region.frames.ok_or_else(|| Missing::new("frames of", name, []))?;
        Ok(((frames.first..frames.first + frames.count).map(Frame::from), frames.size_bits))
    }

    /// The guest that the component is the VMM of.
    ///
    /// # Errors
    /// When it is none.
    pub fn guest(&self) -> Result<&Guest, Missing> {
        self.manifest.guest.as_ref().ok_or_else(|| Missing::new("guest of", &self.manifest.name, []))
    }

    /// A device.
    ///
    /// # Errors
    /// When the component drives none of that name.
    pub fn device(&self, name: &str) -> Result<Device<'_>, Missing> {
        named("device", name, &self.manifest.devices, |device| &device.name).map(|entry| Device::new(self, entry))
    }

    /// The interrupt of the physical timer (CNTP), for the component that serves the others with alarms.
    ///
    /// # Errors
    /// When the spec does not say `timer = true`.
    pub fn physical_timer(&self) -> Result<Interrupt, Missing> {
        let entry = self.manifest.timer.as_ref();
        let entry = entry.ok_or_else(|| Missing::new("physical timer of", &self.manifest.name, []))?;
        Interrupt::new(self, entry)
    }

    /// The endpoint of a channel the component calls.
    ///
    /// # Errors
    /// When it is no client of such a channel.
    pub fn channel_client(&self, name: &str) -> Result<Endpoint, Missing> {
        named("channel to call", name, &self.manifest.clients, |client| &client.name)
            .map(|client| Endpoint::from(client.endpoint))
    }

    /// A channel the component serves.
    ///
    /// # Errors
    /// When it serves none of that name.
    pub fn channel_server(&self, name: &str) -> Result<Server<'_>, Missing> {
        named("channel to serve", name, &self.manifest.servers, |server| &server.name).map(Server::new)
    }

    /// A source of signals: an interrupt or a fault handler by the name in its device, or the server of a channel with
    /// `notify = true` by the channel's name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn signal(&self, name: &str) -> Result<Signal, Missing> {
        named("signal", name, &self.manifest.signals, |signal| &signal.name).map(|signal| Signal::new(signal.badge))
    }

    /// Untyped memory of the component.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn untyped(&self, name: &str) -> Result<UntypedGrant, Missing> {
        named("untyped", name, &self.manifest.untyped, |untyped| &untyped.name)
            .map(|untyped| UntypedGrant { cap: Untyped::from(untyped.cap), size_bits: untyped.size_bits })
    }

    /// How often it has been started again after it died.
    #[must_use]
    pub const fn life(&self) -> u32 {
        self.manifest.life
    }

    /// Its ASID pool, for address spaces that it makes itself.
    ///
    /// # Errors
    /// When the spec does not say `asid_pool = true`.
    pub fn asid_pool(&self) -> Result<AsidPool, Missing> {
        let pool = self.manifest.asid_pool.ok_or_else(|| Missing::new("ASID pool of", &self.manifest.name, []))?;
        Ok(AsidPool::from(pool))
    }

    /// Free slots of its CNode.
    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Its own address space.
    #[must_use]
    pub fn vspace(&self) -> VSpace {
        VSpace::from(slot::VSPACE)
    }

    /// Addresses of its own that nothing is mapped at; each is given once.
    pub fn take_addresses(&self, bytes: u64) -> VirtAddr {
        let base = self.free_address.get();
        self.free_address.set(base + bytes.next_multiple_of(PAGE_SIZE));
        VirtAddr(base)
    }

    /// Maps a 4 KiB frame for loads and stores at a free address, cached as devices' coherent accesses need it.
    ///
    /// # Errors
    /// As the kernel refuses, or when slots for tables run out.
    pub fn map_page(&self, frame: Frame, tables: &Tables<'_>) -> Result<Memory, RtError> {
        self.map_page_at(frame, self.take_addresses(PAGE_SIZE), tables)
    }

    /// As [`Env::map_page`], at an address of [`Env::take_addresses`].
    ///
    /// # Errors
    /// As [`Env::map_page`].
    pub fn map_page_at(&self, frame: Frame, at: VirtAddr, tables: &Tables<'_>) -> Result<Memory, RtError> {
        let how = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
        tables.map(frame, self.vspace(), at, CapRights::READ | CapRights::WRITE, how)?;
        Memory::at(at, PAGE_SIZE).ok_or(RtError::Address(at.0))
    }
}

#[cfg(test)]
mod tests;
