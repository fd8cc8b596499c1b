//! Interrupt specifiers on their way to the interrupt controller.

use core::fmt;

use crate::list::Full;
use crate::tree::Cells;

/// Most cells of a unit address and an interrupt specifier together.
const MAX_CELLS: usize = 8;

/// The cells of an interrupt specifier, behind those of the unit address when a nexus has to look at both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Specifier {
    cells: [u32; MAX_CELLS],
    len: usize,
}

impl Specifier {
    /// The cells.
    #[must_use]
    pub fn cells(&self) -> &[u32] {
        &self.cells[..self.len]
    }

    /// The cell at `index`, 0 behind the last.
    #[must_use]
    pub fn cell(&self, index: usize) -> u32 {
        self.cells().get(index).copied().unwrap_or(0)
    }

    pub(crate) fn push(&mut self, cell: u32) -> Result<(), Full> {
        let slot = self.cells.get_mut(self.len).ok_or(Full { capacity: MAX_CELLS })?;
        *slot = cell;
        self.len += 1;
        Ok(())
    }

    pub(crate) fn append(&mut self, mut cells: Cells<'_>) -> Result<(), Full> {
        while let Some(cell) = cells.word() {
            self.push(cell)?;
        }
        Ok(())
    }
}

impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<")?;
        for (index, cell) in self.cells().iter().enumerate() {
            write!(f, "{}{cell:#x}", if index == 0 { "" } else { " " })?;
        }
        f.write_str(">")
    }
}
