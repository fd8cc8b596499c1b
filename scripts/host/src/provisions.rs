//! What the host gives a system and what it looks at afterwards: `systems/NAME.host`, a TOML file that a system may have.
//!
//! ```toml
//! when = "soak"                  # leave the system itself to --soak; "always" when nothing is said
//! disk_mib = 8                   # size of the disk that is made when the user names none
//! digests = 2                    # how often it is read whole, and its digest printed; at least once when nothing is said
//! peer_mib = 1                   # how much of its beginning a guest sends over the network
//! idle = ["guest0.edu"]          # devices that their guests never let master memory
//! lent = ["other"]               # guests behind whose memory their VMMs map a page of their own
//!
//! [scratch]                      # the disk to write
//! mib = 8
//! holds = "disk"                 # "pattern": each word its offset, transformed; "disk": how the read disk begins, then zeros
//! first_mib = 4                  # so much of it
//!
//! [root]                         # the disk to boot from: a file system, made anew, that has the disk to read as a file
//! mib = 32
//!
//! [neighbour]                    # somebody reads a disk piece by piece while another dies again and again
//! lives_of = "guest0"
//! read_by = "guest1"
//! within = 6                     # lives in which at least one piece is read
//!
//! [in_flight]                    # each life but the last ends with requests in flight at a virtio disk (scripts/host/src/flight.rs)
//! device = "virtio-blk-pci 01:00.0"
//! lives_of = "guest0"
//!
//! [[variant]]                    # the same system with words of its spec replaced
//! name = "lazy"
//! when = "soak"                  # also "asked": no test boots it
//! replace = [["iommu.strict=1", "iommu.strict=0"]]
//! ```

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::flight::Flight;
use crate::neighbour::Neighbour;
use crate::tree::{System, Tree};

/// When a system is booted by the tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// In every run of the tests.
    #[default]
    Always,
    /// In soak runs.
    Soak,
    /// In none: a user asks for it by name.
    Asked,
}

/// What a written disk must hold in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// The pattern of the native driver, in every word.
    #[default]
    Pattern,
    /// What the disk to read begins with, and zeros behind it.
    Disk,
}

/// The disk that a system writes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scratch {
    /// Its size.
    pub mib: u64,
    /// What it must hold.
    pub holds: Holds,
    /// How much was copied from the disk to read.
    pub first_mib: u64,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { mib: 16, holds: Holds::Pattern, first_mib: 0 }
    }
}

/// The disk that a system boots from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Its size.
    pub mib: u64,
}

/// A system with words of its spec replaced.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What is added to the system's name.
    pub name: String,
    /// When the tests boot it.
    #[serde(default)]
    pub when: When,
    /// Each first text of the spec becomes the second; it has to be there.
    pub replace: Vec<[String; 2]>,
}

/// What a `.host` file says; the defaults are what holds without one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provisions {
    /// When the tests boot the system as it is.
    pub when: When,
    /// Size of the disk to read.
    pub disk_mib: u64,
    /// How often it is read as a whole; at least once when nothing is said.
    pub digests: Option<usize>,
    /// How much of its beginning the peer is sent.
    pub peer_mib: u64,
    /// Devices that their guests never let master memory.
    pub idle: Vec<String>,
    /// Guests behind whose memory their VMMs map a page of their own, for tests that aim at it.
    pub lent: Vec<String>,
    /// The disk to write.
    pub scratch: Scratch,
    /// The disk to boot from.
    pub root: Option<Root>,
    /// Who reads on beside whom.
    pub neighbour: Option<Neighbour>,
    /// Which device is busy whenever a life ends.
    pub in_flight: Option<Flight>,
    /// The system in other words.
    pub variant: Vec<Variant>,
}

impl Default for Provisions {
    fn default() -> Self {
        Self {
            when: When::Always,
            disk_mib: 64,
            digests: None,
            idle: Vec::new(),
            lent: Vec::new(),
            peer_mib: 0,
            scratch: Scratch::default(),
            root: None,
            neighbour: None,
            in_flight: None,
            variant: Vec::new(),
        }
    }
}

impl Provisions {
    /// What is said of `system`.
    ///
    /// # Errors
    /// When its file has other keys than those above, or copies more than there is.
    pub fn of(system: &System) -> Result<Self> {
        let path = system.host();
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::read(&text).with_context(|| format!("{} is no list of provisions", path.display()))
    }

    fn read(text: &str) -> Result<Self> {
        let read: Self = toml::from_str(text)?;
        let Scratch { mib, holds, first_mib } = read.scratch;
        ensure!(read.disk_mib > 0 && mib > 0, "a disk has a size");
        ensure!(holds == Holds::Pattern || first_mib > 0, "nothing is said to be copied");
        ensure!(read.digests != Some(0), "a disk is there to be read");
        ensure!(read.peer_mib <= read.disk_mib, "more is sent than the disk has");
        // Its content twice, busybox, and what ext4 needs for itself.
        let room = read.disk_mib * 2 + 16;
        ensure!(read.root.as_ref().is_none_or(|root| root.mib >= room), "a disk to boot from has {room} MiB or more");
        ensure!(first_mib <= mib.min(read.disk_mib), "more is copied than the disks have");
        Ok(read)
    }
}

