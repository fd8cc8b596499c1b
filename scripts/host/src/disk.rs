//! The disks a machine is given: one to read, one to write, and what the host says of them afterwards.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::transcript::Digest;
use crate::tree::Tree;

/// Bytes of a block: disks are whole blocks, so that QEMU rounds nothing behind our back.
pub(crate) const GRANULE: u64 = 512;
/// Every word of a written disk is its byte offset with these bits flipped.
const PATTERN: u64 = 0x5c5c_5c5c_5c5c_5c5c;

/// A disk to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disk {
    /// The file that QEMU is given.
    pub path: PathBuf,
    /// Where its content is from, for the user.
    pub origin: String,
}

impl Disk {
    /// The user's file: as it is when its size suits a disk, else a copy with zeros behind it.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or cannot be copied.
    pub fn from_file(tree: &Tree, file: &Path) -> Result<Self> {
        let path = file.canonicalize().with_context(|| format!("there is no file {}", file.display()))?;
        let len = std::fs::metadata(&path)?.len();
        ensure!(len > 0, "{} is empty", file.display());
        if len.is_multiple_of(GRANULE) {
            return Ok(Self { path, origin: format!("{len} bytes") });
        }
        let stem = path.file_name().context("a file has a name")?.to_string_lossy();
        let copy = folder(tree)?.join(format!("{stem}-padded.img"));
        let padding = len.next_multiple_of(GRANULE) - len;
        std::fs::copy(&path, &copy).with_context(|| format!("cannot copy {} for padding", file.display()))?;
        let copied = File::options().write(true).open(&copy)?;
        copied.set_len(len + padding)?;
        Ok(Self { path: copy, origin: format!("{len} bytes of {}, then {padding} zeros", path.display()) })
    }

    /// A disk of real content: the beginning of a large file of this machine's Rust, or a made-up pattern when there is
    /// none that large. `mib` is its size.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn default_for(tree: &Tree, mib: u64) -> Result<Self> {
        let path = folder(tree)?.join(format!("demo-{mib}.img"));
        let size = mib << 20;
        let source = large_library(size);
        let origin = match &source {
            Some(source) => format!("the first {mib} MiB of {}", source.display()),
            None => format!("{mib} MiB of a generated pattern"),
        };
        let mut file = BufWriter::new(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?);
        match source {
            Some(source) => {
                std::io::copy(&mut File::open(source)?.take(size), &mut file)?;
            }
            None => {
                generated().take(usize::try_from(size / 8)?).try_for_each(|word| file.write_all(&word.to_le_bytes()))?
            }
        }
        file.flush()?;
        Ok(Self { path, origin })
    }

    /// What a component that read the whole disk must print.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn digest(&self) -> Result<Digest> {
        let mut hash = Sha256::new();
        let mut file = File::open(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                len => {
                    hash.update(&buffer[..len]);
                    bytes += len as u64;
                }
            }
        }
        let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Digest { hex, bytes })
    }
}

/// A new disk of zeros, of `mib`, for the system `name` to write.
///
/// # Errors
/// When it cannot be made.
pub fn scratch(tree: &Tree, name: &str, mib: u64) -> Result<PathBuf> {
    let path = folder(tree)?.join(format!("{name}-scratch.img"));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.set_len(mib << 20)?;
    Ok(path)
}

/// Compares every word of a written disk; the number of bytes when all are as they must be.
///
/// # Errors
/// When the file cannot be read, or a word differs: the first such is named.
pub fn verify_scratch(path: &Path) -> Result<u64> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (words, rest) = bytes.as_chunks::<8>();
    ensure!(!words.is_empty() && rest.is_empty(), "{} has a size that no disk has", path.display());
    for (word, offset) in words.iter().zip((0u64..).step_by(8)) {
        let found = u64::from_le_bytes(*word);
        let wanted = offset ^ PATTERN;
        ensure!(found == wanted, "the written disk has {found:#018x} at byte {offset:#x} instead of {wanted:#018x}");
    }
    Ok(bytes.len() as u64)
}

/// Compares a written disk with the one it was copied from: `bytes` are copied, everything behind is as it was, zero. The number
/// of bytes compared.
///
/// # Errors
/// When a file cannot be read, or a byte differs: the first such is named.
pub fn verify_copy(source: &Path, path: &Path, bytes: u64) -> Result<u64> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (source, written) = (read(source)?, read(path)?);
    let bytes = usize::try_from(bytes)?;
    ensure!(source.len() >= bytes && written.len() >= bytes, "{} has less than {bytes} bytes", path.display());
    let wanted = source[..bytes].iter().copied().chain(std::iter::repeat(0));
    if let Some((at, (found, wanted))) =
        written.iter().zip(wanted).enumerate().find(|(_, (found, wanted))| **found != *wanted)
    {
        bail!("the written disk has {found:#04x} at byte {at:#x} instead of {wanted:#04x}");
    }
    Ok(written.len() as u64)
}

