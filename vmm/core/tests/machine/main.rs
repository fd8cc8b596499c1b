//! The guest's machine as its processors meet it: exits go in, and what is to be done comes out.

mod exits;
mod forwarded;
mod interrupts;
mod random;
mod world;

use sluice_vmm::exit::Exit;
use sluice_vmm::layout::{DISTRIBUTOR, REDISTRIBUTOR_STRIDE, REDISTRIBUTORS};
use sluice_vmm::machine::{Machine, Next};
use sluice_vmm::pci::{Function, PciHost};
use sluice_vmm::processor::Processor;
use sluice_vmm::world::Registers;

pub(crate) use world::{Fake, LIST_REGISTERS};

/// Bytes of RAM.
pub(crate) const RAM: u64 = 0x1000_0000;

pub(crate) fn cpu(index: usize) -> Processor {
    Processor::new(index).expect("a processor")
}

/// General-purpose registers: x`n` by position; those behind are zero.
pub(crate) struct X<'a>(pub(crate) &'a [u64]);

impl Registers for X<'_> {
    fn get(&mut self, number: usize) -> u64 {
        assert!(number < 31, "there is no x{number}");
        self.0.get(number).copied().unwrap_or(0)
    }
}

/// A function with an interrupt on INTA# and nothing else; that in slot 4 has the first line.
fn function(slot: u8) -> Function {
    let mut config = [0; 64];
    config[..4].copy_from_slice(&[0x34, 0x12, 0xe8, 0x11]);
    config[0x3d] = 1;
    Function::new(slot, &config, &[], true).expect("a function")
}

/// A machine, what it acts on, and the first processor's way to use both.
pub(crate) struct Board {
    pub(crate) machine: Machine,
    pub(crate) world: Fake,
}

impl Board {
    pub(crate) fn new(processors: usize) -> Self {
        Self::with_slots(processors, &[1, 2, 3, 4])
    }

    pub(crate) fn with_slots(processors: usize, slots: &[u8]) -> Self {
        let functions = slots.iter().map(|slot| function(*slot)).collect();
        let pci = PciHost::new(functions).expect("a host");
        let mut world = Fake::new(processors);
        let mut machine = Machine::new(processors, LIST_REGISTERS, RAM, pci, None);
        machine.reset(&mut world);
        Self { machine, world }
    }

    /// With interrupts as Linux has them: group 1, all enabled.
    pub(crate) fn with_interrupts(processors: usize) -> Self {
        let mut board = Self::new(processors);
        board.store(DISTRIBUTOR.base, 2);
        for bank in 1..4 {
            board.store(DISTRIBUTOR.base + 0x80 + 4 * bank, u32::MAX);
            board.store(DISTRIBUTOR.base + 0x100 + 4 * bank, u32::MAX);
        }
        for processor in 0..processors as u64 {
            let frames = REDISTRIBUTORS.base + processor * REDISTRIBUTOR_STRIDE;
            board.store(frames + 0x14, 0);
            board.store(frames + 0x1_0080, u32::MAX);
            board.store(frames + 0x1_0100, u32::MAX);
        }
        board
    }

    pub(crate) fn exit(&mut self, processor: usize, syndrome: u32, address: u64, registers: &[u64]) -> Next {
        let exit = Exit::decode(syndrome);
        self.machine.exit(&mut self.world, cpu(processor), exit, address, &mut X(registers))
    }

    /// `str w3, [address]`.
    pub(crate) fn store(&mut self, address: u64, value: u32) {
        let next = self.exit(0, 0x9383_0047, address, &[0, 0, 0, value.into()]);
        assert_eq!(next, Next::Step { bytes: 4, load: None }, "{address:#x}");
    }

    /// `ldr w3, [address]`.
    pub(crate) fn load(&mut self, address: u64) -> u32 {
        let next = self.exit(0, 0x9383_0007, address, &[]);
        let Next::Step { bytes: 4, load: Some((3, value)) } = next else { panic!("{address:#x}: {next:?}") };
        u32::try_from(value).expect("a word")
    }

    /// `smc #0`, with the function in x0 and arguments behind it.
    pub(crate) fn call(&mut self, processor: usize, registers: &[u64]) -> Next {
        self.exit(processor, 0x5e00_0000, 0, registers)
    }

    /// The guest takes an interrupt and ends it, which the kernel tells the VMM; its INTID.
    pub(crate) fn take(&mut self, processor: usize) -> Option<u16> {
        let (list_register, intid) = self.world.end(processor)?;
        if list_register.is_some() {
            self.machine.ended(&mut self.world, cpu(processor), list_register);
        }
        Some(intid)
    }

    /// The interrupt of a function comes, if it can, while the thread of the processor it goes to can run, or cannot.
    pub(crate) fn comes(&mut self, slot: u8, blocked: bool) {
        if self.world.comes(slot, blocked) {
            self.machine.raise(&mut self.world, slot);
        }
    }
}
