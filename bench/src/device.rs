//! A device that faults when it is told to: QEMU's xHCI controller, whose command ring is where it may not read.
//!
//! A store to its doorbell makes it fetch a command within that store (eXtensible Host Controller Interface 1.2, 4.6.1), so
//! that the fault's instruction is known exactly; a device that works in its own time would fault at some later one.

use sluice_abi::smmu::StreamId;
use sluice_abi::{CapRights, PAGE_SIZE, PhysAddr, VirtAddr, VmAttributes};
use sluice_platform::{Machine as Platform, PciAddress, Space, validate};
use sluice_sys::Frame;

use crate::machine::{Machine, VSPACE, done};

/// Where the device is (`scripts/host/src/bench`).
const ADDRESS: Option<PciAddress> = PciAddress::new(0, 1, 0);
/// Vendor and device of QEMU's controller.
const IDENTITY: u32 = 0x000d_1b36;
/// log2 of the pages of its registers: capability, operational, runtime and doorbell registers (xHCI 1.2, 5).
const PAGES_BITS: u32 = 2;

/// Its doorbell of the command ring.
pub(crate) struct Device {
    doorbell: *mut u32,
    pub(crate) stream: StreamId,
}

/// A register of the device or of its configuration space.
struct Registers(VirtAddr);

impl Registers {
    fn at(&self, offset: u64) -> *mut u32 {
        core::ptr::with_exposed_provenance_mut((self.0.0 + offset) as usize)
    }

    fn read(&self, offset: u64) -> u32 {
        // SAFETY: registers are mapped here, as Device memory, and no Rust object is.
        unsafe { self.at(offset).read_volatile() }
    }

    fn write(&self, offset: u64, value: u32) {
        // SAFETY: as in `read`. The device reaches no memory of this program: its stream aborts or is confined.
        unsafe { self.at(offset).write_volatile(value) }
    }
}

impl Device {
    /// The device, running, with a command ring at `ring`; its registers and configuration are mapped from `window` on.
    pub(crate) fn find(machine: &mut Machine, window: VirtAddr, ring: u64) -> Self {
        let (configuration, registers, pci, stream) = place(machine);
        let first = machine.register_pages(registers, PAGES_BITS);
        let frames = [machine.registers(configuration).cptr().0].into_iter().chain(first..first + (1 << PAGES_BITS));
        for (page, frame) in (0..).zip(frames) {
            let (frame, at) = (Frame::from(frame), window.offset(page * PAGE_SIZE));
            done(frame.map(VSPACE, at, CapRights::READ | CapRights::WRITE, VmAttributes::EXECUTE_NEVER));
        }
        Self { doorbell: start(&Registers(window), &Registers(window.offset(PAGE_SIZE)), pci, ring), stream }
    }

    /// Makes it fetch a command, which it may not.
    #[inline(always)]
    pub(crate) fn fault(&self) {
        // SAFETY: the register is mapped, as Device memory, and no Rust object is there; of this program's memory the
        // device reaches nothing.
        unsafe { self.doorbell.write_volatile(0) }
    }
}

/// Configuration space, where the registers go, their PCI address, and the stream.
fn place(machine: &Machine) -> (PhysAddr, PhysAddr, u64, StreamId) {
    let Ok(blob) = validate(machine.fdt()) else { panic!("the device tree does not read") };
    let platform = match Platform::from_blob(&blob) {
        Ok(platform) => platform,
        Err(error) => panic!("{error}"),
    };
    let Some(address) = ADDRESS else { panic!("no such address") };
    let Some(host) = platform.pci_hosts.iter().next() else { panic!("no PCI host") };
    let Some(configuration) = host.configuration(address) else { panic!("no configuration space") };
    let Some(window) = host.windows.iter().find(|window| window.space == Space::Memory32) else { panic!("no window") };
    let Ok(Some(stream)) = platform.stream_of(host, address.rid()) else { panic!("the device passes no SMMU") };
    (configuration, window.cpu.base(), window.pci, stream)
}

/// Gives the device its addresses and starts it; the doorbell of its command ring.
fn start(configuration: &Registers, registers: &Registers, pci: u64, ring: u64) -> *mut u32 {
    /// Command register: memory space, bus master, no INTx.
    const ENABLE: u32 = 1 << 1 | 1 << 2 | 1 << 10;
    /// USBCMD: Run.
    const RUN: u32 = 1;
    const USBCMD: u64 = 0x00;
    const CRCR: u64 = 0x18;
    const DBOFF: u64 = 0x14;
    assert!(configuration.read(0) == IDENTITY, "another device: {:#x}", configuration.read(0));
    configuration.write(0x10, pci as u32);
    configuration.write(0x14, (pci >> 32) as u32);
    configuration.write(0x04, ENABLE);
    let operational = Registers(registers.0.offset(u64::from(registers.read(0) & 0xff)));
    operational.write(CRCR, ring as u32);
    operational.write(CRCR + 4, (ring >> 32) as u32);
    operational.write(USBCMD, RUN);
    registers.at(u64::from(registers.read(DBOFF)))
}
