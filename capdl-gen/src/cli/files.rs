//! Files that a user need not name.

use std::env::current_dir;
use std::path::{Path, PathBuf};

/// The kernel that `scripts/sluice build` leaves in the source tree.
const BUILT_KERNEL: &str = "build/kernel-debug.elf";

/// The kernel of the source tree that this folder is in.
pub(super) fn built_kernel() -> Result<PathBuf, String> {
    let here = current_dir().map_err(|error| format!("this folder: {error}"))?;
    let found = here.ancestors().map(|folder| folder.join(BUILT_KERNEL)).find(|path| path.is_file());
    found.ok_or_else(|| {
        format!(
            "no kernel: neither this folder nor one around it has {BUILT_KERNEL}\n\
            run `scripts/sluice build` there, or say --kernel ELF"
        )
    })
}

/// The image of a root task: in this folder, under its name.
pub(super) fn image_of(root_task: &Path) -> Result<PathBuf, String> {
    let name = root_task.file_name().ok_or_else(|| format!("{}: not a file", root_task.display()))?;
    Ok(Path::new(name).with_extension("img"))
}

/// The folder `platforms` beside `path` or beside one of the folders around it.
pub(super) fn platforms_near(path: &Path) -> Result<PathBuf, String> {
    let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    path.ancestors()
        .map(|folder| folder.join("platforms"))
        .find(|folder| folder.is_dir())
        .ok_or_else(|| format!("no folder `platforms` around {}; say --platforms DIR", path.display()))
}

/// The folder `build/guest` beside `path` or beside one of the folders around it.
pub(super) fn guests_near(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    path.ancestors().map(|folder| folder.join("build/guest")).find(|folder| folder.is_dir())
}
