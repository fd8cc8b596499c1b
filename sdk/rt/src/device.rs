//! A device of the component: registers, interrupt, memory it reaches, authority over its translation.

use alloc::string::String;
use alloc::vec::Vec;

use sluice_abi::smmu::StreamId;
use sluice_abi::{Iova, VirtAddr};
use sluice_manifest as manifest;
use sluice_sys::{Cb, Frame, IrqHandler, Sid, VSpace};

use crate::{Env, Memory, Missing, Registers, RtError, Signal};

/// A device by its name in the spec.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    env: &'a Env,
    entry: &'a manifest::Device,
}

/// The interrupt of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupt {
    handler: IrqHandler,
    signal: Signal,
}

/// Memory that both the component and the device reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DmaView {
    /// The component's view.
    pub memory: Memory,
    /// Where the device finds it.
    pub iova: Iova,
    /// What the device may do.
    pub perms: manifest::Perms,
    /// The frames mapped for the device, in order; empty when the component does not manage the device.
    pub frames: Vec<Frame>,
}

/// Authority over a device's translation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manage {
    /// Its streams.
    pub sids: Vec<Sid>,
    /// Its context.
    pub cb: Cb,
    /// The space the context translates with.
    pub space: VSpace,
}

impl<'a> Device<'a> {
    pub(crate) const fn new(env: &'a Env, entry: &'a manifest::Device) -> Self {
        Self { env, entry }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.entry.name
    }

    /// Register range `index`: the BAR's number, or the position in `reg`.
    ///
    /// # Errors
    /// When there is none.
    pub fn registers(&self, index: u8) -> Result<Registers, RtError> {
        let ranges = &self.entry.registers;
        let Some(range) = ranges.iter().find(|range| range.index == index) else {
            let there_are: Vec<String> = ranges.iter().map(|range| alloc::format!("{}", range.index)).collect();
            let name = alloc::format!("{index} of {}", self.entry.name);
            return Err(Missing::new("register range", &name, there_are.iter().map(String::as_str)).into());
        };
        Registers::at(VirtAddr(range.vaddr), range.size).ok_or(RtError::Address(range.vaddr))
    }

    /// Its interrupt.
    ///
    /// # Errors
    /// When it has none.
    pub fn interrupt(&self) -> Result<Interrupt, RtError> {
        let entry = self.entry.interrupt.as_ref().ok_or_else(|| Missing::new("interrupt of", &self.entry.name, []))?;
        Ok(Interrupt::new(self.env, entry)?)
    }

    /// The region `name` as component and device see it.
    ///
    /// # Errors
    /// When the device does not reach it, or the component does not see it.
    pub fn dma(&self, name: &str) -> Result<DmaView, RtError> {
        let regions = &self.entry.dma;
        let Some(entry) = regions.iter().find(|region| region.region == name) else {
            return Err(Missing::new("DMA region", name, regions.iter().map(|region| region.region.as_str())).into());
        };
        let frames = match self.entry.manage {
            Some(_) => (entry.frames..entry.frames + entry.frame_count).map(Frame::from).collect(),
            None => Vec::new(),
        };
        Ok(DmaView { memory: self.env.region(name)?, iova: Iova(entry.iova), perms: entry.perms, frames })
    }

    /// Where the device finds the region `name`, and its bytes; the component need not see it.
    ///
    /// # Errors
    /// When the device does not reach it.
    pub fn dma_range(&self, name: &str) -> Result<(Iova, u64), Missing> {
        let regions = &self.entry.dma;
        let entry = regions.iter().find(|region| region.region == name);
        let entry = entry
            .ok_or_else(|| Missing::new("DMA region", name, regions.iter().map(|region| region.region.as_str())))?;
        Ok((Iova(entry.iova), entry.size))
    }

    /// Where the device finds each of its regions, and their bytes.
    pub fn reach(&self) -> impl Iterator<Item = (Iova, u64)> + 'a {
        self.entry.dma.iter().map(|region| (Iova(region.iova), region.size))
    }

    /// Authority over its translation.
    ///
    /// # Errors
    /// When the spec does not say `manage = true`.
    pub fn manage(&self) -> Result<Manage, RtError> {
        let entry = self.entry.manage.as_ref().ok_or_else(|| Missing::new("management of", &self.entry.name, []))?;
        Ok(Manage {
            sids: entry.sids.iter().copied().map(Sid::from).collect(),
            cb: Cb::from(entry.cb),
            space: VSpace::from(entry.space),
        })
    }

    /// Its streams.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> + 'a {
        self.entry.streams.iter().filter_map(|word| StreamId::from_word(*word))
    }

    /// Bits of the addresses it can emit.
    #[must_use]
    pub const fn address_bits(&self) -> u8 {
        self.entry.address_bits
    }

    /// Whether its DMA is coherent with the CPU's caches.
    #[must_use]
    pub const fn is_coherent(&self) -> bool {
        self.entry.coherent
    }

    /// The signal for its fault records.
    ///
    /// # Errors
    /// When nobody listens to them.
    pub fn fault_signal(&self) -> Result<Signal, RtError> {
        let name =
            self.entry.fault_signal.as_ref().ok_or_else(|| Missing::new("fault signal of", &self.entry.name, []))?;
        Ok(self.env.signal(name)?)
    }
}

impl Interrupt {
    pub(crate) fn new(env: &Env, entry: &manifest::Interrupt) -> Result<Self, Missing> {
        Ok(Self { handler: IrqHandler::from(entry.handler), signal: env.signal(&entry.signal)? })
    }

    /// Waits for the interrupt; it stays masked until [`Interrupt::ack`].
    pub fn wait(&self) {
        self.signal.wait();
    }

    /// Whether it has fired.
    #[must_use]
    pub fn poll(&self) -> bool {
        self.signal.poll()
    }

    /// The signal it raises.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Lets it fire again. Make the device lower its line first.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ack(&self) -> Result<(), RtError> {
        self.handler.ack().map_err(RtError::refused("acknowledge an interrupt"))
    }
}
