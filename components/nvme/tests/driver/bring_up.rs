//! Reset, enable, identify, create queues; and controllers the driver must turn down.

use sluice_nvme::error::Unsupported;
use sluice_nvme::hardware::Registers;
use sluice_nvme::status::{Kind, Status};
use sluice_nvme::{Controller, Error, layout};

use crate::fake::{Handle, Nature};

fn open(change: impl FnOnce(&mut Nature)) -> Result<crate::fake::Driver, Error> {
    let mut nature = Nature::default();
    change(&mut nature);
    Handle::new(nature).open()
}

fn refused(change: impl FnOnce(&mut Nature)) -> Error {
    open(change).map(|_| ()).expect_err("a controller to turn down")
}

#[test]
fn a_usable_controller_is_identified() {
    let driver = open(|_| ()).expect("opens");
    assert_eq!((driver.namespace().blocks, driver.namespace().block_bytes()), (8192, 512));
    assert_eq!(driver.namespace().bytes(), 4 << 20);
    assert_eq!(driver.identity().serial.to_string(), "SERIAL-7");
    assert_eq!(driver.identity().model.to_string(), "Simulated?[2J controller");
    assert!(driver.identity().write_cache);
    assert_eq!(driver.identity().max_transfer, 256 << 10);
    assert_eq!(driver.depth(), 63);
}

#[test]
fn limits_of_the_controller_hold() {
    let driver = open(|nature| {
        nature.mdts = 2;
        nature.cap = nature.cap & !0xffff | 7;
        nature.block_bits = 12;
        nature.blocks = 100;
    })
    .expect("opens");
    assert_eq!(driver.identity().max_transfer, 16 << 10);
    assert_eq!(driver.depth(), 7);
    assert_eq!(driver.namespace().block_bytes(), 4096);
    for unlimited in [0, 20, 21, 63, 255] {
        let driver = open(|nature| nature.mdts = unlimited).expect("opens");
        assert_eq!(driver.identity().max_transfer, layout::MAX_TRANSFER);
    }
}

#[test]
fn doorbells_follow_the_stride() {
    assert!(open(|nature| nature.cap |= 5 << 32).is_ok());
    assert_eq!(refused(|nature| nature.cap |= 13 << 32), Error::Unsupported(Unsupported::Window));
}

#[test]
fn an_enabled_controller_is_reset_first() {
    let machine = Handle::new(Nature::default());
    machine.open().expect("opens");
    assert_eq!(machine.read(0x1c) & 1, 1);
    let again = machine.open().expect("opens again");
    assert_eq!(again.outstanding(), 0);
}

#[test]
fn shutdown_completes_and_disables() {
    let machine = Handle::new(Nature::default());
    machine.open().expect("opens").shut_down().expect("shuts down");
    assert_eq!((machine.read(0x14), machine.read(0x1c)), (0, 0));
}

#[test]
fn what_cannot_be_used_is_turned_down() {
    assert_eq!(refused(|nature| nature.absent = true), Error::Absent);
    assert_eq!(refused(|nature| nature.fatal_on_enable = true), Error::Fatal);
    assert_eq!(refused(|nature| nature.never_ready = true), Error::TimedOut { what: "the enable", ms: 7_500 });
    assert_eq!(
        refused(|nature| nature.silent_admin = true),
        Error::TimedOut { what: "Identify Controller", ms: 5_000 }
    );
    assert_eq!(refused(|nature| nature.cap |= 1 << 48), Error::Unsupported(Unsupported::PageSize));
    assert_eq!(refused(|nature| nature.cap &= !(1 << 37)), Error::Unsupported(Unsupported::CommandSet));
    assert_eq!(refused(|nature| nature.cap &= !0xffff), Error::Unsupported(Unsupported::QueueSize));
    assert_eq!(refused(|nature| nature.blocks = 0), Error::Unsupported(Unsupported::Namespace));
    assert_eq!(refused(|nature| nature.metadata = 8), Error::Unsupported(Unsupported::BlockFormat));
    for bits in [0, 8, 13, 63, 64, 255] {
        assert_eq!(
            refused(|nature| {
                nature.blocks = 16;
                nature.block_bits = 9;
                nature.block_bits = bits;
            }),
            Error::Unsupported(Unsupported::BlockFormat)
        );
    }
    assert_eq!(refused(|nature| nature.blocks = u64::MAX >> 8), Error::Unsupported(Unsupported::BlockFormat));
    assert_eq!(refused(|nature| nature.entry_sizes = (0x77, 0x44)), Error::Unsupported(Unsupported::EntrySize));
    assert_eq!(refused(|nature| nature.entry_sizes = (0x66, 0x33)), Error::Unsupported(Unsupported::EntrySize));
}

#[test]
fn a_failing_admin_command_is_named() {
    let error = refused(|nature| nature.fails_admin = Some((0x01, 0x4102)));
    let status = Status { kind: Kind::CommandSpecific(2), do_not_retry: true, more: false };
    assert_eq!(error, Error::Command { what: "Create I/O Submission Queue", status });
    assert_eq!(
        error.to_string(),
        "Create I/O Submission Queue failed: invalid queue size (command-specific 0x02, do not retry)"
    );
}

#[test]
fn too_little_memory_is_no_driver() {
    struct Small(crate::fake::Memory);
    impl sluice_nvme::hardware::Dma for Small {
        fn size(&self) -> u64 {
            layout::BYTES - 4096
        }
        fn iova(&self) -> sluice_abi::Iova {
            self.0.iova()
        }
        fn load(&self, offset: u64) -> u64 {
            self.0.load(offset)
        }
        fn store(&self, _: u64, _: u64) {
            panic!("a store into memory that was turned down");
        }
        fn publish(&self) {}
        fn observe(&self) {}
    }
    let machine = Handle::new(Nature::default());
    let error = Controller::open(machine.clone(), Small(machine.queue_memory()), machine.clone()).map(|_| ());
    assert_eq!(error, Err(Error::Memory { needed: layout::BYTES, given: layout::BYTES - 4096 }));
}
