//! The disks of a system's machine, and whether they are as they should be in the end.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Choices;
use crate::disk::{self, Disk};
use crate::flight::Flight;
use crate::neighbour::Neighbour;
use crate::provisions::{Holds, Provisions};
use crate::qemu::Files;
use crate::root_disk;
use crate::transcript::Digest;
use crate::tree::{System, Tree};

/// The disk to read, as a `.qemu` file names it.
const DISK: &str = "DISK";
/// The disk to write.
const SCRATCH: &str = "SCRATCH";
/// The file in which the peer keeps what a guest sends.
const PEER: &str = "PEER";
/// The file that QEMU logs events to.
const EVENTS: &str = "EVENTS";
/// This program.
const SLUICE: &str = "SLUICE";
/// The disk to boot from.
const ROOT: &str = "ROOT";
/// Every placeholder that a `.qemu` file may have.
pub const PLACEHOLDERS: [&str; 6] = [DISK, SCRATCH, PEER, EVENTS, SLUICE, ROOT];

/// A machine's disks, by the placeholder that stands for each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Disks {
    pub(super) disk: Option<Disk>,
    pub(super) scratch: Option<PathBuf>,
    pub(super) peer: Option<PathBuf>,
    pub(super) events: Option<PathBuf>,
    pub(super) root: Option<PathBuf>,
    /// Whether that is the user's own: nothing is known of what it does then.
    pub(super) root_is_users: bool,
    pub(super) provisions: Provisions,
}

impl Disks {
    pub(super) fn prepare(tree: &Tree, system: &System, placeholders: &[String], choices: &Choices) -> Result<Self> {
        let provisions = Provisions::of(system)?;
        let mut disks = Self { provisions, ..Self::default() };
        for name in placeholders {
            match name.as_str() {
                DISK => {
                    disks.disk = Some(match &choices.disk {
                        Some(file) => Disk::from_file(tree, file)?,
                        None => Disk::default_for(tree, disks.provisions.disk_mib)?,
                    });
                }
                SCRATCH => disks.scratch = Some(disk::scratch(tree, &system.name, disks.provisions.scratch.mib)?),
                PEER => disks.peer = Some(disk::sent(tree, &system.name)?),
                EVENTS => disks.events = Some(tree.build().join(format!("{}.events", system.name))),
                ROOT => disks.prepare_root(tree, system, choices)?,
                SLUICE => {}
                other => bail!("{} asks for ${{{other}}}, which nothing makes", system.devices().display()),
            }
        }
        if let (Some(file), None, None) = (&choices.disk, &disks.disk, &disks.root) {
            bail!("{} has no disk that {} could be", system.name, file.display());
        }
        Ok(disks)
    }

    fn prepare_root(&mut self, tree: &Tree, system: &System, choices: &Choices) -> Result<()> {
        self.root_is_users = choices.disk.is_some();
        self.root = Some(match &choices.disk {
            Some(file) => root_disk::of_user(file)?,
            None => {
                let root = self.provisions.root.as_ref();
                let root = root.with_context(|| format!("{} does not say [root]", system.host().display()))?;
                let disk = Disk::default_for(tree, self.provisions.disk_mib)?;
                let made = root_disk::make(tree, &system.name, root.mib, &disk.path)?;
                self.disk = Some(disk);
                made
            }
        });
        Ok(())
    }

    pub(super) fn files(&self) -> Result<Files> {
        let disk = self.disk.as_ref().map(|disk| (DISK.to_owned(), disk.path.clone()));
        let scratch = self.scratch.as_ref().map(|path| (SCRATCH.to_owned(), path.clone()));
        let peer = self.peer.as_ref().map(|path| (PEER.to_owned(), path.clone()));
        let events = self.events.as_ref().map(|path| (EVENTS.to_owned(), path.clone()));
        let root = self.root.as_ref().map(|path| (ROOT.to_owned(), path.clone()));
        let sluice = (SLUICE.to_owned(), std::env::current_exe().context("this program is not known")?);
        Ok(disk.into_iter().chain(scratch).chain(peer).chain(events).chain(root).chain([sluice]).collect())
    }

