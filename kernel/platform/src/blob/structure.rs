//! The structure block as a stream of tokens (Devicetree Specification 0.4, 5.4).

use super::header::{Blocks, word};
use super::{BlobError, MAX_DEPTH, MAX_PROPERTIES};

pub(super) const BEGIN_NODE: u32 = 1;
pub(super) const END_NODE: u32 = 2;
pub(super) const PROP: u32 = 3;
pub(super) const NOP: u32 = 4;
pub(super) const END: u32 = 9;

/// Properties that readers take as one word without looking at their length.
const ONE_WORD: [&[u8]; 4] = [b"#address-cells", b"#size-cells", b"#interrupt-cells", b"phandle"];

/// What the innermost open node has shown so far.
enum Within {
    /// Properties may follow.
    Properties,
    /// A child was closed: only children may follow.
    Children,
}

struct Stream<'a> {
    blocks: &'a Blocks<'a>,
    at: usize,
}

impl<'a> Stream<'a> {
    /// Offset in the blob, for messages.
    fn offset(&self) -> usize {
        self.blocks.structure_offset + self.at
    }

    fn word(&mut self) -> Result<u32, BlobError> {
        let value = word(self.blocks.structure, self.at).ok_or(BlobError::CutOff { offset: self.offset() })?;
        self.at += 4;
        Ok(value)
    }

    /// The next `len` bytes and their padding.
    fn take(&mut self, len: usize) -> Result<&'a [u8], BlobError> {
        let cut_off = BlobError::CutOff { offset: self.offset() };
        let end = self.at.checked_add(len).ok_or(cut_off)?;
        let padded = end.checked_next_multiple_of(4).ok_or(cut_off)?;
        if padded > self.blocks.structure.len() {
            return Err(cut_off);
        }
        let bytes = &self.blocks.structure[self.at..end];
        self.at = padded;
        Ok(bytes)
    }

    fn node_name(&mut self) -> Result<&'a [u8], BlobError> {
        let rest = &self.blocks.structure[self.at..];
        let len = terminated(rest).ok_or(BlobError::CutOff { offset: self.offset() })?.len();
        Ok(&self.take(len + 1)?[..len])
    }
}

/// The bytes before the first NUL.
fn terminated(bytes: &[u8]) -> Option<&[u8]> {
    let len = bytes.iter().position(|&byte| byte == 0)?;
    Some(&bytes[..len])
}

/// Checks every token from the root's to the end's.
pub(super) fn check(blocks: &Blocks<'_>) -> Result<(), BlobError> {
    let mut stream = Stream { blocks, at: 0 };
    begin_root(&mut stream)?;
    let mut depth = 1;
    let mut within = Within::Properties;
    let mut first_property = stream.at;
    while depth > 0 {
        let offset = stream.offset();
        let start = stream.at;
        match (stream.word()?, &within) {
            (BEGIN_NODE, _) => {
                if depth == MAX_DEPTH {
                    return Err(BlobError::TooDeep { offset });
                }
                let offset = stream.offset();
                if !is_node_name(stream.node_name()?) {
                    return Err(BlobError::NodeName { offset });
                }
                depth += 1;
                within = Within::Properties;
                first_property = stream.at;
            }
            (END_NODE, _) => {
                depth -= 1;
                within = Within::Children;
            }
            (PROP, Within::Properties) => {
                let name = property(&mut stream)?;
                check_unique(blocks, first_property, start, name)?;
            }
            (NOP, _) => return Err(BlobError::Nop { offset }),
            (token, _) => return Err(BlobError::UnexpectedToken { token, offset }),
        }
    }
    let offset = stream.offset();
    match stream.word()? {
        END => Ok(()),
        NOP => Err(BlobError::Nop { offset }),
        token => Err(BlobError::UnexpectedToken { token, offset }),
    }
}

fn begin_root(stream: &mut Stream<'_>) -> Result<(), BlobError> {
    let offset = stream.offset();
    match stream.word()? {
        BEGIN_NODE => {}
        NOP => return Err(BlobError::Nop { offset }),
        token => return Err(BlobError::UnexpectedToken { token, offset }),
    }
    let offset = stream.offset();
    if stream.node_name()?.is_empty() { Ok(()) } else { Err(BlobError::NodeName { offset }) }
}

/// Checks the property behind its token and returns its name.
fn property<'a>(stream: &mut Stream<'a>) -> Result<&'a [u8], BlobError> {
    let offset = stream.offset() - 4;
    let len = stream.word()? as usize;
    let name_offset = stream.word()? as usize;
    stream.take(len)?;
    let name = name_at(stream.blocks, name_offset).ok_or(BlobError::PropertyName { offset })?;
    if ONE_WORD.contains(&name) && len != 4 {
        return Err(BlobError::CellLength { offset });
    }
    Ok(name)
}

fn name_at<'a>(blocks: &Blocks<'a>, offset: usize) -> Option<&'a [u8]> {
    let name = terminated(blocks.strings.get(offset..)?)?;
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

/// That the properties between `first` and `this` (offsets in the structure block) do not have `name` already.
fn check_unique(blocks: &Blocks<'_>, first: usize, this: usize, name: &[u8]) -> Result<(), BlobError> {
    let offset = blocks.structure_offset + this;
    let mut earlier = Stream { blocks, at: first };
    let mut count = 1;
    while earlier.at < this {
        earlier.word()?;
        if property(&mut earlier)? == name {
            return Err(BlobError::DuplicateProperty { offset });
        }
        count += 1;
    }
    if count > MAX_PROPERTIES { Err(BlobError::TooManyProperties { offset }) } else { Ok(()) }
}

fn is_node_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
}
