//! From virtual processors, whose registers are in memory or in the hardware, to virtual processors.

use sluice_abi::vcpu::VcpuRegister;
use sluice_abstract::{Forwarded, Injected, Stage, Virtualization};
use sluice_core::object::Vcpu;
use sluice_core::{Handle, Kernel, Store};

use crate::boot::{MAINTENANCE, VIRTUAL_TIMER};
use crate::machine::{Machine, list};

pub(super) fn virtualization(kernel: &Kernel<Machine>) -> Virtualization {
    Virtualization { lists: kernel.list_registers(), timer: Some(VIRTUAL_TIMER), maintenance: Some(MAINTENANCE) }
}

pub(super) fn vcpu(kernel: &Kernel<Machine>, at: Handle<Vcpu>) -> sluice_abstract::Vcpu {
    let body = kernel.hal.get(at);
    let places = (0..kernel.list_registers()).map(|index| (index, kernel.list_register(at, index)));
    sluice_abstract::Vcpu {
        thread: body.thread.get().map(Handle::at),
        registers: VcpuRegister::ALL.map(|register| kernel.vcpu_register(at, register)),
        injected: places.filter_map(|(index, word)| Some((index, injected(word)?))).collect(),
        forwarded: (0..kernel.list_registers())
            .filter_map(|index| {
                let device = kernel.forwarded(at, index)?;
                let becomes = injected(body.vgic.forwarded[usize::from(index)].get()).expect("something");
                assert_eq!((becomes.stage, becomes.device), (Stage::Pending, Some(device)));
                Some((index, Forwarded { device, becomes }))
            })
            .collect(),
        timer_masked: body.timer_masked.get(),
    }
}

/// What a list register says; nothing once the end of its interrupt was reported, whatever is left in it.
fn injected(word: u64) -> Option<Injected> {
    let known = list::STATE | list::GROUP | list::PRIORITY | list::EOI | list::INTID | list::HARDWARE | list::DEVICE;
    assert_eq!(word & !known, 0, "a list register says more than an interrupt: {word:#x}");
    let device = word & list::HARDWARE != 0;
    assert!(device || word & list::DEVICE & !list::EOI == 0, "a device's interrupt and no link to it: {word:#x}");
    let asks = !device && word & list::EOI != 0;
    let stage = match word & list::STATE {
        0 if asks => Stage::Ended,
        0 => return None,
        list::PENDING => Stage::Pending,
        list::ACTIVE => Stage::Active,
        both => panic!("{both:#x}: no guest is interrupted again by what it has not ended"),
    };
    assert!(asks || device, "nobody will be told of the end: {word:#x}");
    Some(Injected {
        intid: u16::try_from(word & list::INTID).expect("16 bits"),
        priority: ((word & list::PRIORITY) >> list::PRIORITY.trailing_zeros()) as u8,
        group: u8::from(word & list::GROUP != 0),
        stage,
        device: device.then_some(((word & list::DEVICE) >> list::DEVICE.trailing_zeros()) as u32),
    })
}
