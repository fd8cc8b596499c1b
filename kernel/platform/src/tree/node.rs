//! A node with its ancestors.

use core::ops::ControlFlow;

use fdt::node::FdtNode;

use super::{Cells, NodePath, Tree, strings, text};
use crate::blob::MAX_DEPTH;
use crate::list::List;
use crate::{MachineError, Problem};

#[derive(Clone, Copy)]
struct Level<'b> {
    node: FdtNode<'b, 'b>,
    index: u32,
}

/// A node of the tree and the way to it from the root.
#[derive(Clone)]
pub struct Node<'b> {
    tree: Tree<'b>,
    /// From the root's child to the node itself; empty for the root.
    levels: List<Level<'b>, { MAX_DEPTH - 1 }>,
    root: FdtNode<'b, 'b>,
}

impl<'b> Node<'b> {
    pub(super) fn root(tree: Tree<'b>, root: FdtNode<'b, 'b>) -> Self {
        Self { tree, levels: List::new(), root }
    }

    pub(super) fn enter(&mut self, child: FdtNode<'b, 'b>, index: u32) {
        self.levels.push(Level { node: child, index }).expect("a valid blob is no deeper than the list is long");
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    pub(super) fn raw(&self) -> FdtNode<'b, 'b> {
        self.levels.last().map_or(self.root, |level| level.node)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'b str> {
        self.levels.iter().map(|level| level.node.name)
    }

    /// The tree it belongs to.
    #[must_use]
    pub fn tree(&self) -> Tree<'b> {
        self.tree
    }

    /// Its place, which prints as its full path.
    #[must_use]
    pub fn place(&self) -> NodePath<'b> {
        NodePath { tree: self.tree, index: self.levels.last().map_or(0, |level| level.index) }
    }

    /// Its name with unit address; empty for the root.
    #[must_use]
    pub fn name(&self) -> &'b str {
        self.raw().name
    }

    /// The node it is a child of.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let mut parent = self.clone();
        parent.levels.pop().map(|_| parent)
    }

    /// The value of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'b [u8]> {
        self.raw().property(name).map(|property| property.value)
    }

    /// Names and values of its properties, in the order of the tree.
    pub fn properties(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        self.raw().properties().map(|property| (property.name, property.value))
    }

    /// The value of a property that must be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<&'b [u8], MachineError<'b>> {
        self.property(name).ok_or_else(|| self.error(name, Problem::Missing))
    }

    /// The property as one word, when it is one.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<u32> {
        let value = self.property(name)?;
        Cells::new(value).word().filter(|_| value.len() == 4)
    }

    /// Its phandle.
    #[must_use]
    pub fn phandle(&self) -> Option<u32> {
        self.word("phandle")
    }

    /// The strings of its `compatible` property, most specific first.
    pub fn compatible(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        strings(self.property("compatible").unwrap_or_default())
    }

    /// Whether `compatible` lists `binding`.
    #[must_use]
    pub fn is_compatible(&self, binding: &str) -> bool {
        self.compatible().any(|name| name == binding)
    }

    /// Whether neither it nor an ancestor has a `status` other than "okay".
    #[must_use]
    pub fn is_available(&self) -> bool {
        let okay = |node: FdtNode<'b, 'b>| match node.property("status") {
            Some(status) => matches!(text(status.value), Some("okay" | "ok")),
            None => true,
        };
        self.levels.iter().all(|level| okay(level.node)) && okay(self.root)
    }

    /// Whether its DMA is coherent: the nearest word on it among the node and its ancestors; not, when there is none.
    #[must_use]
    pub fn is_dma_coherent(&self) -> bool {
        let says = |node: FdtNode<'b, 'b>| {
            let coherent = node.property("dma-coherent").is_some();
            (coherent || node.property("dma-noncoherent").is_some()).then_some(coherent)
        };
        let nearest = self.levels.iter().rev().find_map(|level| says(level.node));
        nearest.or_else(|| says(self.root)).unwrap_or(false)
    }

    /// `#address-cells` for its children, 2 when absent.
    pub(crate) fn address_cells(&self) -> u32 {
        self.word("#address-cells").unwrap_or(2)
    }

    /// `#size-cells` for its children, 1 when absent.
    pub(crate) fn size_cells(&self) -> u32 {
        self.word("#size-cells").unwrap_or(1)
    }

    /// Its child of exactly this name; else, for a name without unit address, the first with any.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Self> {
        let without_address = |node: &Self| node.name().split_once('@').is_some_and(|(base, _)| base == name);
        self.find_child(|node| node.name() == name).or_else(|| self.find_child(without_address))
    }

    fn find_child(&self, mut wanted: impl FnMut(&Self) -> bool) -> Option<Self> {
        let depth = self.levels.len() + 1;
        self.visit_below(|node| {
            if node.levels.len() == depth && wanted(node) {
                ControlFlow::Break(node.clone())
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// Calls `visit` with every node below this one, until it breaks.
    pub(crate) fn visit_below<B>(&self, mut visit: impl FnMut(&Self) -> ControlFlow<B>) -> Option<B> {
        let place = self.place();
        super::descend(&mut self.clone(), &mut { place.index }, &mut |node: &Self| {
            if node.place() == place { ControlFlow::Continue(()) } else { visit(node) }
        })
        .break_value()
    }

    /// Calls `visit` with every node below this one, until it fails.
    pub(crate) fn try_each_below<E>(&self, mut visit: impl FnMut(&Self) -> Result<(), E>) -> Result<(), E> {
        let failed = self.visit_below(|node| match visit(node) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        });
        failed.map_or(Ok(()), Err)
    }

    /// An error about one of its properties.
    pub(crate) fn error(&self, property: &'static str, problem: Problem<'b>) -> MachineError<'b> {
        MachineError::new(self.place(), property, problem)
    }
}
