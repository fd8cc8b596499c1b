//! Fetches the packages and keeps what guests need of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::apt::{Apt, is_kernel};
use super::manifest::{Busybox, Kernel, Manifest, Package, Stored};
use super::module::{Module, Modules};
use super::{MODULES, ROOT_MODULES};
use crate::tree::Tree;

/// Everything, as new.
pub(super) fn everything(tree: &Tree, folder: &Path) -> Result<Manifest> {
    // APT refuses paths that are not absolute.
    let private = folder.canonicalize()?.join("apt");
    if private.exists() {
        // What an interrupted run left may be half of a file.
        std::fs::remove_dir_all(&private).with_context(|| format!("cannot remove {}", private.display()))?;
    }
    let apt = Apt::new(tree, private.clone())?;
    let busybox = busybox(&apt, folder)?;
    let mut kernels = std::collections::BTreeMap::new();
    for series in super::SERIES {
        kernels.insert(series.to_owned(), kernel(&apt, folder, series)?);
    }
    std::fs::remove_dir_all(&private).with_context(|| format!("cannot remove {}", private.display()))?;
    Ok(Manifest { asked: super::asked(), busybox, kernels })
}

fn busybox(apt: &Apt<'_>, folder: &Path) -> Result<Busybox> {
    let package = apt.newest("^busybox-static$", |name| name == "busybox-static")?;
    let unpacked = apt.unpacked(&package, "busybox for guests")?;
    // Where programs are depends on the release: /bin is a link to /usr/bin in newer ones.
    let program = first_of(&unpacked, &["bin/busybox", "usr/bin/busybox"])?;
    let program = Stored::write(folder, "busybox".to_owned(), &std::fs::read(program)?)?;
    std::fs::remove_dir_all(unpacked)?;
    Ok(Busybox { package, program })
}

fn kernel(apt: &Apt<'_>, folder: &Path, series: &str) -> Result<Kernel> {
    let escaped = series.replace('.', "[.]");
    let package =
        apt.newest(&format!("^linux-image-{escaped}[.].*-arm64-unsigned$"), |name| is_kernel(name, series))?;
    let unpacked = apt.unpacked(&package, &format!("Linux {series} for guests"))?;
    let release = release(&package)?;
    let image = std::fs::read(unpacked.join(format!("boot/vmlinuz-{release}")))
        .with_context(|| format!("{} has no kernel of its name", package.name))?;
    ensure!(image.get(0x38..0x3c) == Some(b"ARM\x64"), "the kernel in {} is no arm64 Image", package.name);
    let image = Stored::write(folder, super::image_name(series), &image)?;
    let modules = [format!("lib/modules/{release}"), format!("usr/lib/modules/{release}")];
    let modules = Modules::in_folder(&first_of(&unpacked, &modules.each_ref().map(String::as_str))?)?;
    let [modules, root_modules] = modules.with_needs([&MODULES, &ROOT_MODULES])?;
    let store = |modules: Vec<Module>| {
        let store =
            |module: &Module| Stored::write(folder, format!("modules-{series}/{}.ko", module.name), &module.content);
        modules.iter().map(store).collect::<Result<_>>()
    };
    let (modules, root_modules) = (store(modules)?, store(root_modules)?);
    std::fs::remove_dir_all(unpacked)?;
    Ok(Kernel { package, release, image, modules, root_modules })
}

fn release(package: &Package) -> Result<String> {
    let release = package.name.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-unsigned"));
    Ok(release.with_context(|| format!("{} is no kernel package", package.name))?.to_owned())
}

fn first_of(folder: &Path, paths: &[&str]) -> Result<PathBuf> {
    let found = paths.iter().map(|path| folder.join(path)).find(|path| path.exists());
    found.with_context(|| format!("the package has none of {paths:?}"))
}
