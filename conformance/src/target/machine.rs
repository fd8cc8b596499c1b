//! The machine as the device tree in the extra boot information describes it.

use sluice_abi::bootinfo::EXTRA_FDT;
use sluice_platform::{Machine, validate};

use super::world::{Outcome, World, stop};

const HEADER: usize = 16;

impl World {
    /// The content of the first chunk of extra boot information of a kind.
    pub(crate) fn chunk(&self, wanted: u64) -> Option<&'static [u8]> {
        let mut rest = self.extra;
        loop {
            let word = |at: usize| Some(u64::from_le_bytes(rest.get(at..at + 8)?.try_into().ok()?));
            let (id, len) = (word(0)?, usize::try_from(word(8)?).ok()?);
            if id == wanted {
                return rest.get(HEADER..len);
            }
            rest = rest.get(len.max(HEADER)..)?;
        }
    }

    /// Reads the machine.
    pub(crate) fn with_machine<R>(&self, read: impl FnOnce(&Machine<'_>) -> R) -> Outcome<R> {
        let blob = self.chunk(EXTRA_FDT).ok_or_else(|| stop("no device tree in the boot information"))?;
        let blob = validate(blob).map_err(stop)?;
        let machine = Machine::from_blob(&blob).map_err(stop)?;
        Ok(read(&machine))
    }

    /// Where the console's registers are.
    pub(crate) fn console_registers(&self) -> Outcome<u64> {
        let console = self.with_machine(|machine| machine.console.map(|console| console.registers.base().0))?;
        console.ok_or_else(|| stop("the device tree names no console"))
    }
}
