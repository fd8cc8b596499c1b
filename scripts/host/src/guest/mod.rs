//! What guests boot: kernels of Debian as Debian builds them, and an initramfs of our own beside each.
//!
//! The packages are fetched through a private state of APT that knows the machine's own sources and the architecture arm64,
//! so that nothing of the machine's package state changes and nobody need be root. Kept in one folder: the kernels, the
//! modules that the initramfs has, busybox, and [`Manifest`], which tells where each file came from and what it is.

mod apt;
mod initramfs;
mod manifest;
mod module;
mod sources;
mod trial;
mod unpack;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use manifest::{Busybox, Kernel, Manifest, Stored};
pub use trial::run as try_all;

use crate::tree::{System, Tree};

/// Names another folder than `build/guest`, which several trees can share.
pub const FOLDER_VARIABLE: &str = "SLUICE_GUEST";

/// The series of Linux that guests run.
pub const SERIES: [&str; 2] = ["6.12", "6.1"];

/// Drivers of the devices that guests are given; a kernel may have some built in.
const MODULES: [&str; 6] = ["nvme", "e1000e", "igb", "virtio_pci", "virtio_blk", "virtio_net"];

/// What a root file system needs, which a guest loads when it is told of one. ext4 asks the kernel's crypto API for `crc32c`; that
/// is an alias of the module that has it, which names of files do not tell.
const ROOT_MODULES: [&str; 2] = ["crc32c_generic", "ext4"];

/// The guests' files, all there and as the manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payloads {
    folder: PathBuf,
    manifest: Manifest,
}

impl Payloads {
    /// The files, fetched where they are missing or damaged. With `refresh` the newest are fetched in any case.
    ///
    /// # Errors
    /// When they cannot be had; the message says what to do.
    pub fn prepare(tree: &Tree, refresh: bool) -> Result<Self> {
        let folder = folder(tree);
        let payloads = match Manifest::read(&folder).filter(|manifest| !refresh && manifest.is_complete(&folder)) {
            Some(manifest) => Self { folder, manifest },
            None => {
                std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
                let manifest = unpack::everything(tree, &folder)?;
                manifest.write(&folder)?;
                Self { folder, manifest }
            }
        };
        for (series, kernel) in &payloads.manifest.kernels {
            let archive = initramfs::pack(tree, &payloads.folder, kernel, &payloads.manifest.busybox)?;
            replace(&payloads.initramfs(series), &archive)?;
        }
        Ok(payloads)
    }

    /// Where everything came from.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The kernel of a series: an arm64 `Image`.
    #[must_use]
    pub fn image(&self, series: &str) -> PathBuf {
        self.folder.join(image_name(series))
    }

    /// The initramfs of a series: a newc archive that is not compressed.
    #[must_use]
    pub fn initramfs(&self, series: &str) -> PathBuf {
        self.folder.join(format!("initramfs-{series}.cpio"))
    }
}

/// Fetches what a system's guests boot, when their files are named like ours. Others are the user's to provide.
///
/// # Errors
/// As [`Payloads::prepare`], or when the spec does not read.
pub fn prepare_for(tree: &Tree, system: &System) -> Result<()> {
    if boots_ours(system)? {
        Payloads::prepare(tree, false)?;
    }
    Ok(())
}

/// The program busybox of the guests' files.
///
/// # Errors
/// When they are not there, or were changed.
pub fn busybox(tree: &Tree) -> Result<PathBuf> {
    let folder = folder(tree);
    let stored = Manifest::read(&folder).map(|manifest| manifest.busybox.program);
    let stored = stored.filter(|stored| stored.read(&folder).is_some());
    let stored = stored.with_context(|| format!("{} has no busybox; scripts/guest fetches it", folder.display()))?;
    Ok(folder.join(stored.path))
}

/// Whether a guest of the system boots a kernel that is fetched.
///
/// # Errors
/// When the spec does not read.
pub fn boots_ours(system: &System) -> Result<bool> {
    let kernels = system.guest_kernels()?;
    Ok(SERIES.iter().any(|series| kernels.contains(&image_name(series))))
}

/// All modules that are asked for.
fn asked() -> Vec<String> {
    MODULES.iter().chain(&ROOT_MODULES).map(|name| (*name).to_owned()).collect()
}

fn folder(tree: &Tree) -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE).map_or_else(|| tree.build().join("guest"), PathBuf::from)
}

fn image_name(series: &str) -> String {
    format!("Image-{series}")
}

/// Writes a file unless it holds the same already; nobody sees half of it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let mut name = path.file_name().context("a file has a name")?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    std::fs::write(&new, content).with_context(|| format!("cannot write {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))
}
