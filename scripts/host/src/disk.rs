//! The disks a machine is given: one to read, one to write, and what the host says of them afterwards.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::transcript::Digest;
use crate::tree::Tree;

/// Bytes of a block: disks are whole blocks, so that QEMU rounds nothing behind our back.
const GRANULE: u64 = 512;
/// Size of the disk that is made when the user names none.
const DEFAULT_SIZE: u64 = 64 << 20;
/// Size of the disk that a system writes.
const SCRATCH_SIZE: u64 = 16 << 20;
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
    /// none that large.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn default_for(tree: &Tree) -> Result<Self> {
        let path = folder(tree)?.join("demo.img");
        let source = large_library();
        let origin = match &source {
            Some(source) => format!("the first {} MiB of {}", DEFAULT_SIZE >> 20, source.display()),
            None => format!("{} MiB of a generated pattern", DEFAULT_SIZE >> 20),
        };
        let mut file = BufWriter::new(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?);
        match source {
            Some(source) => {
                std::io::copy(&mut File::open(source)?.take(DEFAULT_SIZE), &mut file)?;
            }
            None => generated()
                .take(usize::try_from(DEFAULT_SIZE / 8)?)
                .try_for_each(|word| file.write_all(&word.to_le_bytes()))?,
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

/// A new disk of zeros for the system `name` to write.
///
/// # Errors
/// When it cannot be made.
pub fn scratch(tree: &Tree, name: &str) -> Result<PathBuf> {
    let path = folder(tree)?.join(format!("{name}-scratch.img"));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.set_len(SCRATCH_SIZE)?;
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

fn folder(tree: &Tree) -> Result<PathBuf> {
    let folder = tree.build().join("disks");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The compiler's own library is a large file wherever this program could be built.
fn large_library() -> Option<PathBuf> {
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let library = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()).join("lib");
    let is_large = |path: &PathBuf| path.metadata().is_ok_and(|data| data.is_file() && data.len() >= DEFAULT_SIZE);
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
