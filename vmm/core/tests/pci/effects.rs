//! Commands, their order, and starting again.

use sluice_vmm::memory::GuestPhysAddr;
use sluice_vmm::pci::{Effect, PciHost};

use crate::fixtures::{Fixture, host};
use crate::{read, write, write_half};

const MEMORY: u16 = 1 << 1;
const MASTER: u16 = 1 << 2;
const INTX_DISABLE: u16 = 1 << 10;

#[test]
fn the_first_start_resets_everything_and_lets_interrupts_through() {
    let functions = [("nvme", 1), ("edu", 4)].map(|(name, slot)| Fixture::named(name).function(slot)).into();
    let mut host = PciHost::new(functions).unwrap();
    assert_eq!(
        host.reset(),
        [
            Effect::Reset { slot: 1 },
            Effect::Reset { slot: 4 },
            Effect::Interrupt { slot: 1, on: true },
            Effect::Interrupt { slot: 4, on: true },
        ]
    );
}

#[test]
fn mastering_comes_last_and_goes_first() {
    let mut host = host(&["edu"]);
    let at = Some(GuestPhysAddr(0x1000_0000));
    assert_eq!(write_half(&mut host, 1, 0x04, INTX_DISABLE), [Effect::Interrupt { slot: 1, on: false }]);
    assert_eq!(
        write_half(&mut host, 1, 0x04, MEMORY | MASTER),
        [
            Effect::BarPlaced { slot: 1, bar: 0, at },
            Effect::Interrupt { slot: 1, on: true },
            Effect::Mastering { slot: 1, on: true },
        ]
    );
    assert_eq!(write_half(&mut host, 1, 0x04, MEMORY | MASTER), []);
    assert_eq!(
        write_half(&mut host, 1, 0x04, INTX_DISABLE),
        [
            Effect::Mastering { slot: 1, on: false },
            Effect::Interrupt { slot: 1, on: false },
            Effect::BarPlaced { slot: 1, bar: 0, at: None },
        ]
    );
}

#[test]
fn writing_status_changes_nothing() {
    let mut host = host(&["nvme"]);
    let _ = write_half(&mut host, 1, 0x04, MEMORY | MASTER);
    assert_eq!(write_half(&mut host, 1, 0x06, 0xffff), []);
    assert_eq!(read(&host, 1, 0x04), 0x0010_0006);
}

#[test]
fn a_restart_is_like_the_first_start() {
    let mut host = host(&["nvme", "edu"]);
    let fresh = host.clone();
    let _ = write(&mut host, 1, 0x10, 0x3000_0000);
    let _ = write_half(&mut host, 1, 0x04, MEMORY | MASTER | INTX_DISABLE);
    let _ = write_half(&mut host, 1, 0x88, 0x0000);
    let _ = write_half(&mut host, 2, 0x04, MEMORY);
    let _ = write_half(&mut host, 2, 0x3c, 0x0077);
    assert_eq!(
        host.reset(),
        [
            Effect::Mastering { slot: 1, on: false },
            Effect::BarPlaced { slot: 1, bar: 0, at: None },
            Effect::BarPlaced { slot: 2, bar: 0, at: None },
            Effect::Reset { slot: 1 },
            Effect::Reset { slot: 2 },
            Effect::Interrupt { slot: 1, on: true },
        ]
    );
    assert_eq!(host, fresh);
}
