//! What the machine acts on: list registers, and a log of the rest.

use sluice_vmm::gic::Injection;
use sluice_vmm::machine::World;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::processor::Processor;

pub(crate) const LIST_REGISTERS: usize = 4;

/// A list register as hardware has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ListRegister {
    Invalid,
    Pending(Injection),
    Active,
}

/// The world that tests look at.
pub(crate) struct Fake {
    /// What the guest's UART has sent.
    pub(crate) printed: Vec<u8>,
    /// Processors whose timer may fire again, in their order.
    pub(crate) timers: Vec<usize>,
    /// Lines that may fire again.
    pub(crate) lines: Vec<u32>,
    /// Refuse the next injections.
    pub(crate) refusals: usize,
    list: Vec<[ListRegister; LIST_REGISTERS]>,
}

impl Fake {
    pub(crate) fn new(processors: usize) -> Self {
        Self {
            printed: Vec::new(),
            timers: Vec::new(),
            lines: Vec::new(),
            refusals: 0,
            list: vec![[ListRegister::Invalid; LIST_REGISTERS]; processors],
        }
    }

    /// INTIDs that are pending in a processor's list registers.
    pub(crate) fn pending(&self, processor: usize) -> Vec<u16> {
        let intid = |register: &ListRegister| match register {
            ListRegister::Pending(injection) => Some(injection.intid),
            ListRegister::Invalid | ListRegister::Active => None,
        };
        self.list[processor].iter().filter_map(intid).collect()
    }

    /// A processor is switched off, and what was in its list registers is gone.
    pub(crate) fn empty(&mut self, processor: usize) {
        self.list[processor] = [ListRegister::Invalid; LIST_REGISTERS];
    }

    /// The guest takes and ends what is most urgent.
    pub(crate) fn end(&mut self, processor: usize) -> Option<(u8, u16)> {
        let (injection, register) = self.list[processor]
            .iter_mut()
            .filter_map(|register| match *register {
                ListRegister::Pending(injection) => Some((injection, register)),
                ListRegister::Invalid | ListRegister::Active => None,
            })
            .min_by_key(|(injection, _)| (injection.priority, injection.intid))?;
        *register = ListRegister::Invalid;
        Some((injection.list_register, injection.intid))
    }
}

impl GuestMemory for Fake {
    fn read(&self, _: GuestPhysAddr, _: &mut [u8]) -> Result<(), OutsideRam> {
        Err(OutsideRam)
    }

    fn write(&mut self, _: GuestPhysAddr, _: &[u8]) -> Result<(), OutsideRam> {
        Err(OutsideRam)
    }
}

impl World for Fake {
    fn print(&mut self, bytes: &[u8]) {
        self.printed.extend(bytes);
    }

    fn inject(&mut self, processor: Processor, injection: Injection) -> bool {
        assert!(injection.intid < 128 && injection.priority < 32 && injection.group < 2, "{injection:?}");
        let register = &mut self.list[processor.index()][usize::from(injection.list_register)];
        if self.refusals > 0 {
            self.refusals -= 1;
            *register = ListRegister::Active;
            return false;
        }
        assert_eq!(*register, ListRegister::Invalid, "an interrupt is overwritten");
        *register = ListRegister::Pending(injection);
        true
    }

    fn rearm_timer(&mut self, processor: Processor) {
        self.timers.push(processor.index());
    }

    fn rearm_line(&mut self, intid: u32) {
        self.lines.push(intid);
    }
}
