//! The guest's memory, and a machine below that holds the VMM to what the kernel takes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use fastrand::Rng;
use sluice_abi::smmu::{CdTable, MAX_STAGE1_COMMANDS};
use sluice_smmu::{Stage1Command, StallModel, check_cd_table};
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::smmu::{Backend, Features, Interrupt, Stage1};

use crate::guest::RAM_BYTES;

/// The guest's memory.
#[derive(Clone)]
pub(crate) struct Ram {
    bytes: Vec<u8>,
    /// Reads so far.
    pub(crate) reads: Cell<usize>,
    /// Addresses written to by the SMMU.
    pub(crate) written: Vec<u64>,
    /// Another processor of the guest writes to whatever is about to be read.
    pub(crate) neighbour: RefCell<Option<Rng>>,
    /// What was read from where, as it was then.
    pub(crate) looks: RefCell<Vec<(u64, Vec<u8>)>>,
    /// What is read where, whatever was stored there.
    pub(crate) still: Vec<(u64, Vec<u8>)>,
}

/// Bits that another processor flips in a word just before it is read: mostly none, seldom many.
fn flips(rng: &mut Rng) -> u64 {
    match rng.u32(0..16) {
        0 => rng.u64(..),
        1..4 => 1 << rng.u32(0..64),
        _ => 0,
    }
}

impl Ram {
    fn range(at: GuestPhysAddr, len: usize) -> Result<std::ops::Range<usize>, OutsideRam> {
        let start = at.0.checked_sub(RAM_BASE).ok_or(OutsideRam)?;
        let end = start.checked_add(len as u64).filter(|end| *end <= RAM_BYTES).ok_or(OutsideRam)?;
        Ok(start as usize..end as usize)
    }

    /// The guest's own view of a doubleword.
    pub(crate) fn load(&self, at: u64) -> u64 {
        let range = Self::range(GuestPhysAddr(at), 8).expect("in RAM");
        u64::from_le_bytes(self.bytes[range].try_into().expect("eight bytes"))
    }

    /// The guest stores a doubleword.
    pub(crate) fn store(&mut self, at: u64, value: u64) {
        let range = Self::range(GuestPhysAddr(at), 8).expect("in RAM");
        self.bytes[range].copy_from_slice(&value.to_le_bytes());
    }

    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        self.reads.set(self.reads.get() + 1);
        into.copy_from_slice(&self.bytes[Self::range(at, into.len())?]);
        if let Some(rng) = &mut *self.neighbour.borrow_mut() {
            into.as_chunks_mut()
                .0
                .iter_mut()
                .for_each(|word| *word = (u64::from_le_bytes(*word) ^ flips(rng)).to_le_bytes());
        }
        if let Some((_, bytes)) = self.still.iter().find(|(from, bytes)| (*from, bytes.len()) == (at.0, into.len())) {
            into.copy_from_slice(bytes);
        }
        self.looks.borrow_mut().push((at.0, into.to_vec()));
        Ok(())
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        let range = Self::range(at, from.len())?;
        self.written.push(at.0);
        self.bytes[range].copy_from_slice(from);
        Ok(())
    }
}

/// What was asked of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Stage1(usize, Stage1),
    Invalidate(usize, Vec<[u64; 2]>),
    Interrupt(Interrupt),
}

/// The machine below: refuses what the kernel would, by the kernel's own checks.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) ram: Ram,
    physical: sluice_smmu::Features,
    /// What each stream does.
    pub(crate) stage1: Vec<Stage1>,
    /// Calls since they were last taken.
    pub(crate) calls: Vec<Call>,
    /// The frames that the guest reads.
    pub(crate) frames: BTreeMap<u64, u32>,
    /// The guest has heard of what happens just now.
    pub(crate) heard: bool,
}

impl Machine {
    pub(crate) fn new(features: Features, streams: usize) -> Self {
        let bits = |wide| if wide { 16 } else { 8 };
        let physical = sluice_smmu::Features {
            minor: 1,
            stage1: true,
            stage2: true,
            coherent: features.coherent,
            asid_bits: bits(features.wide_asids),
            vmid_bits: 16,
            stall_model: StallModel::Never,
            two_level: true,
            sid_bits: 16,
            ssid_bits: features.ssid_bits,
            command_bits: 19,
            event_bits: 19,
            range_invalidation: features.range_invalidation,
            output_bits: 44,
            granule_16k: features.granule_16k,
            granule_64k: features.granule_64k,
        };
        let ram = Ram {
            bytes: vec![0; RAM_BYTES as usize],
            reads: Cell::new(0),
            written: Vec::new(),
            neighbour: RefCell::default(),
            looks: RefCell::default(),
            still: Vec::new(),
        };
        Self {
            ram,
            physical,
            stage1: vec![Stage1::Abort; streams],
            calls: Vec::new(),
            frames: BTreeMap::new(),
            heard: false,
        }
    }
}

impl GuestMemory for Machine {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        self.ram.read(at, into)
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        self.ram.write(at, from)
    }
}

impl Backend for Machine {
    fn set_stage1(&mut self, stream: usize, stage1: Stage1) {
        if let Stage1::Table(table) = stage1 {
            assert_eq!(check_cd_table(&self.physical, &table), Ok(()), "{table:x?}");
            assert_eq!(CdTable::from_words(table.words()), Some(table), "{table:x?} does not fit its message");
        }
        self.stage1[stream] = stage1;
        self.calls.push(Call::Stage1(stream, stage1));
    }

    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]) {
        let Stage1::Table(table) = self.stage1[stream] else { panic!("stream {stream} has no table") };
        assert!((1..=MAX_STAGE1_COMMANDS).contains(&commands.len()));
        for command in commands {
            let admitted = Stage1Command::admit(&self.physical, &table, *command);
            assert!(admitted.is_some(), "refused: {command:x?}");
        }
        self.calls.push(Call::Invalidate(stream, commands.to_vec()));
    }

    fn publish(&mut self, offset: u64, value: u32) {
        assert!(!self.heard, "the guest hears of {offset:#x} before it can read it");
        self.frames.insert(offset, value);
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.heard = true;
        self.calls.push(Call::Interrupt(interrupt));
    }
}
