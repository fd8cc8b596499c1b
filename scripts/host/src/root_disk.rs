//! A disk that a guest boots from: an ext4 file system which the host makes without being root, and looks at when the guest is off.
//!
//! What it has is `vmm/guest/rootfs`, what tasks report with, busybox and `/srv/disk`, a file whose content the host knows.
//! `/sbin/init` there leaves `/srv/copy` and `/srv/made/file` and removes `/srv/remove`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::disk;
use crate::guest;
use crate::tree::Tree;

/// By which a guest can find it, too.
const LABEL: &str = "sluice-root";
/// What is in `/srv` in the end.
const LEFT: [&str; 3] = ["copy", "disk", "made"];

/// Makes the file system of `mib` for the system `name`; `content` becomes `/srv/disk`.
///
/// # Errors
/// When a file cannot be read or written, or the file system not be made.
pub fn make(tree: &Tree, name: &str, mib: u64, content: &Path) -> Result<PathBuf> {
    let disks = disk::folder(tree)?;
    let (folder, image) = (disks.join(format!("{name}-root")), disks.join(format!("{name}-root.img")));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for each in ["bin", "dev", "lib", "proc", "srv", "sys", "tmp"] {
        let each = folder.join(each);
        std::fs::create_dir_all(&each).with_context(|| format!("cannot make {}", each.display()))?;
    }
    let scripts = tree.root().join("vmm/guest");
    copy_all(&scripts.join("rootfs"), &folder)?;
    copy_all(&scripts.join("tasks"), &folder.join("tasks"))?;
    copy(&scripts.join("report"), &folder.join("lib/report"))?;
    copy(&guest::busybox(tree)?, &folder.join("bin/busybox"))?;
    copy(content, &folder.join("srv/disk"))?;
    std::fs::write(folder.join("srv/remove"), "to be removed\n")?;
    format(&folder, &image, mib)?;
    Ok(image)
}

/// The user's own, which the guest writes to where it is.
///
/// # Errors
/// When there is no such file, or its size is none of a disk.
pub fn of_user(file: &Path) -> Result<PathBuf> {
    let path = file.canonicalize().with_context(|| format!("there is no file {}", file.display()))?;
    let len = std::fs::metadata(&path)?.len();
    ensure!(
        len > 0 && len.is_multiple_of(disk::GRANULE),
        "{} has {len} bytes: a disk to boot from has a multiple of {}",
        file.display(),
        disk::GRANULE
    );
    Ok(path)
}

/// Looks at the file system that a guest has left: it is sound, was given back by its kernel, and has what `/sbin/init` wrote. The
/// size of the copy.
///
/// # Errors
/// When anything is not so.
pub fn verify(image: &Path, content: &Path) -> Result<u64> {
    let checked = output(tool("e2fsck").arg("-fn").arg(image))?;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(checked.status.success(), "e2fsck of {}: {}", image.display(), said.trim());
    let superblock = String::from_utf8_lossy(&debugfs(image, "stats -h")?).into_owned();
    let field = |name: &str| superblock.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let (state, features) = (field("Filesystem state:"), field("Filesystem features:"));
    ensure!(
        state == "clean" && features.contains("has_journal") && !features.contains("needs_recovery"),
        "{} was not given back: its state is {state:?}, its features are {features}",
        image.display()
    );
    let mut names = names(&String::from_utf8_lossy(&debugfs(image, "ls -p /srv")?));
    names.sort();
    ensure!(names == LEFT, "/srv of {} has {names:?} in place of {LEFT:?}", image.display());
    let wanted = std::fs::read(content).with_context(|| format!("cannot read {}", content.display()))?;
    for name in ["/srv/disk", "/srv/copy"] {
        let found = debugfs(image, &format!("cat {name}"))?;
        ensure!(
            found == wanted,
            "{name} of {} has {} bytes that are not the {} of {}",
            image.display(),
            found.len(),
            wanted.len(),
            content.display()
        );
    }
    let made = debugfs(image, "cat /srv/made/file")?;
    ensure!(made == b"made\n", "/srv/made/file of {} has {:?}", image.display(), String::from_utf8_lossy(&made));
    Ok(wanted.len() as u64)
}

/// The names in a folder, as `ls -p` of debugfs prints them: `/INODE/MODE/UID/GID/NAME/SIZE/`.
fn names(listed: &str) -> Vec<String> {
    let names = listed.lines().filter_map(|line| line.split('/').nth(5));
    names.filter(|name| !["", ".", ".."].contains(name)).map(str::to_owned).collect()
}

