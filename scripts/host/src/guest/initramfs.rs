//! A guest's first file system: busybox, the kernel's modules, and the scripts of `vmm/guest`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

use super::manifest::{Busybox, Kernel};
use crate::tree::Tree;

/// The archive: newc, not compressed, the same bytes for the same content.
pub(super) fn pack(tree: &Tree, folder: &Path, kernel: &Kernel, busybox: &Busybox) -> Result<Vec<u8>> {
    let scripts = tree.root().join("vmm/guest");
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let stored = |stored: &super::Stored| {
        stored.read(folder).with_context(|| format!("{} in {} was changed", stored.path, folder.display()))
    };
    let mut archive = Archive::default();
    for name in ["bin", "dev", "lib", "modules", "proc", "root", "sys", "tasks", "tmp"] {
        archive.folder(name)?;
    }
    archive.program("init", &read(&scripts.join("init"))?)?;
    archive.program("bin/busybox", &stored(&busybox.program)?)?;
    for name in ["report", "edu", "root"] {
        archive.file(&format!("lib/{name}"), &read(&scripts.join(name))?)?;
    }
    archive.file("lib/release", format!("{}\n", kernel.release).as_bytes())?;
    for (list, modules) in [("order", &kernel.modules), ("root", &kernel.root_modules)] {
        let mut order = String::new();
        for module in modules {
            let name = module.path.rsplit('/').next().unwrap_or(&module.path);
            archive.file(&format!("modules/{name}"), &stored(module)?)?;
            order.extend([name, "\n"]);
        }
        archive.file(&format!("modules/{list}"), order.as_bytes())?;
    }
    let tasks = scripts.join("tasks");
    let entries = std::fs::read_dir(&tasks).with_context(|| format!("cannot read {}", tasks.display()))?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        archive.file(&format!("tasks/{}", name.display()), &read(&tasks.join(&name))?)?;
    }
    archive.finish()
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn folder(&mut self, name: &str) -> Result<()> {
        self.add(name, ModeFileType::Directory, 0o755, &[])
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.add(name, ModeFileType::Regular, 0o644, content)
    }

    fn program(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.add(name, ModeFileType::Regular, 0o755, content)
    }

    fn add(&mut self, name: &str, kind: ModeFileType, mode: u32, content: &[u8]) -> Result<()> {
        let size = u32::try_from(content.len()).with_context(|| format!("{name} is too large for an archive"))?;
        self.entries += 1;
        let entry = Builder::new(name).ino(self.entries).mode(mode).set_mode_file_type(kind);
        let mut writer = entry.write(&mut self.bytes, size);
        writer.write_all(content)?;
        writer.finish()?;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        trailer(&mut self.bytes)?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_archive_reads_back_and_is_the_same_every_time() {
        let make = || {
            let mut archive = Archive::default();
            archive.folder("bin").unwrap();
            archive.program("bin/x", b"12345").unwrap();
            archive.file("empty", b"").unwrap();
            archive.finish().unwrap()
        };
        let bytes = make();
        assert_eq!(bytes, make());
        assert_eq!(&bytes[..6], b"070701");
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let mut reader = cpio::NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            seen.push((name, mode, content));
            rest = reader.finish().unwrap();
        }
        let wanted = [("bin", 0o040_755, ""), ("bin/x", 0o100_755, "12345"), ("empty", 0o100_644, "")];
        assert_eq!(seen, wanted.map(|(name, mode, content)| (name.to_owned(), mode, content.to_owned())));
    }
}