    /// What the peer was sent is what the disk begins with.
    fn compare_sent(&self, path: &Path) -> Result<String> {
        let disk = self.disk.as_ref().context("there is no disk that could have been sent")?;
        let wanted = self.provisions.peer_mib << 20;
        let bytes = disk::verify_copy(&disk.path, path, wanted).context("what the peer was sent")?;
        Ok(format!("{bytes} bytes of {} are what the disk begins with", path.display()))
    }

    fn compare_root(&self, path: &Path) -> Result<String> {
        let disk = self.disk.as_ref().context("nothing is known of the disk that was booted from")?;
        let bytes = root_disk::verify(path, &disk.path)?;
        Ok(format!("the file system on {} is sound and has a copy of {bytes} bytes", path.display()))
    }

    fn compare_neighbour(&self, neighbour: &Neighbour, lines: &[String]) -> Result<String> {
        let disk = self.disk.as_ref().context("there is no disk that could have been read")?;
        neighbour.compare(lines, &disk.path)
    }

    fn compare_in_flight(&self, flight: &Flight, lines: &[String]) -> Result<String> {
        let events = self.events.as_ref().context("QEMU was not asked for its events")?;
        flight.compare(lines, events)
    }

    fn compare_scratch(&self, path: &Path) -> Result<String> {
        let scratch = &self.provisions.scratch;
        let bytes = match scratch.holds {
            Holds::Pattern => disk::verify_scratch(path)?,
            Holds::Disk => {
                let disk = self.disk.as_ref().context("there is no disk that could have been copied")?;
                disk::verify_copy(&disk.path, path, scratch.first_mib << 20)?
            }
        };
        Ok(format!("{bytes} bytes of {} hold what was written", path.display()))
    }

    /// Compares each disk with what it should hold, or the system should have read: what agrees, and what does not.
    pub(super) fn compare(&self, digests: &[Digest], lines: &[String]) -> Vec<Result<String>> {
        let comparisons = [
            self.disk.as_ref().map(|disk| compare_digest(disk, self.provisions.digests, digests)),
            self.scratch.as_deref().map(|scratch| self.compare_scratch(scratch)),
            self.peer.as_deref().map(|peer| self.compare_sent(peer)),
            self.root.as_deref().map(|root| self.compare_root(root)),
            self.provisions.neighbour.as_ref().map(|neighbour| self.compare_neighbour(neighbour, lines)),
            self.provisions.in_flight.as_ref().map(|flight| self.compare_in_flight(flight, lines)),
        ];
        comparisons.into_iter().flatten().collect()
    }
}

/// Every time the disk was read, it was read right: `times` when that is said, at least once.
fn compare_digest(disk: &Disk, times: Option<usize>, printed: &[Digest]) -> Result<String> {
    let wanted = disk.digest()?;
    match printed.iter().find(|found| **found != wanted) {
        None if printed.is_empty() => bail!("the system printed no SHA256 of its disk"),
        None if times.is_none_or(|times| times == printed.len()) => {
            Ok(format!("SHA256 {} {} is that of {}", wanted.hex, wanted.bytes, disk.path.display()))
        }
        None => bail!("the system printed {} digests of its disk", printed.len()),
        Some(found) => bail!(
            "the system read SHA256 {} over {} bytes; {} has {} over {}",
            found.hex,
            found.bytes,
            disk.path.display(),
            wanted.hex,
            wanted.bytes
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (Disk, PathBuf) {
        let path = std::env::temp_dir().join(format!("sluice-run-{}", std::process::id()));
        std::fs::write(&path, b"abc").unwrap();
        (Disk { path: path.clone(), origin: String::new() }, path)
    }

    #[test]
    fn one_digest_equal_to_the_disks_is_needed() {
        let (disk, path) = disk();
        let good = disk.digest().unwrap();
        let short = Digest { bytes: 2, ..good.clone() };
        let other = Digest { hex: "0".repeat(64), bytes: 3 };
        assert!(compare_digest(&disk, Some(1), std::slice::from_ref(&good)).is_ok());
        assert!(compare_digest(&disk, None, &[good.clone(), good.clone()]).is_ok());
        for (printed, message) in [
            (vec![], "printed no SHA256"),
            (vec![short], "over 2 bytes"),
            (vec![other], "read SHA256 0000"),
            (vec![good.clone(), good], "2 digests"),
        ] {
            let error = compare_digest(&disk, Some(1), &printed).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
