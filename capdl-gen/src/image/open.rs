//! A boot image taken apart again.

use std::fmt;

use sha2::{Digest as _, Sha256};
use sluice_abi::PAGE_SIZE;
use sluice_abi::image::{BootHeader, Checksum};
use sluice_spec::{PayloadHeader, System};

/// What a boot image holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The kernel.
    pub kernel: Part,
    /// The header.
    pub header: BootHeader,
    /// The root task's memory image.
    pub root_task: Part,
    /// The system, when there is a payload.
    pub system: Option<System>,
    /// The files of the payload, in the order of [`System::blobs`].
    pub files: Vec<Part>,
}

/// Some bytes of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// How many.
    pub len: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Part {
    fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { len: bytes.len() as u64, sha256 }
    }
}

/// Why a file is no boot image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// No page of it is a boot header that fits its length.
    NoHeader,
    /// The user pages are not the ones the header was made for.
    Checksum,
    /// The payload is damaged.
    Payload,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHeader => "no boot image: no page of it is a boot header that fits its length",
            Self::Checksum => "damaged boot image: the checksum of its user pages differs",
            Self::Payload => "damaged boot image: its payload holds no system",
        })
    }
}

/// Takes the image in `bytes` apart.
///
/// # Errors
/// [`OpenError`] when it is none.
pub fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    let page = PAGE_SIZE as usize;
    for (index, candidate) in bytes.chunks_exact(page).enumerate() {
        let mut words = [0; BootHeader::WORDS];
        for (word, value) in words.iter_mut().zip(super::words(candidate)) {
            *word = value;
        }
        let Ok(header) = BootHeader::decode(words) else { continue };
        let user = &bytes[(index + 1) * page..];
        if user.len() as u64 != header.user_pages * PAGE_SIZE {
            continue;
        }
        if Checksum::of(super::words(user)).value() != header.checksum {
            return Err(OpenError::Checksum);
        }
        let (root_task_len, system) = payload(user)?;
        let (root_task, rest) = user.split_at(root_task_len);
        let blobs = system.iter().flat_map(|system| &system.blobs);
        let file = |offset: u64, len: u64| rest.get(offset as usize..)?.get(..len as usize).map(Part::of);
        let files = blobs.map(|blob| file(blob.offset, blob.len).ok_or(OpenError::Payload));
        let files = files.collect::<Result<_, _>>()?;
        let (kernel, root_task) = (Part::of(&bytes[..index * page]), Part::of(root_task));
        return Ok(Opened { kernel, header, root_task, system, files });
    }
    Err(OpenError::NoHeader)
}

/// Bytes before the payload, and its system. The payload starts with the one page that is a payload header and says
/// that it ends where the image ends.
fn payload(user: &[u8]) -> Result<(usize, Option<System>), OpenError> {
    for (index, page) in user.chunks_exact(PAGE_SIZE as usize).enumerate() {
        let at = index * PAGE_SIZE as usize;
        let Ok(header) = PayloadHeader::decode(page) else { continue };
        if header.total_len.checked_next_multiple_of(PAGE_SIZE) != Some((user.len() - at) as u64) {
            continue;
        }
        let start = at + header.system_offset as usize;
        let encoded = user.get(start..start + header.system_len as usize).ok_or(OpenError::Payload)?;
        let system = System::decode(encoded).map_err(|_| OpenError::Payload)?;
        return Ok((at, Some(system)));
    }
    Ok((user.len(), None))
}
