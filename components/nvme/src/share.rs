//! What each client of the block server has of the disk and of memory, and what its messages may ask for.
//!
//! A message is its sender's word. Its words were copied when it was received; each is used only after it was compared with what the
//! sender has. Nothing that a message says names a block of another client's, or memory other than the client's region.

use core::fmt;

use sluice_abi::Iova;
use sluice_manifest::block::{FLUSH, GEOMETRY, READ, WRITE};

/// What an argument of the spec gives a client: `FIRST BLOCKS REGION`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant<'a> {
    /// First block on the disk.
    pub first: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// Name of the region that its data is in.
    pub region: &'a str,
}

/// Why the spec's arguments cannot be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw<'a> {
    /// The argument is not of the form above.
    Form(&'a str),
    /// The blocks are none, or not all on the disk.
    Blocks(Grant<'a>),
    /// Two clients have a block in common.
    Overlap(Grant<'a>, Grant<'a>),
    /// A region is given twice, or is the driver's own.
    Region(&'a str),
    /// A region has no room for a block.
    Small(&'a str),
}

/// What a client has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    first: u64,
    blocks: u64,
    memory: Iova,
    places: u64,
    block_bytes: u64,
    most: u64,
}

/// The disk, as far as requests depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks there are.
    pub blocks: u64,
    /// Most bytes of one transfer.
    pub max_transfer: u64,
}

/// A transfer that its client may have: all of it is in the client's blocks and in its region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// First block on the disk.
    pub lba: u64,
    /// Number of blocks, at least one.
    pub blocks: u32,
    /// Where the controller finds the memory.
    pub memory: Iova,
}

/// What a client may have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// To be told what it has: the answer's words.
    Geometry([u64; 4]),
    /// Blocks into memory.
    Read(Transfer),
    /// Memory into blocks.
    Write(Transfer),
    /// Durability.
    Flush,
}

/// Why a message is answered with an error; the number is the label of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Refusal {
    /// The label is no request.
    Label = 1,
    /// The message has too few words.
    Words = 2,
    /// No blocks, or more than one transfer may have.
    Count = 3,
    /// Blocks that are not in the client's range.
    Blocks = 4,
    /// Places that are not in the client's region.
    Memory = 5,
    /// The sender is no client, or has no share.
    Client = 6,
    /// The disk could not.
    Disk = 7,
}

impl<'a> Grant<'a> {
    /// The grant in an argument.
    ///
    /// # Errors
    /// [`Flaw::Form`].
    pub fn parse(text: &'a str) -> Result<Self, Flaw<'a>> {
        let mut words = text.split_ascii_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (Some(first), Some(blocks)) = (number(), number()) else { return Err(Flaw::Form(text)) };
        match (words.next(), words.next()) {
            (Some(region), None) => Ok(Self { first, blocks, region }),
            _ => Err(Flaw::Form(text)),
        }
    }

    /// Whether a block is in both; of ranges that [`Grant::check`] accepts.
    const fn overlaps(&self, other: &Self) -> bool {
        self.first < other.first.saturating_add(other.blocks) && other.first < self.first.saturating_add(self.blocks)
    }

    /// Checks one of all `grants` against the disk, the others, and the driver's own region.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, grants: &[Self], disk: &Format, own: &str) -> Result<(), Flaw<'a>> {
        let end = self.first.checked_add(self.blocks);
        if self.blocks == 0 || end.is_none_or(|end| end > disk.blocks) {
            return Err(Flaw::Blocks(*self));
        }
        let others = || grants.iter().filter(|other| !core::ptr::eq(*other, self));
        if let Some(other) = others().find(|other| self.overlaps(other)) {
            return Err(Flaw::Overlap(*self, *other));
        }
        if self.region == own || others().any(|other| other.region == self.region) {
            return Err(Flaw::Region(self.region));
        }
        Ok(())
    }

    /// The share, with `bytes` of memory that the controller finds at `memory`.
    ///
    /// # Errors
    /// [`Flaw::Small`].
    pub fn share(&self, disk: &Format, memory: Iova, bytes: u64) -> Result<Share, Flaw<'a>> {
        // A transfer's number of blocks has 16 bits (NVM Express 1.4, 6.9).
        let most = (disk.max_transfer / disk.block_bytes).min(0x1_0000);
        let places = bytes / disk.block_bytes;
        if places == 0 || most == 0 || memory.0.checked_add(bytes).is_none() {
            return Err(Flaw::Small(self.region));
        }
        let Self { first, blocks, .. } = *self;
        Ok(Share { first, blocks, memory, places, block_bytes: disk.block_bytes, most })
    }
}

impl Share {
    /// What a message of the share's client asks for.
    ///
    /// # Errors
    /// When it is no request, or asks for more than the client has.
    pub fn admit(&self, label: u64, words: &[u64]) -> Result<Request, Refusal> {
        match label {
            GEOMETRY => Ok(Request::Geometry([self.block_bytes, self.blocks, self.places, self.most])),
            READ => self.transfer(words).map(Request::Read),
            WRITE => self.transfer(words).map(Request::Write),
            FLUSH => Ok(Request::Flush),
            _ => Err(Refusal::Label),
        }
    }

    fn transfer(&self, words: &[u64]) -> Result<Transfer, Refusal> {
        let &[first, count, place, ..] = words else { return Err(Refusal::Words) };
        if count == 0 || count > self.most {
            return Err(Refusal::Count);
        }
        if !inside(first, count, self.blocks) {
            return Err(Refusal::Blocks);
        }
        if !inside(place, count, self.places) {
            return Err(Refusal::Memory);
        }
        // `place` is below `places`, and all of these are below the region's end.
        let memory = self.memory.offset(place * self.block_bytes);
        Ok(Transfer { lba: self.first + first, blocks: count as u32, memory })
    }
}

/// Whether `count` from `first` on are all below `end`.
fn inside(first: u64, count: u64, end: u64) -> bool {
    first.checked_add(count).is_some_and(|last| last <= end)
}

impl fmt::Display for Flaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(text) => write!(f, "`{text}` is not `FIRST BLOCKS REGION`"),
            Self::Blocks(Grant { first, blocks, .. }) => write!(f, "the disk does not have {blocks} blocks at {first}"),
            Self::Overlap(one, other) => write!(
                f,
                "{} blocks at {} and {} blocks at {} have blocks in common",
                one.blocks, one.first, other.blocks, other.first
            ),
            Self::Region(name) => write!(f, "region `{name}` is somebody else's already"),
            Self::Small(name) => write!(f, "region `{name}` has no room for a block"),
        }
    }
}

#[cfg(test)]
mod tests;
