//! A disk that is told to go where it may not, as fast as it takes commands.
//!
//! The component manages its stream: it takes the records away, and brings the stream back from quarantine each time.

use sluice_abi::Iova;
use sluice_nvme::hardware::Clock as _;
use sluice_nvme::machine::{Bar, Counter, Shared};
use sluice_nvme::{Controller, Data, Error, Operation};
use sluice_rt::{Device, Env, RtError, check, finish};

/// Fillings of the queue.
const BURSTS: u64 = 8;
/// Longest time that a filled queue is waited for.
const WAIT_MS: u64 = 5;
/// How long records go on to arrive: the kernel collects them at its ticks, of 2 ms, and puts the stream into quarantine again.
const SETTLE_MS: u64 = 10;
/// Where the machine's memory begins; nothing of it is at these addresses for this device.
const MEMORY: u64 = 0x4000_0000;
/// Distance of what successive commands aim at: different pages of different tables.
const STRIDE: u64 = 0x12_3000;

/// A storm; says what it came to when `report` is set.
pub(crate) fn blow(env: &Env, report: bool) {
    let (mut commands, mut records, mut dropped) = (0u64, 0u64, 0u64);
    let device = match env.device("disk") {
        Ok(device) => device,
        Err(missing) => panic!("{missing}"),
    };
    for burst in 0..BURSTS {
        match one(&device, burst) {
            // A controller whose stream is in quarantine cannot be opened: the next burst clears that.
            Ok(given) => commands += given,
            Err(Trouble::Disk(_)) => {}
            Err(Trouble::Runtime(error)) => panic!("{error}"),
        }
        for _ in 0..2 {
            match clear(&device) {
                Ok((new, lost)) => (records, dropped) = (records + new, dropped + lost),
                Err(error) => panic!("{error}"),
            }
            let start = Counter.now_ms();
            while Counter.now_ms().saturating_sub(start) < SETTLE_MS {
                Counter.relax();
            }
        }
    }
    if report {
        let is_real = commands > 2 * 63 && records > 1;
        check!("storm-is-real", is_real, "{commands} commands, {records} records, {dropped} more dropped");
        finish();
    }
}

enum Trouble {
    Disk(#[expect(dead_code, reason = "that a storm spoils its own disk is expected, whichever way")] Error),
    Runtime(RtError),
}

/// Fills the queue with reads into memory of others.
fn one(device: &Device<'_>, burst: u64) -> Result<u64, Trouble> {
    let registers = Bar(device.registers(0).map_err(Trouble::Runtime)?);
    let queue = Shared(device.dma("storm_queue").map_err(Trouble::Runtime)?);
    let mut controller = Controller::open(registers, queue, Counter).map_err(Trouble::Disk)?;
    let blocks = (controller.identity().max_transfer.min(1 << 16) >> controller.namespace().block_bits) as u32;
    let mut given = 0;
    for command in 0..u64::from(controller.depth()) {
        let at = Iova(MEMORY + (burst * 64 + command) * STRIDE);
        let read = Operation::Read { lba: 0, blocks, data: Data::At(at) };
        given += u64::from(controller.submit(read).is_ok());
    }
    let start = Counter.now_ms();
    while controller.outstanding() > 0 && Counter.now_ms().saturating_sub(start) < WAIT_MS {
        if controller.reap().map_err(Trouble::Disk)?.is_none() {
            Counter.relax();
        }
    }
    Ok(given)
}

/// Takes the stream's records, and has it record and translate again: how many there were, and how many were lost.
fn clear(device: &Device<'_>) -> Result<(u64, u64), RtError> {
    let (mut records, mut dropped) = (0, 0);
    for sid in device.manage()?.sids {
        while let Some(record) = sid.get_fault().map_err(RtError::refused("read a fault record"))? {
            records += 1;
            dropped += record.dropped;
            sid.clear_fault().map_err(RtError::refused("clear a fault record"))?;
        }
        sid.clear_fault().map_err(RtError::refused("clear a fault record"))?;
    }
    Ok((records, dropped))
}
