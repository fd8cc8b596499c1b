//! The guest's machine: which device an exit is for, and what is to come of it.

use alloc::vec::Vec;

use sluice_abi::smmu::Record;

use crate::devices::Devices;
use crate::exit::{Abort, Access, Direction, Exception, Exit, SystemAccess, Trapped, Wait};
use crate::layout::{self, Range, intid};
use crate::pci::PciHost;
use crate::processor::Processor;
use crate::psci::Psci;
use crate::smccc::{self, Outcome, SUCCESS};
use crate::smmu::{Delivery, Smmu};
use crate::world::{Registers, World};

/// How the processor goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// So many bytes on, and with a register loaded.
    Step {
        /// Bytes that PC moves.
        bytes: u64,
        /// Number and value.
        load: Option<(usize, u64)>,
    },
    /// As [`Next::Step`], once an interrupt is there for it.
    Wait {
        /// Bytes that PC moves.
        bytes: u64,
        /// Number and value.
        load: Option<(usize, u64)>,
    },
    /// It takes an exception.
    Take(Exception),
    /// It is switched off.
    Stop,
    /// Another is started, and this one steps over its call with [`SUCCESS`] in x0.
    Start {
        /// Which.
        processor: Processor,
        /// Its PC.
        entry: u64,
        /// Its x0.
        context: u64,
    },
    /// The machine is switched off.
    Off,
    /// The machine starts again.
    Reset,
}

/// What the guest's processors find outside of themselves.
#[derive(Debug)]
pub struct Machine {
    devices: Devices,
    /// Which processors are on.
    pub psci: Psci,
}

impl Machine {
    /// A machine with that many processors, list registers for each, bytes of RAM, and these devices behind PCI and SMMU.
    /// [`Machine::reset`] comes before the guest runs.
    #[must_use]
    pub fn new(processors: usize, list_registers: usize, ram: u64, pci: PciHost, smmu: Option<Smmu>) -> Self {
        let ram = Range { base: layout::RAM_BASE, size: ram };
        Self { devices: Devices::new(processors, list_registers, pci, smmu), psci: Psci::new(processors, ram) }
    }

    /// Ends what the devices do, so that the guest's memory can be cleared: nothing masters it any more, streams abort, and
    /// then every function is reset. No processor runs by then; [`Machine::reset`] comes before one does again.
    pub fn stop(&mut self, world: &mut impl World) {
        self.devices.stop(world);
    }

    /// As after power-on. List registers are taken to be empty.
    pub fn reset(&mut self, world: &mut impl World) {
        self.psci.reset();
        self.devices.reset(world);
    }

    /// Handles an exit. `address` is that of a data abort.
    pub fn exit(
        &mut self,
        world: &mut impl World,
        processor: Processor,
        exit: Exit,
        address: u64,
        registers: &mut impl Registers,
    ) -> Next {
        let bytes = exit.step();
        let next = match exit {
            // An event may be there at any time, and a time may be over.
            Exit::Wait(Wait::ForEvent | Wait::WithTimeout(_)) => Next::Step { bytes, load: None },
            Exit::Wait(Wait::ForInterrupt) => Next::Wait { bytes, load: None },
            Exit::Smc(_) => self.call(world, processor, bytes, registers),
            // The guest has no hypervisor to call.
            Exit::Hvc(_) => Next::Step { bytes, load: Some((0, smccc::NOT_SUPPORTED)) },
            Exit::System(access) => self.system(processor, access, bytes, registers),
            Exit::Data(Abort::Emulate(access)) => self.access(world, access, address, bytes, registers),
            Exit::Data(Abort::CacheMaintenance) => Next::Step { bytes, load: None },
            Exit::Data(Abort::Undescribed(direction)) => {
                Next::Take(Exception::DataAbort { write: direction == Direction::Write })
            }
            Exit::Data(Abort::TableWalk | Abort::Other) => Next::Take(Exception::DataAbort { write: false }),
            Exit::Fetch => Next::Take(Exception::FetchAbort),
            Exit::Other(_) => Next::Take(Exception::Undefined),
        };
        self.devices.settle(world);
        next
    }

