//! The devices of the guest's machine: who answers at an address, and which line each drives.

use alloc::vec::Vec;

use sluice_abi::smmu::Record;

use crate::gic::{Gic, Progress};
use crate::layout::{self, MAX_PROCESSORS, Range, intid};
use crate::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use crate::mmio::{Place, Width};
use crate::pci::{Effect, PciHost};
use crate::pl011::Pl011;
use crate::processor::Processor;
use crate::smmu::{Backend, Delivery, Interrupt, Smmu, Stage1};
use crate::world::{Contexts, World};

/// Bytes of output handed to the console at once.
const OUTPUT: usize = 64;

/// The interrupt pin of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pin {
    slot: u8,
    line: u32,
    /// The guest has not disabled it.
    enabled: bool,
    /// The physical one fired, and was not let come again since.
    asserted: bool,
    /// Where the physical one goes by itself, and the list register there.
    forwarded: Option<(Processor, u8)>,
}

impl Pin {
    const fn new(slot: u8, line: u32) -> Self {
        Self { slot, line, enabled: false, asserted: false, forwarded: None }
    }
}

/// The devices.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) gic: Gic,
    uart: Pl011,
    pci: PciHost,
    smmu: Option<Smmu>,
    pins: Vec<Pin>,
    processors: usize,
    /// Processors that an interrupt came for by itself while they could not run.
    pub(crate) nudged: [bool; MAX_PROCESSORS],
}

/// What the SMMU reaches: memory, contexts, and the interrupt controller that its edges go to.
struct Wired<'a, M, C> {
    memory: &'a mut M,
    contexts: &'a mut C,
    gic: &'a mut Gic,
}

impl<M: GuestMemory, C> GuestMemory for Wired<'_, M, C> {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        self.memory.read(at, into)
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        self.memory.write(at, from)
    }

    fn read_u64(&self, at: GuestPhysAddr) -> Result<u64, OutsideRam> {
        self.memory.read_u64(at)
    }
}

impl<M: GuestMemory, C: Contexts> Backend for Wired<'_, M, C> {
    fn set_stage1(&mut self, stream: usize, stage1: Stage1) {
        self.contexts.set_stage1(stream, stage1);
    }

    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]) {
        self.contexts.invalidate(stream, commands);
    }

    fn publish(&mut self, offset: u64, value: u32) {
        self.contexts.publish(offset, value);
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.gic.pulse(interrupt.intid());
    }
}

impl Devices {
    pub(crate) fn new(processors: usize, list_registers: usize, pci: PciHost, smmu: Option<Smmu>) -> Self {
        let pin = |slot: u8| pci.line(slot).map(|line| Pin::new(slot, line));
        let pins = pci.functions().iter().filter_map(|function| pin(function.slot())).collect();
        Self {
            gic: Gic::new(processors, list_registers),
            uart: Pl011::new(),
            pci,
            smmu,
            pins,
            processors,
            nudged: [false; MAX_PROCESSORS],
        }
    }

    /// As after power-on. Physical interrupts that fired before come again.
    pub(crate) fn reset(&mut self, world: &mut impl World) {
        self.gic.reset();
        self.nudged = [false; MAX_PROCESSORS];
        self.uart.reset();
        for effect in self.pci.reset() {
            self.follow(world, effect);
        }
        if let Some(smmu) = &mut self.smmu {
            let (memory, contexts) = world.outside();
            smmu.reset(&mut Wired { memory, contexts, gic: &mut self.gic });
        }
        for pin in &mut self.pins {
            // What was forwarded may have come, to a virtual processor that is no more.
            let forwarded = pin.forwarded.take().is_some();
            if core::mem::take(&mut pin.asserted) || forwarded {
                world.rearm_function(pin.slot);
            }
        }
        self.settle(world);
    }

