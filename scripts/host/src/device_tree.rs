//! A flattened device tree as source text, so that two trees can be compared and read.
//!
//! The blob's format is the Devicetree Specification 0.4, chapter 5. Properties carry no types; a value is written as
//! strings when it can be nothing but strings, as cells when its length allows, and as bytes otherwise.

mod edit;

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

pub use edit::{Edit, edit};

const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// What a loader draws anew at every start.
const SEEDS: [&str; 2] = ["kaslr-seed", "rng-seed"];

/// The tree in `blob` as source text, without its random seeds.
///
/// # Errors
/// When `blob` is no well-formed device tree.
pub fn to_source(blob: &[u8]) -> Result<String> {
    ensure!(cell(blob, 0)? == MAGIC, "no device tree: the magic number is missing");
    let structure = blob.get(offset(blob, 8)?..).context("the structure block is outside the blob")?;
    let strings = blob.get(offset(blob, 12)?..).context("the strings block is outside the blob")?;
    let mut source = String::from("/dts-v1/;\n");
    let mut depth = 0usize;
    let mut at = 0;
    loop {
        let token = cell(structure, at)?;
        at += 4;
        match token {
            BEGIN_NODE => {
                let name = text(structure, at)?;
                at += (name.len() + 1).next_multiple_of(4);
                let shown = if depth == 0 { "/" } else { name };
                write!(source, "\n{}{shown} {{\n", "\t".repeat(depth))?;
                depth += 1;
            }
            END_NODE => {
                depth = depth.checked_sub(1).context("a node ends that never began")?;
                writeln!(source, "{}}};", "\t".repeat(depth))?;
            }
            PROP => {
                let len = offset(structure, at)?;
                let name = text(strings, offset(structure, at + 4)?)?;
                let value = structure.get(at + 8..at + 8 + len).with_context(|| format!("{name} is cut off"))?;
                at += 8 + len.next_multiple_of(4);
                if !SEEDS.contains(&name) {
                    writeln!(source, "{}{name}{};", "\t".repeat(depth), shown_value(value))?;
                }
            }
            NOP => {}
            END => {
                ensure!(depth == 0, "the tree ends inside a node");
                return Ok(source);
            }
            other => bail!("unknown token {other:#x} in the structure block"),
        }
    }
}

fn shown_value(value: &[u8]) -> String {
    if value.is_empty() {
        return String::new();
    }
    if let Some(strings) = as_strings(value) {
        let quoted: Vec<String> = strings.iter().map(|string| format!("\"{string}\"")).collect();
        return format!(" = {}", quoted.join(", "));
    }
    let (cells, rest) = value.as_chunks::<4>();
    if rest.is_empty() {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{:#x}", u32::from_be_bytes(*cell))).collect();
        return format!(" = <{}>", cells.join(" "));
    }
    let bytes: Vec<String> = value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(" = [{}]", bytes.join(" "))
}

fn as_strings(value: &[u8]) -> Option<Vec<&str>> {
    let body = std::str::from_utf8(value.strip_suffix(&[0])?).ok()?;
    let strings: Vec<&str> = body.split('\0').collect();
    let printable = |string: &&str| {
        !string.is_empty() && string.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte))
    };
    strings.iter().all(printable).then_some(strings)
}

fn cell(bytes: &[u8], at: usize) -> Result<u32> {
    let cell = bytes.get(at..).and_then(<[u8]>::first_chunk).context("the blob is cut off")?;
    Ok(u32::from_be_bytes(*cell))
}

fn offset(bytes: &[u8], at: usize) -> Result<usize> {
    Ok(usize::try_from(cell(bytes, at)?)?)
}

fn text(bytes: &[u8], at: usize) -> Result<&str> {
    let rest = bytes.get(at..).context("a name is outside its block")?;
    let len = rest.iter().position(|byte| *byte == 0).context("a name has no end")?;
    Ok(std::str::from_utf8(&rest[..len])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/ { model = "a"; kaslr-seed = <1>; n { reg = <7>; odd = [ab]; }; };`
    pub(super) fn blob() -> Vec<u8> {
        let strings = b"model\0kaslr-seed\0reg\0odd\0";
        let mut structure = Vec::new();
        let mut token = |words: &[u32], bytes: &[u8]| {
            words.iter().for_each(|word| structure.extend(word.to_be_bytes()));
            structure.extend(bytes);
            structure.resize(structure.len().next_multiple_of(4), 0);
        };
        token(&[BEGIN_NODE], b"\0");
        token(&[PROP, 2, 0], b"a\0");
        token(&[PROP, 4, 6], &1u32.to_be_bytes());
        token(&[NOP, BEGIN_NODE], b"n\0");
        token(&[PROP, 4, 17], &7u32.to_be_bytes());
        token(&[PROP, 1, 21], &[0xab]);
        token(&[END_NODE, END_NODE, END], b"");
        let mut blob = Vec::new();
        for word in [MAGIC, 0, 40, 40 + u32::try_from(structure.len()).unwrap(), 0, 17, 16, 0, 0, 0] {
            blob.extend(word.to_be_bytes());
        }
        blob.extend(structure);
        blob.extend(strings);
        blob
    }

    #[test]
    fn values_are_shown_by_what_they_can_be_and_seeds_left_out() {
        assert_eq!(
            to_source(&blob()).unwrap(),
            "/dts-v1/;\n\n/ {\n\tmodel = \"a\";\n\n\tn {\n\t\treg = <0x7>;\n\t\todd = [ab];\n\t};\n};\n"
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let blob = blob();
        for len in 0..blob.len() {
            assert!(to_source(&blob[..len]).is_err(), "a blob of {len} bytes was read");
        }
        assert!(to_source(&[0; 64]).unwrap_err().to_string().contains("magic"));
    }
}
