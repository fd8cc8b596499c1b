//! The guest's machine: which device an exit is for, and what is to come of it.

use alloc::vec::Vec;

use crate::exit::{Abort, Access, Direction, Exception, Exit, SystemAccess, Trapped, Wait};
use crate::gic::{Gic, Injection};
use crate::layout::{self, Range, intid};
use crate::memory::GuestMemory;
use crate::mmio::{Place, Width};
use crate::pl011::Pl011;
use crate::processor::Processor;
use crate::psci::Psci;
use crate::smccc::{self, Outcome, SUCCESS};

/// Bytes of output handed to the console at once.
const OUTPUT: usize = 64;

/// The real world, as far as the machine acts on it: capabilities in the VMM, a fake in tests.
pub trait World: GuestMemory {
    /// Prints bytes of the guest's UART.
    fn print(&mut self, bytes: &[u8]);
    /// Puts an interrupt into a list register; whether that was free.
    fn inject(&mut self, processor: Processor, injection: Injection) -> bool;
    /// Lets the virtual timer of a processor fire again.
    fn rearm_timer(&mut self, processor: Processor);
    /// Lets the physical lines behind one of the guest's PCI interrupts fire again.
    fn rearm_line(&mut self, intid: u32);
}

/// General-purpose registers of the processor that came back. They are read when they are needed, each once.
pub trait Registers {
    /// x`number`, 0 to 30.
    fn get(&mut self, number: usize) -> u64;
}

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
    gic: Gic,
    uart: Pl011,
    /// Which processors are on.
    pub psci: Psci,
    processors: usize,
}

impl Machine {
    /// A machine with that many processors, list registers for each, and bytes of RAM.
    #[must_use]
    pub const fn new(processors: usize, list_registers: usize, ram: u64) -> Self {
        let ram = Range { base: layout::RAM_BASE, size: ram };
        Self {
            gic: Gic::new(processors, list_registers),
            uart: Pl011::new(),
            psci: Psci::new(processors, ram),
            processors,
        }
    }

