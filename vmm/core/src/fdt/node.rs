//! Nodes and properties in the shapes that bindings use.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use vm_fdt::{Error, FdtWriter};

use crate::layout::Range;

/// The first shared interrupt (SPI), from which specifiers count.
const FIRST_SHARED: u32 = 32;

/// What of a line makes an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// Its rise.
    Rising = 1,
    /// That it is high.
    High = 4,
}

/// The three cells of a shared interrupt, `arm,gic-v3.yaml`.
pub(super) fn spi(intid: u32, level: Level) -> [u32; 3] {
    [0, intid - FIRST_SHARED, level as u32]
}

/// The two cells of an address or a size.
pub(super) fn halves(value: u64) -> [u32; 2] {
    [(value >> 32) as u32, value as u32]
}

/// A tree while it is written.
pub(super) struct Tree(FdtWriter);

impl Tree {
    pub(super) fn new() -> Result<Self, Error> {
        FdtWriter::new().map(Self)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, Error> {
        self.0.finish()
    }

    /// A node with what `fill` puts in it, properties first.
    pub(super) fn node(&mut self, name: &str, fill: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let node = self.0.begin_node(name)?;
        fill(self)?;
        self.0.end_node(node)
    }

    /// A node with registers, or memory, named after its address.
    pub(super) fn device(
        &mut self,
        name: &str,
        registers: Range,
        fill: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.node(&format!("{name}@{:x}", registers.base), |node| {
            node.ranges("reg", &[registers])?;
            fill(node)
        })
    }

    pub(super) fn empty(&mut self, name: &str) -> Result<(), Error> {
        self.0.property_null(name)
    }

    pub(super) fn cells(&mut self, name: &str, cells: &[u32]) -> Result<(), Error> {
        self.0.property_array_u32(name, cells)
    }

    pub(super) fn address(&mut self, name: &str, address: u64) -> Result<(), Error> {
        self.0.property_u64(name, address)
    }

    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.0.property(name, bytes)
    }

    pub(super) fn text(&mut self, name: &str, text: &str) -> Result<(), Error> {
        self.0.property_string(name, text)
    }

    pub(super) fn texts(&mut self, name: &str, texts: &[&str]) -> Result<(), Error> {
        self.0.property_string_list(name, texts.iter().map(ToString::to_string).collect())
    }

    /// Addresses and sizes of two cells each.
    pub(super) fn ranges(&mut self, name: &str, ranges: &[Range]) -> Result<(), Error> {
        let cells: Vec<u64> = ranges.iter().flat_map(|range| [range.base, range.size]).collect();
        self.0.property_array_u64(name, &cells)
    }

    pub(super) fn handle(&mut self, handle: u32) -> Result<(), Error> {
        self.0.property_phandle(handle)
    }
}
