//! The UART that firmware and kernel print on (bindings "arm,pl011" and `/chosen`).

use crate::interrupt::{Interrupt, interrupts};
use crate::registers::first_register;
use crate::tree::{Node, NodePath, Tree, text};
use crate::{MachineError, Problem, Region, ValidBlob};

const BINDING: &str = "arm,pl011";

/// A PL011.
#[derive(Clone, Copy, Debug)]
pub struct Console<'b> {
    /// Its node.
    pub path: NodePath<'b>,
    /// Registers.
    pub registers: Region,
    /// Its interrupt, if it has one.
    pub interrupt: Option<Interrupt>,
}

impl Console<'_> {
    /// Registers of the console of a machine that may be unusable otherwise, to say so on it.
    #[must_use]
    pub fn registers_of(blob: &ValidBlob<'_>) -> Option<Region> {
        first_register(&console_node(Tree::new(blob)).ok()??).ok()
    }
}

/// The UART that `/chosen` names as `stdout-path`, else the one behind the alias `serial0`, else none.
pub(crate) fn console(tree: Tree<'_>) -> Result<Option<Console<'_>>, MachineError<'_>> {
    let Some(node) = console_node(tree)? else { return Ok(None) };
    let registers = first_register(&node)?;
    Ok(Some(Console { path: node.place(), registers, interrupt: interrupts(&node)?.get(0).copied() }))
}

/// The node of the console, a PL011.
fn console_node(tree: Tree<'_>) -> Result<Option<Node<'_>>, MachineError<'_>> {
    let chosen = tree.root().child("chosen");
    let stdout = chosen.as_ref().and_then(|chosen| Some((chosen, chosen.property("stdout-path")?)));
    let node = match stdout {
        Some((chosen, value)) => Some(stdout_node(chosen, value)?),
        None => tree.alias("serial0"),
    };
    let Some(node) = node else { return Ok(None) };
    if !node.is_compatible(BINDING) {
        let found = node.compatible().next().unwrap_or_default();
        return Err(node.error("compatible", Problem::Unsupported { found, wanted: "a console with \"arm,pl011\"" }));
    }
    Ok(Some(node))
}

/// The node that `stdout-path` names by path or alias, with what follows a colon left out.
fn stdout_node<'b>(chosen: &Node<'b>, value: &'b [u8]) -> Result<Node<'b>, MachineError<'b>> {
    let value = text(value).ok_or_else(|| chosen.error("stdout-path", Problem::NoString))?;
    let name = value.split_once(':').map_or(value, |(name, _)| name);
    let tree = chosen.tree();
    let node = if name.starts_with('/') { tree.path(name) } else { tree.alias(name) };
    node.ok_or_else(|| chosen.error("stdout-path", Problem::NoSuchPath(name)))
}
