//! What a kernel module needs, as its `.modinfo` section tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::{Object as _, ObjectSection as _};

/// A module ready to be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Module {
    /// Its name, in which hyphens are written as underscores.
    pub(super) name: String,
    /// The ELF file.
    pub(super) content: Vec<u8>,
}

/// The modules of a kernel package.
pub(super) struct Modules {
    /// Files by the module's name.
    files: BTreeMap<String, PathBuf>,
    /// What is not a module because the kernel has it.
    built_in: Vec<String>,
}

impl Modules {
    /// Those under `folder`, which has `modules.builtin`.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let list = folder.join("modules.builtin");
        let text = std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        Ok(Self { files, built_in: text.lines().map(|line| name_of(Path::new(line))).collect() })
    }

    /// The modules of these names and all that they need, each behind what it needs. What is built in is left out, and from a
    /// group what one before it has.
    pub(super) fn with_needs<const N: usize>(&self, groups: [&[&str]; N]) -> Result<[Vec<Module>; N]> {
        let mut loaded = Vec::new();
        let mut starts = [0; N];
        for (names, start) in groups.iter().zip(&mut starts) {
            *start = loaded.len();
            for name in *names {
                self.add(&name_of(Path::new(name)), &mut Vec::new(), &mut loaded)?;
            }
        }
        starts.reverse();
        let mut groups = starts.map(|start| loaded.split_off(start));
        groups.reverse();
        Ok(groups)
    }

    fn add(&self, name: &str, path: &mut Vec<String>, loaded: &mut Vec<Module>) -> Result<()> {
        if self.built_in.iter().any(|known| known == name) || loaded.iter().any(|module| module.name == name) {
            return Ok(());
        }
        ensure!(!path.iter().any(|user| user == name), "the module {name} needs itself, through {path:?}");
        let file = self.files.get(name).with_context(|| format!("the kernel package has no module {name}"))?;
        let content = read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let needs = Needs::of(&content).with_context(|| format!("{} is no kernel module", file.display()))?;
        path.push(name.to_owned());
        let wanted = needs.wanted.iter().filter(|name| self.files.contains_key(*name));
        for need in needs.required.iter().chain(wanted) {
            self.add(need, path, loaded)?;
        }
        path.pop();
        loaded.push(Module { name: name.to_owned(), content });
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.to_string_lossy().contains(".ko") {
            files.insert(name_of(&path), path);
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().replace('-', "_")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let stored = std::fs::read(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => Ok(stored),
        Some("xz") => {
            let mut content = Vec::new();
            lzma_rs::xz_decompress(&mut stored.as_slice(), &mut content).ok().context("it is no sound .xz file")?;
            Ok(content)
        }
        other => anyhow::bail!("nothing is known of {other:?}: only .ko and .ko.xz are read"),
    }
}

/// What must be loaded before a module, and what should.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Needs {
    required: Vec<String>,
    wanted: Vec<String>,
}

impl Needs {
    fn of(module: &[u8]) -> Result<Self> {
        let file = object::File::parse(module)?;
        let section = file.section_by_name(".modinfo").context("it has no section .modinfo")?;
        Ok(Self::read(section.data()?))
    }

    /// `depends=a,b` and `softdep=pre: c d post: e`, among other strings, each with a zero byte behind it.
    fn read(info: &[u8]) -> Self {
        let mut needs = Self::default();
        for line in info.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok()) {
            if let Some(list) = line.strip_prefix("depends=") {
                needs
                    .required
                    .extend(list.split(',').filter(|name| !name.is_empty()).map(|name| name_of(Path::new(name))));
            } else if let Some((_, list)) = line.strip_prefix("softdep=").and_then(|rest| rest.split_once("pre:")) {
                let list = list.split("post:").next().unwrap_or_default();
                needs.wanted.extend(list.split_whitespace().map(|name| name_of(Path::new(name))));
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_read_from_among_other_strings() {
        let info = b"license=GPL\0depends=nvme-core,b\0softdep=pre: crct10dif x-y post: z\0depends=\0name=depends\0softdep=post: q\0";
        let needs = Needs::read(info);
        assert_eq!(needs.required, ["nvme_core", "b"]);
        assert_eq!(needs.wanted, ["crct10dif", "x_y"]);
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for content in [&b""[..], b"\x7fELF", &[0; 4096]] {
            assert!(Needs::of(content).is_err());
        }
    }

    #[test]
    fn names_come_from_paths_in_one_spelling() {
        for path in ["nvme-core", "kernel/drivers/nvme/host/nvme-core.ko", "/a/nvme_core.ko.xz"] {
            assert_eq!(name_of(Path::new(path)), "nvme_core");
        }
    }
}
