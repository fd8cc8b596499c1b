//! Changes to a device-tree blob that keep its layout: what is removed becomes `FDT_NOP` tokens (Devicetree
//! Specification 0.4, 5.4.1), what is replaced keeps its length.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{BEGIN_NODE, END, END_NODE, NOP, PROP, cell, offset, text};

/// One change to a tree.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Path of the node.
    pub node: String,
    /// The property; without it the whole node is removed.
    pub property: Option<String>,
    /// The property's new cells; without them the property is removed.
    pub cells: Option<Vec<u32>>,
}

/// Where something is in the structure block: from its first token to behind its last byte.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    start: usize,
    end: usize,
}

/// Makes one change to `blob`.
///
/// # Errors
/// When the tree has no such node or property, or the new value has another length.
pub fn edit(blob: &mut [u8], edit: &Edit) -> Result<()> {
    let block = offset(blob, 8)?;
    let strings = blob.get(offset(blob, 12)?..).context("the strings block is outside the blob")?.to_vec();
    let structure = blob.get_mut(block..).context("the structure block is outside the blob")?;
    let place = find(structure, &strings, edit)?;
    match (&edit.property, &edit.cells) {
        (None, Some(_)) => bail!("{}: a node has no cells, a property has", edit.node),
        (_, None) => {
            for token in structure[place.start..place.end].chunks_exact_mut(4) {
                token.copy_from_slice(&NOP.to_be_bytes());
            }
        }
        (Some(property), Some(cells)) => {
            let value = &mut structure[place.start + 12..place.end];
            ensure!(value.len() == 4 * cells.len(), "{} {property} has {} bytes", edit.node, value.len());
            for (old, new) in value.chunks_exact_mut(4).zip(cells) {
                old.copy_from_slice(&new.to_be_bytes());
            }
        }
    }
    Ok(())
}

fn find(structure: &[u8], strings: &[u8], edit: &Edit) -> Result<Place> {
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let token = cell(structure, at)?;
        at += 4;
        match token {
            BEGIN_NODE => {
                let name = text(structure, at)?;
                at += (name.len() + 1).next_multiple_of(4);
                let path = match open.last() {
                    None => "/".to_owned(),
                    Some((parent, _)) => format!("{}/{name}", parent.trim_end_matches('/')),
                };
                open.push((path, start));
            }
            END_NODE => {
                let (path, start) = open.pop().context("a node ends that never began")?;
                if path == edit.node {
                    ensure!(
                        edit.property.is_none(),
                        "{path} has no property {}",
                        edit.property.as_deref().unwrap_or("")
                    );
                    return Ok(Place { start, end: at });
                }
            }
            PROP => {
                let len = offset(structure, at)?;
                let name = text(strings, offset(structure, at + 4)?)?;
                at += 8 + len.next_multiple_of(4);
                let here = open.last().is_some_and(|(path, _)| *path == edit.node);
                if here && edit.property.as_deref() == Some(name) {
                    return Ok(Place { start, end: at });
                }
            }
            NOP => {}
            END => bail!("the tree has no node {}", edit.node),
            other => bail!("unknown token {other:#x} in the structure block"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::blob;
    use super::super::to_source;
    use super::*;

    fn edited(node: &str, property: Option<&str>, cells: Option<&[u32]>) -> Result<String> {
        let mut blob = blob();
        let (property, cells) = (property.map(str::to_owned), cells.map(<[u32]>::to_vec));
        edit(&mut blob, &Edit { node: node.to_owned(), property, cells })?;
        to_source(&blob)
    }

    #[test]
    fn values_are_replaced_and_properties_and_nodes_removed() {
        let changed = edited("/n", Some("reg"), Some(&[9])).unwrap();
        assert!(changed.contains("reg = <0x9>;") && changed.contains("odd = [ab];"), "{changed}");
        let without = edited("/n", Some("odd"), None).unwrap();
        assert!(!without.contains("odd") && without.contains("reg = <0x7>;"), "{without}");
        assert_eq!(edited("/n", None, None).unwrap(), "/dts-v1/;\n\n/ {\n\tmodel = \"a\";\n};\n");
    }

    #[test]
    fn what_is_not_there_or_does_not_fit_is_refused() {
        for (node, property, cells, message) in [
            ("/m", None, None, "no node /m"),
            ("/n", Some("missing"), None, "/n has no property missing"),
            ("/", Some("reg"), None, "/ has no property reg"),
            ("/n", Some("reg"), Some([1, 2].as_slice()), "/n reg has 4 bytes"),
            ("/n", None, Some([1].as_slice()), "/n: a node has no cells"),
        ] {
            let error = edited(node, property, cells).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