    /// Mastering off, streams abort, functions reset, in this order: a function that is reset while it still reaches memory
    /// may write there once more.
    pub(crate) fn stop(&mut self, world: &mut impl World) {
        for effect in self.pci.silence() {
            self.follow(world, effect);
        }
        if let Some(smmu) = &mut self.smmu {
            let (memory, contexts) = world.outside();
            smmu.stop(&mut Wired { memory, contexts, gic: &mut self.gic });
        }
        for function in self.pci.functions() {
            world.apply(Effect::Reset { slot: function.slot() });
        }
    }

    /// Reads an emulated register; `None` where there is nothing.
    pub(crate) fn read(&mut self, world: &mut impl World, address: u64, width: Width) -> Option<u64> {
        self.see_forwarded(world, address);
        let at = |range: Range| range.offset_of(address).map(|offset| Place { offset, width });
        if let Some(place) = at(layout::DISTRIBUTOR) {
            Some(self.gic.read_distributor(place))
        } else if let Some(place) = at(layout::REDISTRIBUTORS) {
            Some(self.gic.read_redistributors(place))
        } else if let Some(place) = at(layout::UART) {
            Some(self.uart.read(place))
        } else if let Some(place) = at(layout::ECAM) {
            Some(self.pci.read(place))
        } else if let (Some(place), Some(smmu)) = (at(layout::SMMU), &self.smmu) {
            Some(smmu.read(place))
        } else {
            // Where no BAR is, nobody answers.
            at(layout::PCI_WINDOW).map(|_| width.mask())
        }
    }

    /// Writes an emulated register; `None` where there is nothing.
    pub(crate) fn write(&mut self, world: &mut impl World, address: u64, width: Width, value: u64) -> Option<()> {
        self.see_forwarded(world, address);
        let at = |range: Range| range.offset_of(address).map(|offset| Place { offset, width });
        if let Some(place) = at(layout::DISTRIBUTOR) {
            self.gic.write_distributor(place, value);
        } else if let Some(place) = at(layout::REDISTRIBUTORS) {
            self.gic.write_redistributors(place, value);
        } else if let Some(place) = at(layout::UART) {
            self.uart.write(place, value);
        } else if let Some(place) = at(layout::ECAM) {
            for effect in self.pci.write(place, value) {
                self.follow(world, effect);
            }
        } else if let (Some(place), Some(smmu)) = (at(layout::SMMU), &mut self.smmu) {
            let (memory, contexts) = world.outside();
            smmu.write(place, value, &mut Wired { memory, contexts, gic: &mut self.gic });
        } else {
            at(layout::PCI_WINDOW)?;
        }
        Some(())
    }

    /// Does what a write to configuration space comes to.
    fn follow(&mut self, world: &mut impl World, effect: Effect) {
        if let Effect::Interrupt { slot, on } = effect {
            self.take_back(world, |pin| pin.slot == slot);
            for pin in self.pins.iter_mut().filter(|pin| pin.slot == slot) {
                pin.enabled = on;
            }
        }
        world.apply(effect);
    }

    /// The guest has ended an interrupt.
    pub(crate) fn ended(&mut self, world: &mut impl World, processor: Processor, list_register: Option<u8>) {
        match self.gic.ended(processor, list_register) {
            Some(intid::VIRTUAL_TIMER) => {
                self.gic.set_private_level(processor, intid::VIRTUAL_TIMER, false);
                world.rearm_timer(processor);
            }
            Some(line) => {
                for pin in self.pins.iter_mut().filter(|pin| pin.line == line && pin.enabled && pin.asserted) {
                    pin.asserted = false;
                    world.rearm_function(pin.slot);
                }
            }
            None => {}
        }
        self.settle(world);
    }

    /// The physical interrupt of the function at `slot` fired, and stays masked.
    pub(crate) fn raise(&mut self, world: &mut impl World, slot: u8) {
        for pin in self.pins.iter_mut().filter(|pin| pin.slot == slot) {
            match pin.forwarded {
                // It is in its list register, of a processor that cannot run, or could not.
                Some((processor, _)) => self.nudged[processor.index()] = true,
                None => pin.asserted = true,
            }
        }
        self.settle(world);
    }

