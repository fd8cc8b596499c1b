//! A machine with everything a guest can have, and a world that looks what is asked of it.

use std::collections::BTreeMap;

use fastrand::Rng;
use sluice_abi::smmu::{CdTable, Record};
use sluice_hostile::access::Access;
use sluice_hostile::place;
use sluice_vmm::exit::Exit;
use sluice_vmm::gic::{Injection, Progress};
use sluice_vmm::layout::{PCI_WINDOW, RAM_BASE};
use sluice_vmm::machine::{Machine, Next};
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::pci::{Effect, Function, PciHost};
use sluice_vmm::processor::Processor;
use sluice_vmm::smmu::{Features, Smmu, Stage1};
use sluice_vmm::world::{Contexts, Registers, World};

/// Slots of the guest's functions, and the bytes of their BAR 0.
pub(crate) const SLOTS: [u8; 2] = [1, 5];
const BAR_BYTES: [u64; 2] = [0x4000, 0x10_0000];
const RAM_BYTES: u64 = 0x10_0000;
const LIST_REGISTERS: usize = 4;

pub(crate) struct Board {
    machine: Machine,
    world: Looking,
}

struct X([u64; 31]);

impl Registers for X {
    fn get(&mut self, number: usize) -> u64 {
        self.0[number]
    }
}

/// Checks what it is asked for at once.
struct Looking {
    ram: Ram,
    streams: Streams,
    /// Where BARs are: slot and number.
    placed: BTreeMap<(u8, u8), u64>,
}

struct Ram(Vec<u8>);

struct Streams;

impl Ram {
    fn range(at: GuestPhysAddr, bytes: usize) -> Result<std::ops::Range<usize>, OutsideRam> {
        let from = at.0.checked_sub(RAM_BASE).ok_or(OutsideRam)?;
        let to = from.checked_add(bytes as u64).filter(|to| *to <= RAM_BYTES).ok_or(OutsideRam)?;
        Ok(from as usize..to as usize)
    }
}

impl GuestMemory for Ram {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        into.copy_from_slice(&self.0[Self::range(at, into.len())?]);
        Ok(())
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        self.0[Self::range(at, from.len())?].copy_from_slice(from);
        Ok(())
    }
}

impl Contexts for Streams {
    fn set_stage1(&mut self, stream: usize, stage1: Stage1) {
        assert!(stream < SLOTS.len(), "stream {stream} is not the guest's");
        if let Stage1::Table(table) = stage1 {
            assert!(is_taken(table), "the kernel would refuse {table:x?}");
        }
    }

    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]) {
        assert!(stream < SLOTS.len() && (1..=59).contains(&commands.len()), "{stream}, {}", commands.len());
    }

    fn publish(&mut self, offset: u64, _: u32) {
        assert!(offset & 0xffff < 0x100 && offset < 0x2_0000, "{offset:#x}");
    }
}

/// Whether the kernel takes it on any machine: a linear table in the guest's addresses, and no reserved value.
const fn is_taken(table: CdTable) -> bool {
    table.ipa < 1 << 44 && table.max == 0 && table.format == 0 && table.default_substream < 3 && table.shareability != 1
}

impl World for Looking {
    type Memory = Ram;
    type Contexts = Streams;

    fn outside(&mut self) -> (&mut Ram, &mut Streams) {
        (&mut self.ram, &mut self.streams)
    }

    fn print(&mut self, _: &[u8]) {}

    fn inject(&mut self, _: Processor, injection: Injection) -> bool {
        assert!(usize::from(injection.list_register) < LIST_REGISTERS && injection.intid < 128, "{injection:?}");
        true
    }

    fn rearm_timer(&mut self, _: Processor) {}

    fn rearm_function(&mut self, slot: u8) {
        assert!(SLOTS.contains(&slot), "slot {slot}");
    }

    fn share_interrupt(&self, slot: u8, other: u8) -> bool {
        slot == other
    }

    fn forward(&mut self, _: Processor, injection: Injection, slot: u8) -> bool {
        assert!(usize::from(injection.list_register) < LIST_REGISTERS && injection.intid < 128, "{injection:?}");
        assert!(SLOTS.contains(&slot), "slot {slot}");
        true
    }

    fn take_back(&mut self, _: Processor, list_register: u8) -> Progress {
        assert!(usize::from(list_register) < LIST_REGISTERS);
        // Whatever comes first: the guest may have done anything with it.
        if list_register.is_multiple_of(2) { Progress::Pending } else { Progress::Active }
    }