fn format(folder: &Path, image: &Path, mib: u64) -> Result<()> {
    if image.exists() {
        std::fs::remove_file(image).with_context(|| format!("cannot remove {}", image.display()))?;
    }
    // What is lazy is done by the kernel that mounts it, which would write while the guest does.
    let options = "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0";
    let mut command = tool("mke2fs");
    command.args(["-q", "-t", "ext4", "-L", LABEL, "-E", options, "-d"]).arg(folder).arg(image).arg(format!("{mib}M"));
    let made = output(&mut command)?;
    ensure!(made.status.success(), "mke2fs of {}: {}", image.display(), String::from_utf8_lossy(&made.stderr).trim());
    Ok(())
}

/// What debugfs prints to a request; it has no exit status to tell of an error, but says nothing to its output then.
fn debugfs(image: &Path, request: &str) -> Result<Vec<u8>> {
    let said = output(tool("debugfs").args(["-R", request]).arg(image))?;
    ensure!(said.status.success(), "debugfs of {}: {}", image.display(), String::from_utf8_lossy(&said.stderr).trim());
    Ok(said.stdout)
}

/// A program of e2fsprogs, which are not among everybody's programs.
fn tool(name: &str) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    let mut command = if path.exists() { Command::new(path) } else { Command::new(name) };
    command.env("LC_ALL", "C");
    command
}

fn output(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().with_context(|| format!("cannot start {name}; scripts/setup --tests installs e2fsprogs"))
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let to = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() { copy_all(&path, &to)? } else { copy(&path, &to)? }
    }
    Ok(())
}

/// A copy that is a program where it is to be one, whatever the user's habits are.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    let is_program = to.parent().is_some_and(|folder| folder.ends_with("bin") || folder.ends_with("sbin"));
    let mode = if is_program { 0o755 } else { 0o644 };
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system as a guest should leave it, and what it is compared with; gone with the value.
    struct Own {
        folder: PathBuf,
        image: PathBuf,
        content: PathBuf,
    }

    impl Own {
        fn with(name: &str, change: &dyn Fn(&Path)) -> Self {
            let folder = std::env::temp_dir().join(format!("sluice-root-{}-{name}", std::process::id()));
            let root = folder.join("root");
            std::fs::create_dir_all(root.join("srv/made")).unwrap();
            let own = Self { image: folder.join("image"), content: folder.join("content"), folder };
            let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
            std::fs::write(&own.content, &content).unwrap();
            for each in ["disk", "copy"] {
                std::fs::write(root.join("srv").join(each), &content).unwrap();
            }
            std::fs::write(root.join("srv/made/file"), "made\n").unwrap();
            change(&root.join("srv"));
            format(&root, &own.image, 8).unwrap();
            own
        }

        fn error(&self) -> String {
            verify(&self.image, &self.content).unwrap_err().to_string()
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }

    #[test]
    fn a_file_system_as_it_should_be_is_good() {
        let own = Own::with("good", &|_| {});
        assert_eq!(verify(&own.image, &own.content).unwrap(), 800_000);
    }

    #[test]
    fn what_was_not_written_or_not_removed_is_found() {
        let copied = Own::with("copied", &|srv| {
            let mut content = std::fs::read(srv.join("copy")).unwrap();
            content[799_999] ^= 1;
            std::fs::write(srv.join("copy"), content).unwrap();
        });
        assert!(copied.error().starts_with("/srv/copy of"), "{}", copied.error());
        let left = Own::with("left", &|srv| std::fs::write(srv.join("remove"), "").unwrap());
        assert!(left.error().contains("\"remove\""), "{}", left.error());
        let other = Own::with("other", &|srv| std::fs::write(srv.join("made/file"), "").unwrap());
        assert!(other.error().starts_with("/srv/made/file of"), "{}", other.error());
    }

    #[test]
    fn an_unsound_file_system_or_one_still_in_use_is_found() {
        let unsound = Own::with("unsound", &|_| {});
        let freed = output(tool("debugfs").args(["-w", "-R", "freei /srv/copy"]).arg(&unsound.image)).unwrap();
        assert!(freed.status.success());
        assert!(unsound.error().starts_with("e2fsck of"), "{}", unsound.error());
        let in_use = Own::with("in-use", &|_| {});
        let set = output(tool("debugfs").args(["-w", "-R", "feature needs_recovery"]).arg(&in_use.image)).unwrap();
        assert!(set.status.success());
        assert!(!in_use.error().is_empty());
    }

    #[test]
    fn a_disk_of_the_users_own_has_blocks() {
        let own = Own::with("user", &|_| {});
        assert_eq!(of_user(&own.image).unwrap(), own.image.canonicalize().unwrap());
        std::fs::write(&own.image, [0; 513]).unwrap();
        assert!(of_user(&own.image).unwrap_err().to_string().contains("513 bytes"));
        assert!(of_user(&own.folder.join("none")).is_err());
    }
}
