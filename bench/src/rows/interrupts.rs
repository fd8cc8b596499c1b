//! From an interrupt to the thread that waits for it.

use sluice_abi::{CapRights, ObjectType, PhysAddr, Syscall, VirtAddr, VmAttributes};
use sluice_platform::{Machine as Platform, validate};
use sluice_sys::{IrqControl, IrqHandler, Notification, Trigger};

use super::ALL;
use crate::counter::{self, syscall};
use crate::helper::{self, PRIORITY, Plan, Time};
use crate::machine::{Machine, VSPACE, at, done};
use crate::samples::Samples;

static WOKEN: Time = Time::new();

extern "C" fn handler(notification: u64) -> ! {
    loop {
        WOKEN.set(syscall(Syscall::Recv, notification, 0, 0).after);
    }
}

/// The interrupt mask of a PL011 (DDI 0183, 3.3.10).
struct Mask(*mut u32);

impl Mask {
    const OFFSET: u64 = 0x38;
    /// The transmit interrupt: pending since the kernel printed its last line.
    const TRANSMIT: u32 = 1 << 5;

    fn set(&self, value: u32) {
        // SAFETY: the register is mapped, as Device memory, and no Rust object is there.
        unsafe { self.0.write_volatile(value) }
    }
}

/// To a thread of a higher priority, while this one runs; the registers are mapped at `window`.
pub(super) fn to_higher(machine: &mut Machine, window: VirtAddr, overhead: u64) {
    let (registers, intid) = uart(machine);
    let frame = machine.registers(registers);
    done(frame.map(VSPACE, window, CapRights::READ | CapRights::WRITE, VmAttributes::EXECUTE_NEVER));
    let slot = machine.slot();
    let control = IrqControl::from(sluice_abi::bootinfo::slot::IRQ_CONTROL);
    done(control.get_trigger(intid, Trigger::Level, at(slot)));
    let (irq, notification) = (IrqHandler::from(slot), machine.make(ObjectType::Notification, 0));
    done(irq.set_notification(Notification::from(notification)));
    helper::start(machine, &Plan { entry: handler, argument: notification, priority: PRIORITY + 1, faults: 0 });
    let mask = Mask(core::ptr::with_exposed_provenance_mut((window.0 + Mask::OFFSET) as usize));
    let mut samples = Samples::new("interrupt", overhead);
    for _ in 0..ALL {
        WOKEN.set(0);
        let before = counter::now();
        mask.set(Mask::TRANSMIT);
        while WOKEN.get() == 0 {}
        samples.add(WOKEN.get() - before);
        mask.set(0);
        done(irq.ack());
    }
    samples.print();
}

/// Registers and interrupt of the machine's UART.
fn uart(machine: &Machine) -> (PhysAddr, u64) {
    let Ok(blob) = validate(machine.fdt()) else { panic!("the device tree does not read") };
    let platform = match Platform::from_blob(&blob) {
        Ok(platform) => platform,
        Err(error) => panic!("{error}"),
    };
    let Some(console) = platform.console else { panic!("no UART") };
    let Some(interrupt) = console.interrupt else { panic!("the UART has no interrupt") };
    (console.registers.base(), interrupt.intid.into())
}
