//! PCI functions that are passed through: registers, interrupt and DMA are real, configuration space is not.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_abi::{CapRights, VmAttributes};
use sluice_manifest::{GuestDevice, slot, supervisor, supervisor::DeviceAction};
use sluice_rt::{Env, RtError, println};
use sluice_sys::{Cb, Endpoint, Frame, IrqHandler, Message, Sid};
use sluice_vmm::memory::GuestPhysAddr;
use sluice_vmm::pci::{Effect, Function};

use crate::contexts::Stream;
use crate::guest::Guest;

/// Bytes of a frame of registers.
const PAGE: u64 = sluice_abi::PAGE_SIZE;

/// A BAR and where the guest has it.
struct Bar {
    index: u8,
    frames: u64,
    pages: u64,
    at: Option<GuestPhysAddr>,
}

/// A function.
pub(crate) struct Passed {
    /// Its position among the component's devices.
    position: u64,
    name: String,
    pub(crate) slot: u8,
    bars: Vec<Bar>,
    handler: Option<IrqHandler>,
    /// Signal bits of its interrupt and of its fault records.
    pub(crate) interrupt: u64,
    pub(crate) faults: u64,
    /// Its stream, when stage 2 alone translates for it.
    pub(crate) direct: Option<Stream>,
    /// Position of its stream behind the virtual SMMU.
    pub(crate) nested: Option<usize>,
}

/// What the VMM has of a device, and the streams for the virtual SMMU with their numbers in the guest.
pub(crate) fn take(
    env: &Env,
    guest: &Guest<'_>,
    (position, device): (usize, &GuestDevice),
    behind_smmu: &mut Vec<(u32, Stream)>,
) -> Result<Passed, RtError> {
    let mut direct = None;
    let mut nested = None;
    if let Some(own) = device.stream {
        let context = Cb::from(own.cb);
        context.assign_vspace(guest.space).map_err(RtError::refused("make the guest's memory a device's"))?;
        let stream = Stream::new(Sid::from(own.sid), context);
        if own.nested {
            nested = Some(behind_smmu.len());
            // A requester ID: bus 0, function 0.
            behind_smmu.push((u32::from(device.slot) << 3, stream));
        } else {
            direct = Some(stream);
        }
    }
    let bits = |name: &Option<String>| -> Result<u64, RtError> {
        Ok(match name {
            Some(name) => env.signal(name)?.bits(),
            None => 0,
        })
    };
    let bars =
        device.bars.iter().map(|bar| Bar { index: bar.index, frames: bar.frames, pages: bar.size / PAGE, at: None });
    Ok(Passed {
        position: position as u64,
        name: device.name.clone(),
        slot: device.slot,
        bars: bars.collect(),
        handler: device.interrupt.as_ref().map(|interrupt| IrqHandler::from(interrupt.handler)),
        interrupt: bits(&device.interrupt.as_ref().map(|interrupt| interrupt.signal.clone()))?,
        faults: bits(&device.fault_signal)?,
        direct,
        nested,
    })
}

/// What the guest sees of a device in its configuration space.
pub(crate) fn function(device: &GuestDevice) -> Result<Function, String> {
    let bars: Vec<(u8, u64)> = device.bars.iter().map(|bar| (bar.index, bar.size)).collect();
    Function::new(device.slot, &device.config, &bars, device.interrupt.is_some())
        .map_err(|error| alloc::format!("{}: {error}", device.name))
}

impl Passed {
    /// Does what the guest's configuration of the function comes to. `reset` is false when nobody has used it yet.
    ///
    /// # Errors
    /// A function that cannot be reset cannot be given to another life of the guest. Whatever else fails is said on the
    /// console, and the guest finds a device that does not work.
    pub(crate) fn apply(&mut self, guest: &Guest<'_>, effect: Effect, reset: bool) -> Result<(), String> {
        let outcome = match effect {
            Effect::BarPlaced { bar, at, .. } => self.place(guest, bar, at).map_err(|error| error.to_string()),
            Effect::Mastering { on, .. } => self.master(on),
            Effect::Reset { .. } if reset => {
                let done = self.supervised(DeviceAction::Reset).and_then(|()| self.supervised(DeviceAction::Start));
                return done.map_err(|error| alloc::format!("{}: {error}", self.name));
            }
            // Whether the guest sees it is decided by the machine.
            Effect::Interrupt { .. } | Effect::Reset { .. } => Ok(()),
        };
        if let Err(error) = outcome {
            println!("{}: {error}", self.name);
        }
        Ok(())
    }

    /// Lets it master memory, or not. A stream that stage 2 alone translates for is bound for just as long: before the
    /// function begins, and until after it has been told to end.
    fn master(&mut self, on: bool) -> Result<(), String> {
        let refused = |error: RtError| error.to_string();
        if on {
            if let Some(stream) = &mut self.direct {
                stream.bind().map_err(RtError::refused("bind a stream")).map_err(refused)?;
            }
            return self.supervised(DeviceAction::Master);
        }
        let told = self.supervised(DeviceAction::NoMaster);
        if let Some(stream) = &mut self.direct {
            stream.unbind().map_err(RtError::refused("unbind a stream")).map_err(refused)?;
        }
        told
    }

    /// Maps a BAR somewhere else, or nowhere.
    fn place(&mut self, guest: &Guest<'_>, index: u8, at: Option<GuestPhysAddr>) -> Result<(), RtError> {
        let Some(bar) = self.bars.iter_mut().find(|bar| bar.index == index) else { return Ok(()) };
        let frames = (bar.frames..bar.frames + bar.pages).map(Frame::from);
        if bar.at.take().is_some() {
            for frame in frames.clone() {
                frame.unmap().map_err(RtError::refused("unmap registers"))?;
            }
        }
        let Some(at) = at else { return Ok(()) };
        for (frame, page) in frames.zip(0..) {
            let rights = CapRights::READ | CapRights::WRITE;
            guest.map(frame, at.0 + page * PAGE, rights, VmAttributes::EXECUTE_NEVER)?;
        }
        bar.at = Some(at);
        Ok(())
    }

    fn supervised(&self, action: DeviceAction) -> Result<(), String> {
        let message = Message::new(supervisor::DEVICE, [self.position, action as u64]);
        let answer = Endpoint::from(slot::SUPERVISOR).call(&message);
        if answer.label() == 0 { Ok(()) } else { Err(alloc::format!("{action:?} was not done")) }
    }

    /// Lets its interrupt come again.
    pub(crate) fn rearm(&self) {
        if let Some(Err(failure)) = self.handler.map(IrqHandler::ack) {
            println!("{}: its interrupt cannot be acknowledged: {failure}", self.name);
        }
    }

    /// Its interrupt's.
    pub(crate) const fn handler(&self) -> Option<IrqHandler> {
        self.handler
    }

    /// Its name in the spec.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
