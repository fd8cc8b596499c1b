//! The component's work on the simulated controller.

use sha2::{Digest as _, Sha256};
use sluice_abi::Iova;
use sluice_nvme::job::{self, Digest, Tenths};
use sluice_nvme::stream::Buffer;
use sluice_nvme::{Error, pattern};

use crate::fake::{BUFFER_AT, Driver, Handle, Nature};

fn machine(nature: Nature) -> (Handle, Driver, Buffer) {
    let machine = Handle::new(nature);
    let driver = machine.open().expect("opens");
    let buffer = Buffer::plan(&driver, Iova(BUFFER_AT), (2 << 20) - 4096, 32).expect("fits");
    (machine, driver, buffer)
}

#[test]
fn the_hash_is_that_of_the_disk() {
    let (machine, mut driver, buffer) = machine(Nature { blocks: 8191, ..Nature::default() });
    let mut told = Vec::new();
    let mut tenths = Tenths::of(driver.namespace().bytes());
    let (digest, summary) = job::hash_all(&mut driver, &mut machine.clone(), &machine.buffer(), buffer, |done| {
        told.extend(tenths.reached(done));
    })
    .expect("reads");
    assert_eq!(digest, Digest(Sha256::digest(&machine.0.borrow().disk).into()));
    assert_eq!(summary.bytes, 8191 * 512);
    assert_eq!(told, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(Digest([0xa5; 32]).to_string(), "a5".repeat(32));
}

#[test]
fn a_block_is_hashed_by_its_own_bytes() {
    let (machine, mut driver, _) = machine(Nature::default());
    let memory = machine.buffer();
    for lba in [0, 1, 8191] {
        let digest = job::hash_block(&mut driver, &mut machine.clone(), &memory, lba).expect("reads");
        let block = machine.0.borrow().disk[lba as usize * 512..][..512].to_vec();
        assert_eq!(digest, Digest(Sha256::digest(block).into()));
    }
    let beyond = job::hash_block(&mut driver, &mut machine.clone(), &memory, 8192);
    assert!(matches!(beyond, Err(Error::Transfer { lba: 8192, .. })), "{beyond:?}");
}

#[test]
fn a_filled_disk_has_the_pattern_and_damage_is_found() {
    let (machine, mut driver, buffer) = machine(Nature::default());
    let memory = machine.buffer();
    let damage = |driver: &mut Driver| job::first_damage(driver, &mut machine.clone(), &memory, 5);
    assert_eq!(damage(&mut driver), Ok(Some(0)), "not filled yet");
    let filled = job::fill(&mut driver, &mut machine.clone(), &memory, buffer, |_| ()).expect("fills");
    assert_eq!((filled.bytes, machine.0.borrow().flushes), (4 << 20, 1));
    for (at, word) in (0..).step_by(8).zip(machine.0.borrow().disk.chunks_exact(8)) {
        assert_eq!(word, pattern::word(at).to_le_bytes(), "word at {at:#x}");
    }
    assert_eq!(damage(&mut driver), Ok(None));
    machine.0.borrow_mut().disk[8191 * 512 + 17] ^= 1;
    assert_eq!(damage(&mut driver), Ok(Some(8191 * 512 + 16)));
}

#[test]
fn a_write_error_is_no_filled_disk() {
    let mut nature = Nature::default();
    nature.bad_blocks.insert(77, 0x0280);
    let (machine, mut driver, buffer) = machine(nature);
    let result = job::fill(&mut driver, &mut machine.clone(), &machine.buffer(), buffer, |_| ());
    assert!(matches!(result, Err(Error::Transfer { .. })), "{result:?}");
    assert_eq!(machine.0.borrow().flushes, 0);
}

#[test]
fn tenths_are_told_once() {
    let mut tenths = Tenths::of(u64::MAX);
    assert_eq!(tenths.reached(0), None);
    assert_eq!(tenths.reached(u64::MAX / 2), Some(40));
    assert_eq!(tenths.reached(u64::MAX / 2), None);
    assert_eq!(tenths.reached(u64::MAX), Some(100));
    assert_eq!(Tenths::of(0).reached(0), Some(100));
}
