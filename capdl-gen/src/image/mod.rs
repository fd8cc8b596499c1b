//! The boot image: kernel, header page, root task, payload.
//!
//! The same inputs make the same bytes: nothing here looks at a clock, a path or the order of a hash table.

mod elf;
mod open;
mod payload;

use std::fmt;

use sluice_abi::image::{BootHeader, BootHeaderError, Checksum, arm64};
use sluice_abi::{PAGE_SIZE, USER_TOP, VirtAddr};

pub use elf::{Elf, ElfError, Flat, Placement};
pub use open::{OpenError, Opened, Part, open};
pub use payload::{File, pack as pack_payload};

/// Why no image can be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImageError {
    /// The kernel's ELF cannot be used.
    Kernel(ElfError),
    /// The kernel does not start with an arm64 Image header.
    KernelHeader(&'static str),
    /// The root task's ELF cannot be used.
    RootTask(ElfError),
    /// The root task ends at this address, where its IPC buffer and boot information no longer fit.
    Addresses(u64),
    /// The kernel would refuse the root task.
    Header(BootHeaderError),
}

impl ImageError {
    /// Whether the kernel's file is to blame, not the root task's.
    #[must_use]
    pub const fn is_about_kernel(&self) -> bool {
        match self {
            Self::Kernel(_) | Self::KernelHeader(_) => true,
            Self::RootTask(_) | Self::Addresses(_) | Self::Header(_) => false,
        }
    }
}

/// Fewest pages that the kernel maps behind the root task: its IPC buffer and boot information.
const PAGES_BEHIND: u64 = 2;

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => write!(f, "kernel: {error}"),
            Self::KernelHeader(what) => write!(f, "kernel: {what}"),
            Self::RootTask(error) => write!(f, "root task: {error}"),
            Self::Addresses(end) => write!(
                f,
                "root task: it ends at {end:#x}; with its IPC buffer and boot information behind it, that is beyond \
                the last user address, {USER_TOP:#x}"
            ),
            Self::Header(error) => write!(f, "root task: {error}"),
        }
    }
}

/// The boot image of a kernel and a root task (both ELF files), and a payload of whole pages, which may be empty.
///
/// # Errors
/// [`ImageError`] names the file that cannot be used.
pub fn pack(kernel: &[u8], root_task: &[u8], payload: &[u8], cnode_bits: u64) -> Result<Vec<u8>, ImageError> {
    let mut image = kernel_image(kernel)?;
    let root = Elf::parse(root_task).map_err(ImageError::RootTask)?;
    if root.end() > USER_TOP - PAGES_BEHIND * PAGE_SIZE {
        return Err(ImageError::Addresses(root.end()));
    }
    let mut user = root.flatten(Placement::Virtual).map_err(ImageError::RootTask)?;
    user.bytes.extend_from_slice(payload);
    let header = BootHeader {
        user_vstart: VirtAddr(user.base),
        user_pages: user.bytes.len() as u64 / PAGE_SIZE,
        user_entry: VirtAddr(root.entry()),
        cnode_bits,
        checksum: Checksum::of(words(&user.bytes)).value(),
    };
    BootHeader::decode(header.encode()).map_err(ImageError::Header)?;
    let mut page = vec![0; PAGE_SIZE as usize];
    for (chunk, word) in page.chunks_exact_mut(8).zip(header.encode()) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    image.extend_from_slice(&page);
    image.extend_from_slice(&user.bytes);
    let size = (image.len() as u64).next_multiple_of(arm64::SIZE_GRANULE);
    image[arm64::IMAGE_SIZE..arm64::IMAGE_SIZE + 8].copy_from_slice(&size.to_le_bytes());
    Ok(image)
}

/// The kernel's memory image, which a loader can start.
fn kernel_image(kernel: &[u8]) -> Result<Vec<u8>, ImageError> {
    let elf = Elf::parse(kernel).map_err(ImageError::Kernel)?;
    let bytes = elf.flatten(Placement::Physical).map_err(ImageError::Kernel)?.bytes;
    let magic = bytes.get(arm64::MAGIC_AT..arm64::MAGIC_AT + arm64::MAGIC.len());
    if magic != Some(&arm64::MAGIC) {
        return Err(ImageError::KernelHeader("its first segment does not start with an arm64 Image header"));
    }
    if bytes[arm64::FLAGS] & 1 != 0 {
        return Err(ImageError::KernelHeader("its arm64 Image header says big-endian"));
    }
    Ok(bytes)
}

/// Whole little-endian words of `bytes`.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(std::array::from_fn(|i| chunk[i])))
}
