//! Full paths of nodes.

use core::fmt;
use core::ops::ControlFlow;

use super::{Node, Tree};

/// The place of a node in its tree: small, and prints as the node's full path.
#[derive(Clone, Copy)]
pub struct NodePath<'b> {
    pub(super) tree: Tree<'b>,
    /// Position among all nodes in the order of the blob.
    pub(super) index: u32,
}

impl<'b> NodePath<'b> {
    /// The node.
    #[must_use]
    pub fn node(&self) -> Node<'b> {
        // a path is only made of a node of the tree
        self.tree.find(|node| node.place().index == self.index).unwrap_or_else(|| self.tree.root())
    }

    /// Whether this is the full path `path`, unit addresses included.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        struct Rest<'s>(&'s str);
        impl fmt::Write for Rest<'_> {
            fn write_str(&mut self, part: &str) -> fmt::Result {
                self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
                Ok(())
            }
        }
        let mut rest = Rest(path);
        fmt::write(&mut rest, format_args!("{self}")).is_ok() && rest.0.is_empty()
    }
}

impl fmt::Display for NodePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.index == 0 {
            return f.write_str("/");
        }
        let written = self.tree.visit(|node| {
            if node.place().index != self.index {
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(node.names().try_for_each(|name| write!(f, "/{name}")))
        });
        written.unwrap_or(Ok(()))
    }
}

impl fmt::Debug for NodePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Of paths in one tree; comparing paths of different trees says nothing.
impl PartialEq for NodePath<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for NodePath<'_> {}
