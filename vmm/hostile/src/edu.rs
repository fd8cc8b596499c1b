//! QEMU's device edu (its documentation, "EDU device"): it copies between memory and a buffer of its own, some 100 ms after it was
//! told to.

use sluice_bare::machine::{load, store, within};
use sluice_bare::pci::Function;

/// Its registers: identification, source, destination, bytes, command.
const SOURCE: u64 = 0x80;
const DESTINATION: u64 = 0x88;
const BYTES: u64 = 0x90;
const COMMAND: u64 = 0x98;
/// Its buffer, in its own addresses.
const BUFFER: u64 = 0x4_0000;
/// COMMAND: begin, from memory or to it; set until it is done.
const FETCH: u64 = 1;
const PUT: u64 = 3;
/// Milliseconds that a transfer has.
const LIMIT: u64 = 5000;

/// The device, whose addresses go through the SMMU.
#[derive(Clone, Copy)]
pub(crate) struct Edu {
    registers: u64,
    pub(crate) function: Function,
}

impl Edu {
    /// The device with its registers at `at`, if there is one.
    pub(crate) fn open(at: u64) -> Option<Self> {
        let function = Function::named(0x1234, 0x11e8)?;
        function.open(at);
        (load(at, 4) & 0xffff == 0xed).then_some(Self { registers: at, function })
    }

    /// Copies from memory at `address` to its buffer; whether that came to an end.
    pub(crate) fn fetch(self, address: u64, bytes: u64) -> bool {
        self.begin(FETCH, address, bytes);
        self.ends()
    }

    /// Copies from its buffer to memory at `address`; whether that came to an end.
    pub(crate) fn put(self, address: u64, bytes: u64) -> bool {
        self.begin_put(address, bytes);
        self.ends()
    }

    /// Begins to copy to memory at `address`.
    pub(crate) fn begin_put(self, address: u64, bytes: u64) {
        self.begin(PUT, address, bytes);
    }

    fn begin(self, command: u64, address: u64, bytes: u64) {
        let (source, destination) = if command == FETCH { (address, BUFFER) } else { (BUFFER, address) };
        store(self.registers + SOURCE, 8, source);
        store(self.registers + DESTINATION, 8, destination);
        store(self.registers + BYTES, 8, bytes);
        store(self.registers + COMMAND, 8, command);
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(self) -> bool {
        load(self.registers + COMMAND, 8) & 1 == 0
    }

    /// Waits for the end.
    pub(crate) fn ends(self) -> bool {
        within(LIMIT, || self.is_idle())
    }
}