/// The systems that a run of the tests boots: those with checks, and their variants.
///
/// # Errors
/// When a file beside a system does not read.
pub fn booted(tree: &Tree, soak: bool) -> Result<Vec<System>> {
    let is_time = |when| when == When::Always || soak && when == When::Soak;
    let mut booted = Vec::new();
    for system in tree.checked_systems()? {
        let provisions = Provisions::of(&system)?;
        for each in provisions.variant.iter().filter(|each| is_time(each.when)) {
            booted.push(write(tree, &system, each)?);
        }
        if is_time(provisions.when) {
            booted.push(system);
        }
    }
    booted.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(booted)
}

/// The variant `name` of a system, written out beside copies of its other files.
///
/// # Errors
/// When there is none of that name, or it cannot be written.
pub fn variant(tree: &Tree, system: &System, name: &str) -> Result<System> {
    let provisions = Provisions::of(system)?;
    match provisions.variant.iter().find(|variant| variant.name == name) {
        Some(variant) => write(tree, system, variant),
        None => {
            let names: Vec<_> = provisions.variant.iter().map(|variant| variant.name.as_str()).collect();
            bail!("{} has no variant {name}, but these: {}", system.name, names.join(" "))
        }
    }
}

/// The same, of a variant that no file names.
///
/// # Errors
/// When the spec does not have what is replaced, or it cannot be written.
pub fn write(tree: &Tree, system: &System, variant: &Variant) -> Result<System> {
    let folder = tree.build().join("variants");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let name = format!("{}-{}", system.name, variant.name);
    let spec = std::fs::read_to_string(&system.spec)?;
    let spec = replaced(&spec, &variant.replace).with_context(|| format!("in the variant {name}"))?;
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    std::fs::write(path("toml"), spec).with_context(|| format!("cannot write {}", path("toml").display()))?;
    for from in [system.checks(), system.devices(), system.host()] {
        let extension = from.extension().unwrap_or_default().to_string_lossy().into_owned();
        copy(&from, &path(&extension))?;
    }
    System::at(&path("toml"))
}

/// A file that is not there must not be left of an earlier time.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.exists() {
        std::fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    } else if to.exists() {
        std::fs::remove_file(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    Ok(())
}

fn replaced(spec: &str, replace: &[[String; 2]]) -> Result<String> {
    replace.iter().try_fold(spec.to_owned(), |spec, [from, to]| {
        ensure!(!from.is_empty() && spec.contains(from), "the spec has no `{from}` to replace");
        Ok(spec.replace(from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_default_and_no_other_is_taken() {
        assert_eq!(Provisions::read("").unwrap(), Provisions::default());
        let text = "when = 'soak'\ndisk_mib = 8\n[scratch]\nmib = 8\nholds = 'disk'\nfirst_mib = 4\n\
            [[variant]]\nname = 'lazy'\nreplace = [['a', 'b']]\n";
        let read = Provisions::read(text).unwrap();
        assert_eq!((read.when, read.scratch.holds, read.variant[0].when), (When::Soak, Holds::Disk, When::Always));
        for wrong in
            ["disk = 8", "when = 'never'", "disk_mib = 0", "[scratch]\nholds = 'disk'", "[[variant]]\nname = 'a'"]
        {
            assert!(Provisions::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Provisions::read("disk_mib = 8\n[root]\nmib = 32").unwrap().root, Some(Root { mib: 32 }));
        assert!(Provisions::read("disk_mib = 8\n[root]\nmib = 31").is_err());
        assert!(Provisions::read("disk_mib = 2\n[scratch]\nholds = 'disk'\nfirst_mib = 4").is_err());
    }

    #[test]
    fn what_a_variant_replaces_has_to_be_there() {
        let pair = |from: &str, to: &str| [from.to_owned(), to.to_owned()];
        assert_eq!(replaced("a b a", &[pair("a", "c"), pair("c b", "d")]).unwrap(), "d c");
        assert!(replaced("a b a", &[pair("x", "c")]).is_err());
        assert!(replaced("a b a", &[pair("", "c")]).is_err());
    }

    #[test]
    fn a_system_has_the_variants_it_names() {
        let tree = Tree::of_this_program().unwrap();
        let all = booted(&tree, true).unwrap();
        let some = booted(&tree, false).unwrap();
        assert!(some.len() < all.len() && some.iter().all(|system| all.contains(system)));
        let lazy = all.iter().find(|system| system.name == "linux-nested-lazy").unwrap();
        assert!(std::fs::read_to_string(&lazy.spec).unwrap().contains("iommu.strict=0"));
        assert!(lazy.checks().exists() && lazy.devices().exists());
        assert!(all.iter().any(|system| system.name == "linux-root-6-1"));
        assert!(all.iter().all(|system| system.name != "linux-root-shell"), "nobody asked");
        let nested = System::at(&tree.root().join("systems/linux-nested.toml")).unwrap();
        let error = variant(&tree, &nested, "other").unwrap_err().to_string();
        assert!(error.contains("no variant other") && error.contains("lazy"), "{error}");
    }
}