/// A file that is not there yet, for what the peer of the system `name` is sent.
///
/// # Errors
/// When an earlier one cannot be removed.
pub fn sent(tree: &Tree, name: &str) -> Result<PathBuf> {
    let path = folder(tree)?.join(format!("{name}-sent"));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(path),
    }
}

/// Where disks are made; it exists afterwards.
pub(crate) fn folder(tree: &Tree) -> Result<PathBuf> {
    let folder = tree.build().join("disks");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The compiler's own library is a large file wherever this program could be built.
fn large_library(size: u64) -> Option<PathBuf> {
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let library = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()).join("lib");
    let is_large = |path: &PathBuf| path.metadata().is_ok_and(|data| data.is_file() && data.len() >= size);
    let mut large: Vec<PathBuf> =
        std::fs::read_dir(library).ok()?.flatten().map(|entry| entry.path()).filter(is_large).collect();
    large.sort();
    large.into_iter().next()
}

/// Words without an apparent pattern, the same every time (xorshift64, Marsaglia 2003).
fn generated() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15u64), |word| {
        let word = word ^ (word << 13);
        let word = word ^ (word >> 7);
        Some(word ^ (word << 17))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of our own, gone with the value.
    struct Own(PathBuf);

    impl Own {
        fn with(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("sluice-disk-{}-{name}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    fn written(len: u64) -> Vec<u8> {
        (0..len).step_by(8).flat_map(|offset| (offset ^ PATTERN).to_le_bytes()).collect()
    }

    #[test]
    fn a_written_disk_is_compared_word_by_word() {
        let mut content = written(8192);
        assert_eq!(verify_scratch(&Own::with("good", &content).0).unwrap(), 8192);
        content[4096 + 9] ^= 1;
        let error = verify_scratch(&Own::with("bad", &content).0).unwrap_err().to_string();
        assert!(error.contains("at byte 0x1008 "), "{error}");
    }

    #[test]
    fn a_copy_is_compared_to_the_last_byte() {
        let source = Own::with("source", &[7; 1024]);
        let copy = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut content = [vec![7; 512], vec![0; 512]].concat();
            change(&mut content);
            let copy = Own::with(name, &content);
            verify_copy(&source.0, &copy.0, 512).map_err(|error| error.to_string())
        };
        assert_eq!(copy("same", &|_| {}), Ok(1024));
        assert!(copy("lost", &|content| content[511] = 0).unwrap_err().contains("0x00 at byte 0x1ff instead of 0x07"));
        assert!(copy("more", &|content| content[1023] = 1).unwrap_err().contains("0x01 at byte 0x3ff instead of 0x00"));
        assert!(copy("short", &|content| content.truncate(511)).is_err());
        assert!(verify_copy(&source.0, &Own::with("large", &[7; 2048]).0, 2048).is_err());
    }

    #[test]
    fn a_disk_nobody_wrote_or_a_short_one_is_refused() {
        assert!(verify_scratch(&Own::with("zeros", &[0; 4096]).0).is_err());
        assert!(verify_scratch(&Own::with("empty", &[]).0).is_err());
        assert!(verify_scratch(&Own::with("odd", &written(16)[..15]).0).is_err());
    }

    #[test]
    fn a_digest_is_that_of_the_file() {
        let own = Own::with("abc", b"abc");
        let digest = Disk { path: own.0.clone(), origin: String::new() }.digest().unwrap();
        assert_eq!(digest.bytes, 3);
        assert_eq!(digest.hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_file_of_a_disks_size_is_used_as_it_is() {
        let tree = Tree::of_this_program().unwrap();
        let own = Own::with("whole", &[7; 1536]);
        let disk = Disk::from_file(&tree, &own.0).unwrap();
        assert_eq!(disk.path, own.0.canonicalize().unwrap());
        assert!(Disk::from_file(&tree, &Own::with("nothing", &[]).0).is_err());
    }

    #[test]
    fn another_file_is_padded_with_zeros_in_a_copy() {
        let tree = Tree::of_this_program().unwrap();
        let own = Own::with("part", &[7; 5000]);
        let disk = Disk::from_file(&tree, &own.0).unwrap();
        let content = std::fs::read(&disk.path).unwrap();
        assert_eq!(content.len(), 5120);
        assert!(content[..5000].iter().all(|byte| *byte == 7) && content[5000..].iter().all(|byte| *byte == 0));
        assert_eq!(std::fs::metadata(&own.0).unwrap().len(), 5000);
        assert!(disk.origin.contains("120 zeros"), "{}", disk.origin);
        std::fs::remove_file(disk.path).unwrap();
    }
}
