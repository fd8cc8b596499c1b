//! What the guests' files are and where they came from: `manifest.json` in their folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const FILE: &str = "manifest.json";

/// The record of a folder of guests' files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The modules that were asked for, of every kernel; those that they need are not here.
    pub asked: Vec<String>,
    /// The shell of every initramfs.
    pub busybox: Busybox,
    /// The kernels by series, for example `6.12`.
    pub kernels: BTreeMap<String, Kernel>,
}

/// A Debian package as it was fetched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the package file, as the signed lists of packages have it.
    pub sha256: String,
}

/// The program `busybox`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Busybox {
    /// Its package.
    pub package: Package,
    /// The program, byte for byte as in the package.
    pub program: Stored,
}

/// A kernel and what its initramfs loads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its package.
    pub package: Package,
    /// What it calls itself.
    pub release: String,
    /// The kernel, byte for byte as in the package.
    pub image: Stored,
    /// The modules of devices, uncompressed, in an order in which they can be loaded.
    pub modules: Vec<Stored>,
    /// The modules that a root file system needs beside them.
    pub root_modules: Vec<Stored>,
}

/// A file of the folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Its path from the folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl Stored {
    /// Writes `content` as the file `path` of `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(folder: &Path, path: String, content: &[u8]) -> Result<Self> {
        let file = folder.join(&path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        super::replace(&file, content)?;
        Ok(Self { path, bytes: content.len() as u64, sha256: sha256(content) })
    }

    /// The content, when it is what was written.
    #[must_use]
    pub fn read(&self, folder: &Path) -> Option<Vec<u8>> {
        let content = std::fs::read(folder.join(&self.path)).ok()?;
        (content.len() as u64 == self.bytes && sha256(&content) == self.sha256).then_some(content)
    }
}

impl Manifest {
    /// The record in `folder`, when there is a readable one.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(folder.join(FILE)).ok()?).ok()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        super::replace(&folder.join(FILE), text.as_bytes())
    }

    /// One line a kernel: what it is, and the package that has it.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        self.kernels.values().map(|kernel| {
            let Kernel { package: Package { name, version, .. }, image, .. } = kernel;
            format!("{} of {name} {version}: SHA256 {}", image.path, image.sha256)
        })
    }

    /// Whether every series is there, with the modules that are asked for now, and every file is what was fetched.
    #[must_use]
    pub fn is_complete(&self, folder: &Path) -> bool {
        let kernels = self.kernels.values();
        let files = kernels.flat_map(|kernel| kernel.modules.iter().chain(&kernel.root_modules).chain([&kernel.image]));
        self.asked == super::asked()
            && super::SERIES.iter().all(|series| self.kernels.contains_key(*series))
            && files.chain([&self.busybox.program]).all(|stored| stored.read(folder).is_some())
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_shortened_or_missing_file_is_not_complete() {
        let folder = std::env::temp_dir().join(format!("sluice-guest-{}", std::process::id()));
        let stored = |path: &str| Stored::write(&folder, path.to_owned(), path.as_bytes()).unwrap();
        let package = Package { name: "p".to_owned(), version: "1".to_owned(), sha256: String::new() };
        let kernel = |series: &str| {
            let image = stored(&format!("Image-{series}"));
            let modules = vec![stored(&format!("modules-{series}/a.ko"))];
            let root_modules = vec![stored(&format!("modules-{series}/b.ko"))];
            let package = package.clone();
            (series.to_owned(), Kernel { package, release: "r".to_owned(), image, modules, root_modules })
        };
        let busybox = Busybox { package: package.clone(), program: stored("busybox") };
        let kernels = super::super::SERIES.iter().map(|series| kernel(series)).collect();
        let manifest = Manifest { asked: super::super::asked(), busybox, kernels };
        manifest.write(&folder).unwrap();
        assert_eq!(Manifest::read(&folder), Some(manifest.clone()));
        assert!(manifest.is_complete(&folder));
        for path in ["Image-6.1", "modules-6.12/a.ko", "modules-6.1/b.ko", "busybox"] {
            let file = folder.join(path);
            for damage in [Some(&b"other"[..]), Some(b""), None] {
                match damage {
                    Some(content) => std::fs::write(&file, content).unwrap(),
                    None => std::fs::remove_file(&file).unwrap(),
                }
                assert!(!manifest.is_complete(&folder), "{path} {damage:?}");
            }
            std::fs::write(&file, path).unwrap();
            assert!(manifest.is_complete(&folder));
        }
        let other = Manifest { asked: super::super::asked().split_off(1), ..manifest.clone() };
        assert!(!other.is_complete(&folder), "another list of modules");
        let mut few = manifest;
        few.kernels.remove("6.1");
        assert!(!few.is_complete(&folder), "a series is missing");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
