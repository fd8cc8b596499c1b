use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use super::*;

const PAGE: u64 = 0x1_4567_8000;

/// Where the device's accesses go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Road {
    /// To the SMMU, which refuses them.
    Smmu,
    /// To memory.
    Memory,
    /// Nowhere: the device does nothing.
    Nowhere,
}

struct Fake {
    road: Road,
    kind: Kind,
    /// Address bits that the device emits.
    bits: u32,
    registers: BTreeMap<u64, u64>,
    page: [u32; 16],
    record: Option<u64>,
    waited: u32,
    busy: u32,
    written: Vec<u64>,
}

impl Fake {
    fn new(kind: Kind, road: Road) -> Self {
        let registers = BTreeMap::from([(0x00, 2 << 24)]);
        let (page, record, written) = ([0; 16], None, vec![]);
        Self { road, kind, bits: 64, registers, page, record, waited: 0, busy: 0, written }
    }

    fn master(&mut self, address: u64, answer: Option<[u32; 4]>) {
        match self.road {
            Road::Smmu => self.record = Some(address & (u64::MAX >> (64 - self.bits)) & !0xfff),
            Road::Memory => {
                if let Some(answer) = answer {
                    assert_eq!(address, PAGE);
                    self.page[..4].copy_from_slice(&answer);
                }
            }
            Road::Nowhere => {}
        }
    }

    fn register(&self, register: u64) -> u64 {
        self.registers.get(&register).copied().unwrap_or(0)
    }
}

impl Scene for Fake {
    type Error = ();

    fn read(&self, register: u64) -> u32 {
        match (self.kind, register) {
            (Kind::Edu, 0x98) => u32::from(self.road == Road::Nowhere || self.waited < self.busy),
            (Kind::Nvme, 0x1c) => u32::from(self.road != Road::Nowhere) & self.register(0x14) as u32,
            _ => self.register(register) as u32,
        }
    }

    fn write(&mut self, register: u64, value: u32) {
        self.registers.insert(register, value.into());
        self.written.push(register);
        match (self.kind, register) {
            (Kind::Edu, 0x98) if value & 1 != 0 => {
                self.busy = self.waited + 100;
                self.master(self.register(0x80), None);
            }
            (Kind::Nvme, 0x1000) if self.register(0x14) & 1 != 0 => {
                assert_eq!((self.page[0] & 0xff, self.page[10]), (0x0a, 7), "a command without data");
                self.master(self.register(0x2c) << 32 | self.register(0x28), Some([1, 0, 1, 0x1_5c1e]));
            }
            _ => {}
        }
    }

    fn write_wide(&mut self, register: u64, value: u64) {
        assert_eq!(self.kind, Kind::Edu);
        self.registers.insert(register, value);
    }

    fn put(&mut self, words: &[u32]) {
        self.page[..words.len()].copy_from_slice(words);
    }

    fn word(&self, index: u64) -> u32 {
        self.page[index as usize]
    }

    fn record(&mut self) -> Result<Option<u64>, ()> {
        Ok(self.record.take())
    }

    fn wait(&mut self) {
        self.waited += 1;
    }
}

#[test]
fn kinds_are_known_by_identity_and_class() {
    let identity = |vendor, device| Identity { vendor, device };
    assert_eq!(Kind::of(identity(0x1234, 0x11e8), 0x00_ff00), Some(Kind::Edu));
    assert_eq!(Kind::of(identity(0x8086, 0x0953), 0x01_0802), Some(Kind::Nvme));
    for (vendor, device, class) in [(0x1234, 0x1111, 0x03_0000), (0x8086, 0x10d3, 0x02_0000), (0x8086, 1, 0x01_0801)] {
        assert_eq!(Kind::of(identity(vendor, device), class), None);
    }
}

#[test]
fn what_the_smmu_refuses_shows_a_device_behind_it() {
    for kind in [Kind::Edu, Kind::Nvme] {
        let mut fake = Fake::new(kind, Road::Smmu);
        assert_eq!(kind.provoke(&mut fake, PAGE), Ok(Finding::Behind { address: PAGE }));
        let mut narrow = Fake { bits: 28, ..Fake::new(kind, Road::Smmu) };
        assert_eq!(kind.provoke(&mut narrow, PAGE), Ok(Finding::Behind { address: 0x0567_8000 }));
    }
}

#[test]
fn what_reaches_memory_is_past_it() {
    for kind in [Kind::Edu, Kind::Nvme] {
        let mut fake = Fake::new(kind, Road::Memory);
        assert_eq!(kind.provoke(&mut fake, PAGE), Ok(Finding::Past));
    }
}

#[test]
fn what_does_nothing_is_waited_for_and_given_up() {
    for kind in [Kind::Edu, Kind::Nvme] {
        let mut fake = Fake::new(kind, Road::Nowhere);
        assert_eq!(kind.provoke(&mut fake, PAGE), Ok(Finding::Idle));
        assert!((1000..3000).contains(&fake.waited), "{}", fake.waited);
    }
}

#[test]
fn no_address_is_left_in_the_device() {
    for (kind, registers) in [(Kind::Edu, [0x80, 0x88]), (Kind::Nvme, [0x28, 0x30])] {
        let mut fake = Fake::new(kind, Road::Smmu);
        kind.provoke(&mut fake, PAGE).unwrap();
        assert!(registers.iter().all(|register| fake.register(*register) == 0));
        assert_eq!(fake.register(0x14), 0, "and the controller is off");
    }
}
