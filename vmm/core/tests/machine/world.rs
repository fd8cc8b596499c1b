//! What the machine acts on: list registers, and a log of the rest.

use std::collections::BTreeSet;

use sluice_vmm::gic::{Injection, Progress};
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
    /// Something that nobody injected.
    Active,
    /// The guest handles it.
    Taken(Injection),
    /// Kept for what comes from the function at this slot, and whether it has.
    Kept(Injection, u8, Stage),
}

/// How far the guest is with an interrupt that came by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    None,
    Pending,
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
    /// Whether the kernel forwards interrupts, as it may refuse.
    pub(crate) forwards: bool,
    /// Slots of functions that have the physical interrupt of another, whose slot follows.
    pub(crate) shared: Vec<(u8, u8)>,
    /// Slots of functions whose physical interrupt came and is active since.
    pub(crate) active: BTreeSet<u8>,
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
            forwards: false,
            shared: Vec::new(),
            active: BTreeSet::new(),
            list: vec![[ListRegister::Invalid; LIST_REGISTERS]; processors],
            memory: NoMemory,
            streams: NoStreams,
        }
    }

    /// INTIDs that are pending in a processor's list registers.
    pub(crate) fn pending(&self, processor: usize) -> Vec<u16> {
        let intid = |register: &ListRegister| match register {
            ListRegister::Pending(injection) | ListRegister::Kept(injection, _, Stage::Pending) => {
                Some(injection.intid)
            }
            ListRegister::Invalid | ListRegister::Active | ListRegister::Taken(_) | ListRegister::Kept(..) => None,
        };
        self.list[processor].iter().filter_map(intid).collect()
    }

    /// A processor is switched off, and what was in its list registers is gone.
    pub(crate) fn empty(&mut self, processor: usize) {
        self.list[processor] = [ListRegister::Invalid; LIST_REGISTERS];
    }

    /// The guest takes and ends what is most urgent; `None` in place of the list register when nobody is told of that.
    pub(crate) fn end(&mut self, processor: usize) -> Option<(Option<u8>, u16)> {
        self.begin(processor)?;
        self.finish(processor)
    }

    /// The guest takes what is most urgent.
    pub(crate) fn begin(&mut self, processor: usize) -> Option<()> {
        let pending = |register: &mut ListRegister| match *register {
            ListRegister::Pending(injection) | ListRegister::Kept(injection, _, Stage::Pending) => Some(injection),
            ListRegister::Invalid | ListRegister::Active | ListRegister::Taken(_) | ListRegister::Kept(..) => None,
        };
        let (injection, register) = self.list[processor]
            .iter_mut()
            .filter_map(|register| Some((pending(register)?, register)))
            .min_by_key(|(injection, _)| (injection.priority, injection.intid))?;
        *register = match *register {
            ListRegister::Kept(_, slot, _) => ListRegister::Kept(injection, slot, Stage::Active),
            ListRegister::Invalid | ListRegister::Active | ListRegister::Taken(_) | ListRegister::Pending(_) => {
                ListRegister::Taken(injection)
            }
        };
        Some(())
    }

    /// The guest ends something that it has taken.
    pub(crate) fn finish(&mut self, processor: usize) -> Option<(Option<u8>, u16)> {
        self.list[processor].iter_mut().find_map(|register| match *register {
            ListRegister::Taken(injection) => {
                *register = ListRegister::Invalid;
                Some((Some(injection.list_register), injection.intid))
            }
            ListRegister::Kept(injection, slot, Stage::Active) => {
                *register = ListRegister::Kept(injection, slot, Stage::None);
                assert!(self.active.remove(&slot), "what the guest ended did not come");
                Some((None, injection.intid))
            }
            ListRegister::Invalid | ListRegister::Active | ListRegister::Pending(_) | ListRegister::Kept(..) => None,
        })
    }

    /// The physical interrupt of a function comes, if it can; whether somebody is to be told.
    pub(crate) fn comes(&mut self, slot: u8, blocked: bool) -> bool {
        if !self.active.insert(slot) {
            return false;
        }
        for register in self.list.iter_mut().flatten() {
            if let ListRegister::Kept(_, kept_for, stage) = register
                && *kept_for == slot
            {
                assert_eq!(*stage, Stage::None, "it came twice");
                *stage = Stage::Pending;
                return blocked;
            }
        }
        true
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
        self.active.remove(&slot);
        self.functions.push(slot);
    }

    fn share_interrupt(&self, slot: u8, other: u8) -> bool {
        let of = |slot| self.shared.iter().find(|(one, _)| *one == slot).map_or(slot, |(_, with)| *with);
        of(slot) == of(other)
    }

    fn forward(&mut self, processor: Processor, injection: Injection, slot: u8) -> bool {
        assert!(injection.intid < 128 && injection.priority < 32 && injection.group < 2, "{injection:?}");
        let register = &mut self.list[processor.index()][usize::from(injection.list_register)];
        if !self.forwards || *register == ListRegister::Active {
            return false;
        }
        assert_eq!(*register, ListRegister::Invalid, "an interrupt is overwritten");
        *register = ListRegister::Kept(injection, slot, Stage::None);
        true
    }

    fn take_back(&mut self, processor: Processor, list_register: u8) -> Progress {
        let register = &mut self.list[processor.index()][usize::from(list_register)];
        let ListRegister::Kept(injection, _, stage) = *register else { panic!("{register:?} is taken back") };
        let (now, progress) = match stage {
            Stage::None => (ListRegister::Invalid, Progress::Idle),
            Stage::Pending => (ListRegister::Invalid, Progress::Pending),
            Stage::Active => (ListRegister::Taken(injection), Progress::Active),
        };
        *register = now;
        progress
    }

    fn apply(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