    fn apply(&mut self, effect: Effect) {
        let (Effect::BarPlaced { slot, .. }
        | Effect::Mastering { slot, .. }
        | Effect::Interrupt { slot, .. }
        | Effect::Reset { slot }) = effect;
        assert!(SLOTS.contains(&slot), "{effect:?} of another's function");
        if let Effect::BarPlaced { slot, bar, at } = effect {
            match at {
                Some(at) => drop(self.placed.insert((slot, bar), at.0)),
                None => drop(self.placed.remove(&(slot, bar))),
            }
        }
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        let functions = SLOTS.into_iter().zip(BAR_BYTES).map(|(slot, bytes)| {
            let mut config = [0; 64];
            config[..4].copy_from_slice(&[0x34, 0x12, 0xe8, 0x11]);
            config[0x3d] = 1;
            Function::new(slot, &config, &[(0, bytes)], true).expect("a function")
        });
        let pci = PciHost::new(functions.collect()).expect("a host");
        let smmu = Smmu::new(Features::LEAST, &SLOTS.map(|slot| u32::from(slot) << 3)).expect("an SMMU");
        let ram = Ram(vec![0; RAM_BYTES as usize]);
        let mut world = Looking { ram, streams: Streams, placed: BTreeMap::new() };
        let mut machine = Machine::new(1, LIST_REGISTERS, RAM_BYTES, pci, Some(smmu));
        machine.reset(&mut world);
        Self { machine, world }
    }

    /// Fills the guest's memory: what the SMMU reads there is anything.
    pub(crate) fn fill(&mut self, rng: &mut Rng) {
        rng.fill(&mut self.world.ram.0);
    }

    /// What the guest reads of a function.
    pub(crate) fn configuration(&mut self, slot: u8) -> Vec<Option<u64>> {
        let base = place::ECAM + (u64::from(slot) << 15);
        let mut registers = X([0; 31]);
        let mut load = |at| {
            // ESR_EL2 of `ldr w3`.
            let exit = Exit::decode(0x9383_0007);
            match self.machine.exit(&mut self.world, Processor::FIRST, exit, base + at, &mut registers) {
                Next::Step { load: Some((3, value)), .. } => Some(value),
                Next::Step { .. } | Next::Wait { .. } | Next::Take(_) => None,
                Next::Stop | Next::Start { .. } | Next::Off | Next::Reset => None,
            }
        };
        (0..0x100).step_by(4).map(&mut load).collect()
    }

    /// Makes an access; nothing when the guest takes an exception for it.
    pub(crate) fn access(&mut self, Access { address, bytes, write }: Access) -> Option<()> {
        // ESR_EL2 of `ldr x3` and the like: ISV, SAS, SF, a translation fault at level 3.
        let syndrome =
            0x9300_8007 | 3 << 16 | u32::from(bytes).trailing_zeros() << 22 | u32::from(write.is_some()) << 6;
        let mut registers = X([0; 31]);
        registers.0[3] = write.unwrap_or(0);
        let exit = Exit::decode(syndrome);
        crate::goes_on(self.machine.exit(&mut self.world, Processor::FIRST, exit, address, &mut registers))
    }

    /// What a guest's `hvc` can have its VMM believe: ends of interrupts, events of the timer, and what devices do.
    pub(crate) fn forge(&mut self, rng: &mut Rng) {
        match rng.u8(..4) {
            0 => self.machine.ended(&mut self.world, Processor::FIRST, Some(rng.u8(..))),
            1 => self.machine.timer(&mut self.world, Processor::FIRST),
            2 => self.machine.raise(&mut self.world, SLOTS[rng.usize(..2)]),
            _ => {
                let mut words: [u64; Record::WORDS] = core::array::from_fn(|_| rng.u64(..));
                words[0] = rng.u64(..0x30);
                words[1] &= 0xffff;
                if let Some(record) = Record::from_words(words) {
                    self.machine.fault(&mut self.world, rng.usize(..3), &record);
                }
            }
        }
    }

    /// BARs are in the window, whole, and none over another.
    pub(crate) fn assert_confined(&self) {
        let ranges: Vec<(u64, u64)> = self
            .world
            .placed
            .iter()
            .map(|((slot, _), at)| (*at, at + BAR_BYTES[usize::from(*slot != SLOTS[0])]))
            .collect();
        for (index, (from, to)) in ranges.iter().enumerate() {
            assert!(PCI_WINDOW.base <= *from && *to <= PCI_WINDOW.base + PCI_WINDOW.size, "{from:#x}");
            assert!(ranges[..index].iter().all(|other| other.1 <= *from || *to <= other.0), "{ranges:x?}");
        }
    }
}