    /// As after power-on. List registers are taken to be empty.
    pub fn reset(&mut self) {
        self.gic.reset();
        self.uart.reset();
        self.psci.reset();
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
            Exit::Smc(_) => self.call(processor, bytes, registers),
            // The guest has no hypervisor to call.
            Exit::Hvc(_) => Next::Step { bytes, load: Some((0, smccc::NOT_SUPPORTED)) },
            Exit::System(access) => self.system(processor, access, bytes, registers),
            Exit::Data(Abort::Emulate(access)) => self.access(world, processor, access, address, bytes, registers),
            Exit::Data(Abort::CacheMaintenance) => Next::Step { bytes, load: None },
            Exit::Data(Abort::Undescribed(direction)) => {
                Next::Take(Exception::DataAbort { write: direction == Direction::Write })
            }
            Exit::Data(Abort::TableWalk | Abort::Other) => Next::Take(Exception::DataAbort { write: false }),
            Exit::Fetch => Next::Take(Exception::FetchAbort),
            Exit::Other(_) => Next::Take(Exception::Undefined),
        };
        self.settle(world);
        next
    }

    /// Handles a call to firmware.
    fn call(&mut self, processor: Processor, bytes: u64, registers: &mut impl Registers) -> Next {
        let arguments = [1, 2, 3].map(|number| registers.get(number));
        match smccc::call(&mut self.psci, processor, registers.get(0), arguments) {
            Outcome::Return(value) => Next::Step { bytes, load: Some((0, value)) },
            Outcome::Start { processor, entry, context } => {
                self.gic.switched_on(processor);
                Next::Start { processor, entry, context }
            }
            Outcome::Stop => {
                self.gic.switched_off(processor);
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
                self.gic.write_sgi(processor, register, value());
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
        processor: Processor,
        access: Access,
        address: u64,
        bytes: u64,
        registers: &mut impl Registers,
    ) -> Next {
        let number = access.register.number();
        match access.direction {
            Direction::Read => match self.read(world, processor, address, access.width) {
                Some(value) => Next::Step { bytes, load: number.map(|number| (number, access.loaded(value))) },
                None => Next::Take(Exception::DataAbort { write: false }),
            },
            Direction::Write => {
                let value = access.stored(number.map_or(0, |number| registers.get(number)));
                match self.write(world, processor, address, access.width, value) {
                    Some(()) => Next::Step { bytes, load: None },
                    None => Next::Take(Exception::DataAbort { write: true }),
                }
            }
        }
    }

    /// Reads an emulated register; `None` where there is nothing.
    pub fn read(&mut self, _world: &mut impl World, _processor: Processor, address: u64, width: Width) -> Option<u64> {
        let at = |range: Range| range.offset_of(address).map(|offset| Place { offset, width });
        if let Some(place) = at(layout::DISTRIBUTOR) {
            Some(self.gic.read_distributor(place))
        } else if let Some(place) = at(layout::REDISTRIBUTORS) {
            Some(self.gic.read_redistributors(place))
        } else if let Some(place) = at(layout::UART) {
            Some(self.uart.read(place))
        } else {
            // Where no BAR is, nobody answers.
            at(layout::PCI_WINDOW).map(|_| width.mask())
        }
    }

    /// Writes an emulated register; `None` where there is nothing.
    pub fn write(
        &mut self,
        _world: &mut impl World,
        _processor: Processor,
        address: u64,
        width: Width,
        value: u64,
    ) -> Option<()> {
        let at = |range: Range| range.offset_of(address).map(|offset| Place { offset, width });
        if let Some(place) = at(layout::DISTRIBUTOR) {
            self.gic.write_distributor(place, value);
        } else if let Some(place) = at(layout::REDISTRIBUTORS) {
            self.gic.write_redistributors(place, value);
        } else if let Some(place) = at(layout::UART) {
            self.uart.write(place, value);
        } else {
            at(layout::PCI_WINDOW)?;
        }
        Some(())
    }

    /// The guest has ended an interrupt (the maintenance interrupt's list register, if it named one).
    pub fn ended(&mut self, world: &mut impl World, processor: Processor, list_register: Option<u8>) {
        match self.gic.ended(processor, list_register) {
            Some(intid::VIRTUAL_TIMER) => {
                self.gic.set_private_level(processor, intid::VIRTUAL_TIMER, false);
                world.rearm_timer(processor);
            }
            Some(line) if intid::PCI.contains(&line) => {
                self.gic.set_level(line, false);
                world.rearm_line(line);
            }
            Some(_) | None => {}
        }
        self.settle(world);
    }

    /// The virtual timer of a processor has fired.
    pub fn timer(&mut self, world: &mut impl World, processor: Processor) {
        self.gic.set_private_level(processor, intid::VIRTUAL_TIMER, true);
        self.settle(world);
    }

    /// A line of the guest's PCI bus is high, until the guest has ended the interrupt.
    pub fn raise(&mut self, world: &mut impl World, line: u32) {
        self.gic.set_level(line, true);
        self.settle(world);
    }

    /// Takes bytes for the guest's UART from `typed`, as many as there is room for.
    pub fn typed(&mut self, world: &mut impl World, typed: &mut Vec<u8>) {
        let taken = typed.iter().take_while(|byte| self.uart.receive(**byte)).count();
        typed.drain(..taken);
        self.settle(world);
    }

    /// Whether something is signalled to a processor, so that it is not to wait.
    #[must_use]
    pub fn is_signalled(&self, processor: Processor) -> bool {
        self.gic.deliverable(processor)
    }

    /// Lines follow their devices, and list registers the lines.
    fn settle(&mut self, world: &mut impl World) {
        let mut output = [0; OUTPUT];
        loop {
            match self.uart.take_output(&mut output) {
                0 => break,
                taken => world.print(&output[..taken]),
            }
        }
        self.gic.set_level(intid::UART, self.uart.interrupt());
        for processor in Processor::first(self.processors) {
            while let Some(injection) = self.gic.next_injection(processor) {
                if !world.inject(processor, injection) {
                    self.gic.refused(processor, injection.list_register);
                }
            }
        }
    }
}
