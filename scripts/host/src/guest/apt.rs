//! A private state of APT, of architecture arm64.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::manifest::{Package, sha256};
use super::sources;
use crate::report;
use crate::tree::Tree;

/// The private state, with fresh lists of packages.
pub(super) struct Apt<'a> {
    tree: &'a Tree,
    folder: PathBuf,
}

impl<'a> Apt<'a> {
    /// Makes the state in `folder` and fetches the lists.
    pub(super) fn new(tree: &'a Tree, folder: PathBuf) -> Result<Self> {
        let source = sources::derive(Path::new("/etc/apt")).context(
            "no source of Debian's packages is under /etc/apt and no key of Debian's archive is installed: \
             install debian-archive-keyring",
        )?;
        for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        std::fs::write(folder.join("status"), "")?;
        std::fs::write(folder.join("debian.sources"), source)?;
        std::fs::write(folder.join("apt.conf"), configuration(&folder)?)?;
        let apt = Self { tree, folder };
        let mut update = apt.command("apt-get");
        update.args(["-o", "APT::Update::Error-Mode=any", "update"]);
        apt.fetch("fetch Debian's lists of arm64 packages", update)?;
        Ok(apt)
    }

    /// The newest package whose name `is_wanted`.
    pub(super) fn newest(&self, pattern: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Package> {
        let listed = self.output(&["search", "--names-only", pattern])?;
        let names = listed.lines().filter_map(|line| line.split(' ').next()).filter(|name| is_wanted(name));
        let mut newest: Option<Package> = None;
        for name in names {
            for package in records(&self.output(&["show", name])?) {
                let is_newer = match &newest {
                    Some(known) => is_later(&package.version, &known.version)?,
                    None => true,
                };
                newest = if is_newer { Some(package) } else { newest };
            }
        }
        newest.with_context(|| format!("the package lists of this machine's mirror have no arm64 package {pattern}"))
    }

    /// Fetches and unpacks a package that users know as `title`; the folder it was unpacked in.
    pub(super) fn unpacked(&self, package: &Package, title: &str) -> Result<PathBuf> {
        let Package { name, version, .. } = package;
        let packages = self.folder.join("packages");
        let mut download = self.command("apt-get");
        download.args(["download", &format!("{name}={version}")]).current_dir(&packages);
        self.fetch(&format!("fetch {title}"), download)?;
        let files = std::fs::read_dir(&packages)?.flatten().map(|entry| entry.path());
        let file = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        let file = file.with_context(|| format!("apt-get download {name} left no file"))?;
        let found = sha256(&std::fs::read(&file)?);
        ensure!(found == package.sha256, "{name} has SHA-256 {found}, the package lists say {}", package.sha256);
        let folder = self.folder.join(name);
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(&file).arg(&folder);
        let unpacked = report::step(self.tree, &format!("unpack {title}"), unpack)?;
        ensure!(unpacked.good, "dpkg-deb cannot unpack {name}");
        std::fs::remove_file(file)?;
        Ok(folder)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command("apt-cache").args(arguments).output().context("cannot start apt-cache")?;
        ensure!(output.status.success(), "apt-cache: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn fetch(&self, name: &str, command: Command) -> Result<()> {
        if !report::step(self.tree, name, command)?.good {
            let source = self.folder.join("debian.sources");
            bail!(
                "the guests' kernels come from the mirror in {}, taken from this machine's sources, and it does not answer: \
                 check the network and the proxy, and start again; or name with {} a folder that has them",
                source.display(),
                super::FOLDER_VARIABLE
            );
        }
        Ok(())
    }
}

/// APT reads this last, so that it holds against the machine's own configuration, of which the proxy and the like remain.
fn configuration(folder: &Path) -> Result<String> {
    let folder =
        folder.to_str().filter(|text| !text.contains('"')).context("the guests' folder has an unusual name")?;
    let paths = [
        ("Dir::State", "state"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "cache"),
        ("Dir::Etc::sourcelist", "debian.sources"),
    ];
    let mut text: String = paths.iter().map(|(name, path)| format!("{name} \"{folder}/{path}\";\n")).collect();
    text.push_str(
        "Dir::Etc::sourceparts \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\nDir::Etc::preferencesparts \"/dev/null\";\n\
         APT::Architecture \"arm64\";\n#clear APT::Architectures;\nAPT::Architectures { \"arm64\"; };\n\
         APT::Sandbox::User \"root\";\n\
         #clear APT::Update;\n#clear Acquire::IndexTargets::deb::DEP-11;\nAcquire::Languages \"none\";\n\
         Acquire::http::Timeout \"30\";\nAcquire::https::Timeout \"30\";\nAcquire::Retries \"2\";\n",
    );
    Ok(text)
}

/// The packages in what `apt-cache show` prints.
fn records(text: &str) -> Vec<Package> {
    let field = |record: &str, name: &str| {
        record.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    };
    let package = |record| {
        Some(Package {
            name: field(record, "Package")?,
            version: field(record, "Version")?,
            sha256: field(record, "SHA256")?,
        })
    };
    text.split("\n\n").filter_map(package).collect()
}

/// Debian's order of versions is its own; `dpkg` knows it.
fn is_later(left: &str, right: &str) -> Result<bool> {
    let status = Command::new("dpkg").args(["--compare-versions", left, "gt", right]).status();
    Ok(status.context("cannot start dpkg")?.success())
}

/// Whether `name` is the package of a series' kernel for every machine: neither of real time, nor for clouds, nor of other
/// page sizes.
pub(super) fn is_kernel(name: &str, series: &str) -> bool {
    let version = name.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-arm64-unsigned"));
    let behind = version.and_then(|version| version.strip_prefix(series));
    let behind = behind.and_then(|rest| rest.strip_prefix('.'));
    behind.is_some_and(|rest| !["-rt", "-cloud", "-16k", "-64k"].iter().any(|flavour| rest.ends_with(flavour)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_from_their_flavours_and_from_other_series() {
        assert!(is_kernel("linux-image-6.12.95+deb12-arm64-unsigned", "6.12"));
        assert!(is_kernel("linux-image-6.1.0-50-arm64-unsigned", "6.1"));
        for (name, series) in [
            ("linux-image-6.12.95+deb12-arm64-unsigned", "6.1"),
            ("linux-image-6.12.95+deb12-cloud-arm64-unsigned", "6.12"),
            ("linux-image-6.1.0-50-rt-arm64-unsigned", "6.1"),
            ("linux-image-6.12.95+deb13-arm64-16k-unsigned", "6.12"),
            ("linux-image-6.12.95+deb12-arm64", "6.12"),
            ("linux-image-6.1", "6.1"),
        ] {
            assert!(!is_kernel(name, series), "{name}");
        }
    }

    #[test]
    fn every_record_of_a_package_is_read() {
        let text = "Package: a\nVersion: 1:2\nDepends: b\n c\nSHA256: 77\n\nPackage: a\nVersion: 1\nSHA256: 88\n\nPackage: b\n";
        let versions: Vec<_> = records(text).into_iter().map(|package| (package.version, package.sha256)).collect();
        assert_eq!(versions, [("1:2".to_owned(), "77".to_owned()), ("1".to_owned(), "88".to_owned())]);
    }
}
