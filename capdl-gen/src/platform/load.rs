//! Platforms from their folders.

use std::fmt;
use std::fs;
use std::path::Path;

use toml::de::DeTable;

use super::Platform;
use super::tree::load_blob;

/// Why a platform cannot be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlatformError {
    /// There is no folder of that name.
    Missing(String),
    /// A file of it cannot be read.
    File(String, String),
    /// Its `platform.toml` names no device tree.
    Description(String),
    /// Its device tree is malformed, or describes a machine that the system cannot work with.
    DeviceTree(String, String),
}

impl PlatformError {
    /// Whether another name might have been meant.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "there is no platform `{name}`"),
            Self::File(file, error) => write!(f, "{file}: {error}"),
            Self::Description(name) => write!(f, "platform.toml of `{name}` names no `device_tree`"),
            Self::DeviceTree(name, error) => write!(f, "platform `{name}`: {error}"),
        }
    }
}

/// Names of the platforms in the folder `platforms`.
#[must_use]
pub fn known(platforms: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(platforms) else { return Vec::new() };
    let is_platform = |entry: &fs::DirEntry| entry.path().join("platform.toml").is_file();
    let entries = entries.filter_map(Result::ok).filter(is_platform);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The platform `name` of the folder `platforms`.
///
/// # Errors
/// [`PlatformError`] names the file that is missing or wrong.
pub fn load_named(platforms: &Path, name: &str) -> Result<Platform, PlatformError> {
    if !known(platforms).iter().any(|known| known == name) {
        return Err(PlatformError::Missing(name.to_owned()));
    }
    let folder = platforms.join(name);
    let read = |file: &str| {
        fs::read(folder.join(file)).map_err(|error| PlatformError::File(format!("{name}/{file}"), error.to_string()))
    };
    let description = read("platform.toml")?;
    let description = str::from_utf8(&description).ok().and_then(|text| DeTable::parse(text).ok());
    let file = description.as_ref().and_then(|table| table.get_ref().get("device_tree"));
    let file =
        file.and_then(|file| file.get_ref().as_str()).ok_or_else(|| PlatformError::Description(name.to_owned()))?;
    load_blob(name, &read(file)?)
}
