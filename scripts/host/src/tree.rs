//! Where things are in the source tree.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::platform::Platform;

/// The program of every guest's VMM.
const VMM: &str = "vmm";

/// The source tree, by its root folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree this program was built from.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of_this_program() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().with_context(|| format!("the source tree {} is gone", root.display()))?;
        Ok(Self { root })
    }

    /// A copy of the tree, by its root folder.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Everything the scripts make, except what plain `cargo` makes.
    #[must_use]
    pub fn build(&self) -> PathBuf {
        self.root.join("build")
    }

    /// The log file of a step; the folder exists afterwards.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn log(&self, step: &str) -> Result<PathBuf> {
        let folder = self.build().join("logs");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let name: String = step.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
        Ok(folder.join(format!("{name}.log")))
    }

    /// The platform called `name`.
    ///
    /// # Errors
    /// When there is none, or its file does not read.
    pub fn platform(&self, name: &str) -> Result<Platform> {
        Platform::read(&self.root.join("platforms").join(name))
    }

    /// Every system that says which checks it prints, in order of name.
    ///
    /// # Errors
    /// When `systems/` cannot be read.
    pub fn checked_systems(&self) -> Result<Vec<System>> {
        let folder = self.root.join("systems");
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut systems = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "checks") {
                systems.push(System::at(&path.with_extension("toml"))?);
            }
        }
        systems.sort_by(|left, right| left.spec.cmp(&right.spec));
        Ok(systems)
    }
}

/// A system spec and what lies beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct System {
    /// File name without folder and extension.
    pub name: String,
    /// The spec, as an absolute path.
    pub spec: PathBuf,
}

impl System {
    /// The system whose spec is the file `spec`.
    ///
    /// # Errors
    /// When there is no such file or it is not a `.toml`.
    pub fn at(spec: &Path) -> Result<Self> {
        let path = spec.canonicalize().with_context(|| format!("there is no system {}", spec.display()))?;
        ensure!(path.extension().is_some_and(|extension| extension == "toml"), "{} is no .toml file", spec.display());
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a system needs a printable name")?;
        Ok(Self { name: name.to_owned(), spec: path })
    }

    /// The platform its spec names.
    ///
    /// # Errors
    /// When the spec does not read or names none.
    pub fn platform_name(&self) -> Result<String> {
        let table = self.table()?;
        let name = table.get("platform").and_then(toml::Value::as_str);
        Ok(name.with_context(|| format!("{} names no platform", self.spec.display()))?.to_owned())
    }

    /// The component that serves its console.
    ///
    /// # Errors
    /// When the spec does not read, has no channel to a console, or one whose clients do not hear when somebody types.
    pub fn console(&self) -> Result<String> {
        let (table, spec) = (self.table()?, self.spec.display());
        let channel = table.get("channel").and_then(|channels| channels.get("console"));
        let channel = channel.with_context(|| format!("{spec} has no [channel.console]"))?;
        let hears = channel.get("notify").and_then(toml::Value::as_bool).unwrap_or_default();
        ensure!(hears, "nobody hears what is typed in {spec}: [channel.console] needs `notify = true`");
        let server = channel.get("server").and_then(toml::Value::as_str);
        Ok(server.with_context(|| format!("[channel.console] of {spec} has no server"))?.to_owned())
    }

    /// What is typed while it runs.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.spec.with_extension("keys")
    }

    fn table(&self) -> Result<toml::Table> {
        let text = std::fs::read_to_string(&self.spec)?;
        text.parse().with_context(|| format!("{} is no TOML", self.spec.display()))
    }

    /// What the log of its kernel must have, of a system that is traced.
    #[must_use]
    pub fn trace(&self) -> PathBuf {
        self.spec.with_extension("trace")
    }

    /// The list of checks the system prints.
    #[must_use]
    pub fn checks(&self) -> PathBuf {
        self.spec.with_extension("checks")
    }

    /// The command line of a soak run, in a file of its own, where the system has one.
    ///
    /// # Errors
    /// When the file is there and does not read.
    pub fn soak(&self) -> Result<Option<String>> {
        let path = self.spec.with_extension("soak");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        Ok(Some(words.collect::<Vec<_>>().join(" ")))
    }

    /// What the host gives it and looks at afterwards.
    #[must_use]
    pub fn host(&self) -> PathBuf {
        self.spec.with_extension("host")
    }

    /// The names of its guests.
    ///
    /// # Errors
    /// When the spec does not read.
    pub fn guests(&self) -> Result<Vec<String>> {
        let guests = self.table()?.get("vm").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        Ok(guests.keys().cloned().collect())
    }

    /// The program of each component, and of each guest's VMM.
    ///
    /// # Errors
    /// When the spec does not read.
    pub fn images(&self) -> Result<Vec<(String, String)>> {
        let table = self.table()?;
        let of = |kind| table.get(kind).and_then(toml::Value::as_table).into_iter().flatten();
        let components = of("pd").filter_map(|(name, pd)| Some((name.clone(), pd.get("image")?.as_str()?.to_owned())));
        Ok(components.chain(of("vm").map(|(name, _)| (name.clone(), VMM.to_owned()))).collect())
    }

    /// The files its guests have as kernels.
    ///
    /// # Errors
    /// When the spec does not read.
    pub fn guest_kernels(&self) -> Result<Vec<String>> {
        let table = self.table()?;
        let guests = table.get("vm").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
        let kernels = guests.filter_map(|guest| guest.get("kernel").and_then(toml::Value::as_str));
        Ok(kernels.map(str::to_owned).collect())
    }

    /// The system's own QEMU arguments.
    #[must_use]
    pub fn devices(&self) -> PathBuf {
        self.spec.with_extension("qemu")
    }
}
