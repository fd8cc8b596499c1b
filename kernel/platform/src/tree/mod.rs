//! The nodes of a valid blob, with what the reader underneath does not keep: ancestors and paths.

mod node;
mod path;
mod property;

use core::ops::ControlFlow;

use fdt::Fdt;

use crate::ValidBlob;

pub use node::Node;
pub use path::NodePath;
pub(crate) use property::{Cells, strings, text};

/// The tree in a valid blob.
#[derive(Clone, Copy)]
pub struct Tree<'b> {
    fdt: &'b Fdt<'b>,
}

impl<'b> Tree<'b> {
    /// The tree of `blob`.
    #[must_use]
    pub fn new(blob: &'b ValidBlob<'_>) -> Self {
        Self { fdt: &blob.fdt }
    }

    /// The root node.
    #[must_use]
    pub fn root(self) -> Node<'b> {
        // a valid blob begins with the root's token, which is the one the reader looks for
        Node::root(self, self.fdt.find_node("/").expect("a valid blob has a root"))
    }

    /// Calls `visit` with every node, parents before children and in the order of the blob, until it breaks.
    pub fn visit<B>(self, mut visit: impl FnMut(&Node<'b>) -> ControlFlow<B>) -> Option<B> {
        descend(&mut self.root(), &mut 0, &mut visit).break_value()
    }

    /// The first node for which `wanted` holds.
    #[must_use]
    pub fn find(self, mut wanted: impl FnMut(&Node<'b>) -> bool) -> Option<Node<'b>> {
        self.visit(|node| if wanted(node) { ControlFlow::Break(node.clone()) } else { ControlFlow::Continue(()) })
    }

    /// The node with this phandle.
    #[must_use]
    pub fn phandle(self, phandle: u32) -> Option<Node<'b>> {
        self.find(|node| node.phandle() == Some(phandle))
    }

    /// The node at a full path; a component without unit address means the first node of that name.
    #[must_use]
    pub fn path(self, path: &str) -> Option<Node<'b>> {
        let mut node = self.root();
        let below_root = path.strip_prefix('/')?;
        for name in below_root.split('/').filter(|name| !name.is_empty()) {
            node = node.child(name)?;
        }
        Some(node)
    }

    /// The node that a property of `/aliases` names.
    #[must_use]
    pub fn alias(self, name: &str) -> Option<Node<'b>> {
        let aliases = self.root().child("aliases")?;
        self.path(text(aliases.property(name)?)?)
    }

    /// The memory reservation block: pairs of address and bytes.
    pub(crate) fn reservations(self) -> impl Iterator<Item = (u64, u64)> {
        self.fdt.memory_reservations().map(|entry| (entry.address().addr() as u64, entry.size() as u64))
    }
}

/// Visits `node` and everything below it; `index` is the node's position in the blob.
fn descend<'b, B>(
    node: &mut Node<'b>,
    index: &mut u32,
    visit: &mut impl FnMut(&Node<'b>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    visit(node)?;
    for child in node.raw().children() {
        *index += 1;
        node.enter(child, *index);
        descend(node, index, visit)?;
        node.leave();
    }
    ControlFlow::Continue(())
}