    /// Handles a call to firmware.
    fn call(
        &mut self,
        world: &mut impl World,
        processor: Processor,
        bytes: u64,
        registers: &mut impl Registers,
    ) -> Next {
        let arguments = [1, 2, 3].map(|number| registers.get(number));
        match smccc::call(&mut self.psci, processor, registers.get(0), arguments) {
            Outcome::Return(value) => Next::Step { bytes, load: Some((0, value)) },
            Outcome::Start { processor, entry, context } => {
                self.devices.gic.switched_on(processor);
                Next::Start { processor, entry, context }
            }
            Outcome::Stop => {
                self.devices.take_back(world, |_| true);
                self.devices.gic.switched_off(processor);
                Next::Stop
            }
            Outcome::Suspend => Next::Wait { bytes, load: Some((0, SUCCESS)) },
            Outcome::Off => Next::Off,
            Outcome::Reset => Next::Reset,
        }
    }

    fn system(
        &mut self,
        processor: Processor,
        access: SystemAccess,
        bytes: u64,
        registers: &mut impl Registers,
    ) -> Next {
        let mut value = || access.register.number().map_or(0, |number| registers.get(number));
        let load = match access.decide() {
            Trapped::Sgi(register) => {
                self.devices.gic.write_sgi(processor, register, value());
                None
            }
            Trapped::ReadsZero => access.register.number().map(|number| (number, 0)),
            Trapped::Ignored => None,
            Trapped::Undefined => return Next::Take(Exception::Undefined),
        };
        Next::Step { bytes, load }
    }

    fn access(
        &mut self,
        world: &mut impl World,
        access: Access,
        address: u64,
        bytes: u64,
        registers: &mut impl Registers,
    ) -> Next {
        let number = access.register.number();
        match access.direction {
            Direction::Read => match self.devices.read(world, address, access.width) {
                Some(value) => Next::Step { bytes, load: number.map(|number| (number, access.loaded(value))) },
                None => Next::Take(Exception::DataAbort { write: false }),
            },
            Direction::Write => {
                let value = access.stored(number.map_or(0, |number| registers.get(number)));
                match self.devices.write(world, address, access.width, value) {
                    Some(()) => Next::Step { bytes, load: None },
                    None => Next::Take(Exception::DataAbort { write: true }),
                }
            }
        }
    }

    /// The guest has ended an interrupt (the maintenance interrupt's list register, if it named one).
    pub fn ended(&mut self, world: &mut impl World, processor: Processor, list_register: Option<u8>) {
        self.devices.ended(world, processor, list_register);
    }

    /// The virtual timer of a processor has fired.
    pub fn timer(&mut self, world: &mut impl World, processor: Processor) {
        self.devices.gic.set_private_level(processor, intid::VIRTUAL_TIMER, true);
        self.devices.settle(world);
    }

    /// The physical interrupt of the function at `slot` was signalled: it fired, and stays masked until the guest has ended its
    /// own, or it is forwarded to a processor that could not run.
    pub fn raise(&mut self, world: &mut impl World, slot: u8) {
        self.devices.raise(world, slot);
    }

    /// A fault record of the stream at `index` of those behind the virtual SMMU.
    pub fn fault(&mut self, world: &mut impl World, index: usize, record: &Record) -> Delivery {
        self.devices.fault(world, index, record)
    }

    /// Takes bytes for the guest's UART from the front of `typed`, as many as there is room for.
    pub fn typed(&mut self, world: &mut impl World, typed: &mut Vec<u8>) {
        self.devices.typed(world, typed);
    }

    /// Whether something is signalled to a processor, so that it is not to wait.
    #[must_use]
    pub fn is_signalled(&self, processor: Processor) -> bool {
        self.devices.nudged[processor.index()] || self.devices.gic.deliverable(processor)
    }

    /// A processor does not wait, or no more: interrupts that came by themselves meanwhile are known to it.
    pub fn goes_on(&mut self, processor: Processor) {
        self.devices.nudged[processor.index()] = false;
    }
}
