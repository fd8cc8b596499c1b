//! Any node that software may want to drive.

use core::fmt;

use crate::interrupt::{Interrupts, interrupts};
use crate::masters::known_binding;
use crate::registers::{Registers, registers};
use crate::streams::{Streams, streams};
use crate::tree::{Node, NodePath};
use crate::{MachineError, Smmus};

/// A node with what a driver needs of it, read when asked for: a tree may hold nodes that cannot be worked with, and
/// they matter only to who wants them.
#[derive(Clone)]
pub struct Device<'m, 'b> {
    pub(crate) node: Node<'b>,
    pub(crate) smmus: &'m Smmus<'b>,
}

impl<'b> Device<'_, 'b> {
    /// Its place, which prints as its full path.
    #[must_use]
    pub fn path(&self) -> NodePath<'b> {
        self.node.place()
    }

    /// Its node.
    #[must_use]
    pub fn node(&self) -> &Node<'b> {
        &self.node
    }

    /// Its bindings, most specific first.
    pub fn compatible(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        self.node.compatible()
    }

    /// Whether the tree does not disable it.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.node.is_available()
    }

    /// Whether its DMA is coherent with the CPU's caches.
    #[must_use]
    pub fn is_coherent(&self) -> bool {
        self.node.is_dma_coherent()
    }

    /// Its register ranges as physical addresses.
    ///
    /// # Errors
    /// When the tree does not say where they are.
    pub fn registers(&self) -> Result<Registers, MachineError<'b>> {
        registers(&self.node)
    }

    /// Its interrupts.
    ///
    /// # Errors
    /// When the tree does not lead them to the GIC.
    pub fn interrupts(&self) -> Result<Interrupts, MachineError<'b>> {
        interrupts(&self.node)
    }

    /// Its streams, as `iommus` names them.
    ///
    /// # Errors
    /// When the property cannot be read.
    pub fn streams(&self) -> Result<Streams, MachineError<'b>> {
        streams(&self.node, self.smmus)
    }

    /// The binding by which it is known to master memory without any SMMU between: whoever holds its registers holds
    /// all memory.
    ///
    /// # Errors
    /// When `iommus` cannot be read.
    pub fn unconfined(&self) -> Result<Option<&'static str>, MachineError<'b>> {
        let Some(binding) = known_binding(&self.node) else { return Ok(None) };
        if binding == crate::pci::host::BINDING {
            return Ok(Some(binding).filter(|_| self.node.property("iommu-map").is_none()));
        }
        let confined = !self.streams()?.is_empty();
        Ok(Some(binding).filter(|_| !confined))
    }
}

impl fmt::Debug for Device<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.node.place())
    }
}
