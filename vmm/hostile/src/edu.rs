//! QEMU's edu device, which moves 4 KiB between memory and a buffer of its own (QEMU documentation, "EDU device").

use crate::machine::{barrier, load, store, within};
use crate::pci::Function;

const SOURCE: u64 = 0x80;
const DESTINATION: u64 = 0x88;
const BYTES: u64 = 0x90;
const COMMAND: u64 = 0x98;
const RUN: u64 = 1;
const TO_MEMORY: u64 = 2;
/// Where its buffer is in its own addresses.
const BUFFER: u64 = 0x4_0000;
/// Causes of its interrupt, set and taken away.
pub(crate) const RAISE: u64 = 0x60;
pub(crate) const ACKNOWLEDGE: u64 = 0x64;

/// Vendor and device.
pub(crate) const ID: u64 = 0x11e8_1234;

/// The device.
#[derive(Clone, Copy)]
pub(crate) struct Edu {
    pub(crate) function: Function,
    pub(crate) bar: u64,
}

impl Edu {
    /// The device, enabled at the address that its BAR has.
    pub(crate) fn find() -> Option<Self> {
        let function = Function::find(ID)?;
        let bar = function.bar();
        function.enable(bar);
        Some(Self { function, bar })
    }

    /// Moves `bytes` bytes at `address` into the buffer, or from it; whether the device was done in time.
    pub(crate) fn dma(self, address: u64, bytes: u64, to_memory: bool) -> bool {
        self.begin(address, bytes, to_memory);
        let done = within(2000, || load(self.bar + COMMAND, 8) & RUN == 0);
        barrier();
        done
    }

    /// Begins to.
    pub(crate) fn begin(self, address: u64, bytes: u64, to_memory: bool) {
        barrier();
        let (source, destination) = if to_memory { (BUFFER, address) } else { (address, BUFFER) };
        store(self.bar + SOURCE, 8, source);
        store(self.bar + DESTINATION, 8, destination);
        store(self.bar + BYTES, 8, bytes);
        store(self.bar + COMMAND, 8, RUN | if to_memory { TO_MEMORY } else { 0 });
    }
}
