//! A boot image taken apart again.

use std::fmt;

use sluice_abi::PAGE_SIZE;
use sluice_abi::image::{BootHeader, Checksum};
use sluice_spec::{PayloadHeader, System};

/// What a boot image holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Bytes of the kernel.
    pub kernel_len: u64,
    /// The header.
    pub header: BootHeader,
    /// Bytes of the root task's memory image.
    pub root_task_len: u64,
    /// The system, when there is a payload.
    pub system: Option<System>,
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
        return Ok(Opened { kernel_len: (index * page) as u64, header, root_task_len, system });
    }
    Err(OpenError::NoHeader)
}

/// Bytes before the payload, and its system. The payload starts with the one page that is a payload header and says
/// that it ends where the image ends.
fn payload(user: &[u8]) -> Result<(u64, Option<System>), OpenError> {
    for (index, page) in user.chunks_exact(PAGE_SIZE as usize).enumerate() {
        let at = index * PAGE_SIZE as usize;
        let Ok(header) = PayloadHeader::decode(page) else { continue };
        if header.total_len.checked_next_multiple_of(PAGE_SIZE) != Some((user.len() - at) as u64) {
            continue;
        }
        let start = at + header.system_offset as usize;
        let encoded = user.get(start..start + header.system_len as usize).ok_or(OpenError::Payload)?;
        let system = System::decode(encoded).map_err(|_| OpenError::Payload)?;
        return Ok((at as u64, Some(system)));
    }
    Ok((user.len() as u64, None))
}
