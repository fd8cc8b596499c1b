//! A flattened device tree whose form has been checked.
//!
//! The reader that the rest of this crate is built on (`fdt` 0.1.5) indexes and unwraps its way through the blob. A boot
//! loader may hand over anything, so everything the reader assumes is checked here first: the header and its offsets,
//! the reservations' end, every token, name and value length, the depth of nesting, and the length of the cell counts.

mod error;
mod header;
mod nops;
mod slack;
mod structure;

use core::fmt;

use fdt::Fdt;

pub use error::{BlobError, Block};
pub use nops::remove_nops;
pub use slack::cut_slack;

/// Largest blob: the arm64 boot protocol lets a loader pass no more than 2 MiB.
pub const MAX_BLOB_BYTES: u32 = 2 << 20;
/// Deepest nesting of nodes, the root counted.
pub const MAX_DEPTH: usize = 16;
/// Most properties of one node.
pub const MAX_PROPERTIES: usize = 64;

/// A blob that can be read to its last byte without a surprise. Only [`validate`] makes one.
#[derive(Clone, Copy)]
pub struct ValidBlob<'a> {
    bytes: &'a [u8],
    pub(crate) fdt: Fdt<'a>,
}

impl<'a> ValidBlob<'a> {
    /// The blob, exactly `totalsize` bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for ValidBlob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValidBlob({} bytes)", self.bytes.len())
    }
}

/// Checks the whole blob that `bytes` begin with.
///
/// # Errors
/// The first thing found wrong with its form. What the tree says is not looked at.
pub fn validate(bytes: &[u8]) -> Result<ValidBlob<'_>, BlobError> {
    let blocks = header::blocks(bytes)?;
    structure::check(&blocks)?;
    let fdt = Fdt::new(blocks.blob)
        .map_err(|_| BlobError::Truncated { needed: blocks.blob.len() as u64, found: bytes.len() })?;
    Ok(ValidBlob { bytes: blocks.blob, fdt })
}
