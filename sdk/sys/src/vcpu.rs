//! Virtual processors.

use sluice_abi::Label;
use sluice_abi::vcpu::VcpuRegister;

use crate::{Failure, IrqHandler, Message, Tcb, capability, invoke};

capability! {
    /// The capability to a virtual processor.
    Vcpu
}

/// An interrupt for a guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VirtualInterrupt {
    /// Its INTID, below 1024.
    pub intid: u16,
    /// Its priority, below 32.
    pub priority: u8,
    /// Its group, 0 or 1.
    pub group: u8,
}

/// How far a guest is with an interrupt that was forwarded to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// None came that it has not ended.
    Idle,
    /// It has not taken it.
    Pending,
    /// It handles it.
    Active,
}

impl Vcpu {
    /// Makes a thread run at EL1 with this processor. Both leave whom they had before.
    ///
    /// # Errors
    /// When one of the capabilities is something else.
    pub fn set_tcb(self, thread: Tcb) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::VcpuSetTcb, []).with_cap(thread.cptr())).map(drop)
    }

    /// Puts an interrupt into list register `index`.
    ///
    /// # Errors
    /// `Range` when a number is too large, `DeleteFirst` while the guest handles what is there.
    pub fn inject_irq(self, index: u8, interrupt: VirtualInterrupt) -> Result<(), Failure> {
        invoke(self.0, &described(Label::VcpuInjectIrq, index, interrupt)).map(drop)
    }

    /// Has an interrupt go to the guest by itself whenever it comes: as `interrupt`, in list register `index`, which is kept
    /// for it. Its notification is signalled only while the guest's thread cannot run.
    ///
    /// # Errors
    /// `Range` when a number is too large, `DeleteFirst` when the list register is in use or the interrupt goes to a guest.
    pub fn forward_irq(self, index: u8, interrupt: VirtualInterrupt, handler: IrqHandler) -> Result<(), Failure> {
        let message = described(Label::VcpuForwardIrq, index, interrupt).with_cap(handler.cptr());
        invoke(self.0, &message).map(drop)
    }

    /// Ends [`Vcpu::forward_irq`]. An interrupt that is pending or active waits to be acknowledged by its handler; an active
    /// one stays in the list register until the guest ends it, and its end asks for maintenance.
    ///
    /// # Errors
    /// When the list register is kept for no interrupt.
    pub fn take_back_irq(self, index: u8) -> Result<Progress, Failure> {
        Ok(match invoke(self.0, &Message::invocation(Label::VcpuTakeBackIrq, [u64::from(index)]))?.word(0) {
            0 => Progress::Idle,
            1 => Progress::Pending,
            _ => Progress::Active,
        })
    }

    /// A register of EL1.
    ///
    /// # Errors
    /// When the capability is no virtual processor.
    pub fn read_register(self, register: VcpuRegister) -> Result<u64, Failure> {
        Ok(invoke(self.0, &Message::invocation(Label::VcpuReadReg, [register as u64]))?.word(0))
    }

    /// Sets a register of EL1.
    ///
    /// # Errors
    /// As for [`Vcpu::read_register`].
    pub fn write_register(self, register: VcpuRegister, value: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::VcpuWriteReg, [register as u64, value])).map(drop)
    }

    /// Lets the private interrupt of an event (27, the virtual timer) come again.
    ///
    /// # Errors
    /// When no events are made of the interrupt.
    pub fn ack_vppi(self, intid: u64) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::VcpuAckVppi, [intid])).map(drop)
    }
}

fn described(label: Label, index: u8, interrupt: VirtualInterrupt) -> Message<1> {
    let VirtualInterrupt { intid, priority, group } = interrupt;
    let word = u64::from(intid) | u64::from(priority) << 16 | u64::from(group) << 24 | u64::from(index) << 32;
    Message::invocation(label, [word])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_one_word() {
        let message = described(Label::VcpuInjectIrq, 3, VirtualInterrupt { intid: 0x3ff, priority: 0x1f, group: 1 });
        assert_eq!((message.label(), message.words()), (50, [0x3_011f_03ff].as_slice()));
    }
}