    /// A fault record of the stream at `index` of the SMMU.
    pub(crate) fn fault(&mut self, world: &mut impl World, index: usize, record: &Record) -> Delivery {
        let Some(smmu) = &mut self.smmu else { return Delivery::Owner };
        let (memory, contexts) = world.outside();
        let delivery = smmu.deliver(index, record, &mut Wired { memory, contexts, gic: &mut self.gic });
        self.settle(world);
        delivery
    }

    /// Takes bytes for the UART from the front of `typed`, as many as there is room for.
    pub(crate) fn typed(&mut self, world: &mut impl World, typed: &mut Vec<u8>) {
        let taken = typed.iter().take_while(|byte| self.uart.receive(**byte)).count();
        typed.drain(..taken);
        self.settle(world);
    }

    /// Lines follow their devices, and list registers the lines.
    pub(crate) fn settle(&mut self, world: &mut impl World) {
        let mut output = [0; OUTPUT];
        loop {
            match self.uart.take_output(&mut output) {
                0 => break,
                taken => world.print(&output[..taken]),
            }
        }
        self.gic.set_level(intid::UART, self.uart.interrupt());
        for line in intid::PCI {
            let high = self.pins.iter().any(|pin| pin.line == line && pin.enabled && pin.asserted);
            self.gic.set_level(line, high);
        }
        for processor in Processor::first(self.processors) {
            while let Some(injection) = self.gic.next_injection(processor) {
                if !world.inject(processor, injection) {
                    self.gic.refused(processor, injection.list_register);
                }
            }
        }
        self.forward(world);
    }

    /// Has interrupts of functions go to the guest by themselves from now on, where they can: those of functions that share a
    /// line only when they share the physical one too, and the guest wants all of them.
    fn forward(&mut self, world: &mut impl World) {
        for line in intid::PCI {
            let on_line = |pin: &&Pin| pin.line == line;
            let Some(first) = self.pins.iter().find(on_line).map(|pin| pin.slot) else { continue };
            let can_be = |pin: &Pin| {
                let shares = pin.slot == first || world.share_interrupt(pin.slot, first);
                pin.enabled && !pin.asserted && pin.forwarded.is_none() && shares
            };
            if !self.pins.iter().filter(on_line).all(can_be) {
                continue;
            }
            let Some((processor, injection)) = self.gic.keep(line) else { continue };
            if world.forward(processor, injection, first) {
                for pin in self.pins.iter_mut().filter(|pin| pin.line == line) {
                    pin.forwarded = Some((processor, injection.list_register));
                }
            } else {
                self.gic.taken_back(processor, injection.list_register, line, Progress::Idle);
            }
        }
    }

    /// Before the guest looks at its interrupts, or changes something about them, all of them are here.
    fn see_forwarded(&mut self, world: &mut impl World, address: u64) {
        if [layout::DISTRIBUTOR, layout::REDISTRIBUTORS].iter().any(|range| range.offset_of(address).is_some()) {
            self.take_back(world, |_| true);
        }
    }

    /// Has interrupts of some functions, and of those that share theirs, come this way again.
    pub(crate) fn take_back(&mut self, world: &mut impl World, which: impl Fn(&Pin) -> bool) {
        for line in intid::PCI {
            let on_line = |pin: &&Pin| pin.line == line;
            let forwarded = self.pins.iter().filter(on_line).find(|pin| which(pin)).and_then(|pin| pin.forwarded);
            let Some((processor, list_register)) = forwarded else { continue };
            let progress = world.take_back(processor, list_register);
            self.gic.taken_back(processor, list_register, line, progress);
            let asserted = progress != Progress::Idle;
            for pin in self.pins.iter_mut().filter(|pin| pin.line == line) {
                (pin.forwarded, pin.asserted) = (None, asserted);
            }
            self.gic.set_level(line, asserted);
        }
    }
}
