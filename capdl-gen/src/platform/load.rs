//! Platforms from their folders.

use std::fmt;
use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::tree::load_blob;
use super::{Platform, Stages};

/// Why a platform cannot be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlatformError {
    /// There is no folder of that name.
    Missing(String),
    /// A file of it cannot be read.
    File(String, String),
    /// Its `platform.toml` names no device tree.
    Description(String),
    /// What its `platform.toml` says about an SMMU is not what can be said, or of none that there is.
    Smmu(String, &'static str),
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
            Self::Smmu(name, what) => write!(f, "platform.toml of `{name}`: an SMMU {what}"),
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
    let mut platform = load_blob(name, &read(file)?)?;
    let smmus = description.as_ref().and_then(|table| table.get_ref().get("smmu"));
    for smmu in smmus.into_iter().flat_map(|smmus| elements(smmus.get_ref())) {
        let (path, stages) = read_smmu(smmu.get_ref()).map_err(|what| PlatformError::Smmu(name.to_owned(), what))?;
        let known = platform.smmus.iter_mut().find(|known| known.path == path);
        let known = known.ok_or_else(|| PlatformError::Smmu(name.to_owned(), "is not in the device tree"))?;
        known.stages = Some(stages);
    }
    Ok(platform)
}

fn elements<'a, 'b>(value: &'a DeValue<'b>) -> &'a [Spanned<DeValue<'b>>] {
    value.as_array().map_or(&[], |array| array.as_ref())
}

/// The path of an SMMU and the stages it is expected to have.
fn read_smmu<'a>(smmu: &'a DeValue<'_>) -> Result<(&'a str, Stages), &'static str> {
    let get = |key: &str| smmu.as_table().and_then(|table| table.get(key)).map(Spanned::get_ref);
    let path = get("path").and_then(DeValue::as_str).ok_or("has no `path`")?;
    let mut stages = Stages { first: false, second: false };
    for stage in elements(get("stages").ok_or("has no `stages`")?) {
        match stage.get_ref().as_integer().map(|number| number.as_str()) {
            Some("1") => stages.first = true,
            Some("2") => stages.second = true,
            Some(_) | None => return Err("has a stage that is neither 1 nor 2"),
        }
    }
    if stages.first || stages.second { Ok((path, stages)) } else { Err("has no stage") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smmu(text: &str) -> Result<(String, Stages), &'static str> {
        let table = DeTable::parse(text).expect("TOML");
        let smmu = &elements(table.get_ref()["smmu"].get_ref())[0];
        read_smmu(smmu.get_ref()).map(|(path, stages)| (path.to_owned(), stages))
    }

    #[test]
    fn an_smmu_has_a_path_and_one_stage_or_two() {
        let both = Stages { first: true, second: true };
        assert_eq!(smmu("[[smmu]]\npath = '/a'\nstages = [2, 1]"), Ok(("/a".to_owned(), both)));
        let second = Stages { first: false, second: true };
        assert_eq!(smmu("[[smmu]]\npath = '/a'\nstages = [2]"), Ok(("/a".to_owned(), second)));
        for (text, what) in [
            ("stages = [1]", "has no `path`"),
            ("path = '/a'", "has no `stages`"),
            ("path = '/a'\nstages = []", "has no stage"),
            ("path = '/a'\nstages = [1, 3]", "has a stage that is neither 1 nor 2"),
            ("path = '/a'\nstages = ['1']", "has a stage that is neither 1 nor 2"),
        ] {
            assert_eq!(smmu(&format!("[[smmu]]\n{text}")), Err(what), "{text}");
        }
    }
}
