//! A platform's launch data: `platforms/NAME/platform.toml`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// How a platform is launched and which device tree describes it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// File name of the device tree, beside the platform file.
    pub device_tree: String,
    /// What the device tree does not say about its SMMUs, for `capdl-gen`.
    #[serde(rename = "smmu", default)]
    pub smmus: Vec<Smmu>,
    /// The emulator.
    pub qemu: Qemu,
}

/// An SMMU, for `capdl-gen`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smmu {
    /// Path in the device tree.
    pub path: String,
    /// Its stages of translation: 1, 2 or both.
    pub stages: Vec<u8>,
}

/// The part of a QEMU command line that makes the machine.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// Program to start.
    pub program: String,
    /// Oldest version that emulates what the platform needs.
    pub at_least: String,
    /// Value of `-M`.
    pub machine: String,
    /// Value of `-cpu`.
    pub cpu: String,
    /// Value of `-m`.
    pub memory: String,
    /// Arguments that go before all others.
    pub arguments: Vec<String>,
}

impl Platform {
    /// The platform described in `folder`.
    ///
    /// # Errors
    /// When its file is missing, or has keys other than those of this type; when nothing is said of QEMU.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("platform.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_emulated = text.lines().any(|line| line.trim() == "[qemu]");
        ensure!(
            is_emulated,
            "{}: its README tells how to launch this platform; these scripts do not",
            folder.display()
        );
        toml::from_str(&text).with_context(|| format!("{} is no platform file", path.display()))
    }
}
