//! What the machine acts on: list registers, and a log of the rest.

use sluice_vmm::gic::Injection;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::pci::Effect;
use sluice_vmm::processor::Processor;
use sluice_vmm::smmu::Stage1;
use sluice_vmm::world::{Contexts, World};

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
    /// Slots of functions whose interrupts may come again.
    pub(crate) functions: Vec<u8>,
    /// What configuration space came to.
    pub(crate) effects: Vec<Effect>,
    /// Refuse the next injections.
    pub(crate) refusals: usize,
    list: Vec<[ListRegister; LIST_REGISTERS]>,
    memory: NoMemory,
    streams: NoStreams,
}

impl Fake {
    pub(crate) fn new(processors: usize) -> Self {
        Self {
            printed: Vec::new(),
            timers: Vec::new(),
            functions: Vec::new(),
            effects: Vec::new(),
            refusals: 0,
            list: vec![[ListRegister::Invalid; LIST_REGISTERS]; processors],
            memory: NoMemory,
            streams: NoStreams,
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

/// A guest without memory.
pub(crate) struct NoMemory;

impl GuestMemory for NoMemory {
    fn read(&self, _: GuestPhysAddr, _: &mut [u8]) -> Result<(), OutsideRam> {
        Err(OutsideRam)
    }

    fn write(&mut self, _: GuestPhysAddr, _: &[u8]) -> Result<(), OutsideRam> {
        Err(OutsideRam)
    }
}

/// A guest without streams.
pub(crate) struct NoStreams;

impl Contexts for NoStreams {
    fn set_stage1(&mut self, stream: usize, _: Stage1) {
        panic!("there is no stream {stream}");
    }

    fn invalidate(&mut self, stream: usize, _: &[[u64; 2]]) {
        panic!("there is no stream {stream}");
    }

    fn publish(&mut self, offset: u64, _: u32) {
        panic!("there is no register at {offset:#x}");
    }
}

impl World for Fake {
    type Memory = NoMemory;
    type Contexts = NoStreams;

    fn outside(&mut self) -> (&mut NoMemory, &mut NoStreams) {
        (&mut self.memory, &mut self.streams)
    }

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

    fn rearm_function(&mut self, slot: u8) {
        self.functions.push(slot);
    }

    fn apply(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
