//! Which Rust builds for the target.
//!
//! The host toolchain does when it has the target's standard library. Where that cannot be had, a distribution's own Rust
//! builds `core` and `alloc` from its source package. Building the standard library is the one thing that needs
//! `RUSTC_BOOTSTRAP`; a test keeps unstable features out of our own crates.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

/// Everything but the host tools is built for this target.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// Overrides the choice that `scripts/setup` made; takes the same words.
pub const CHOICE_VARIABLE: &str = "SLUICE_TOOLCHAIN";

/// A Rust that can build for [`TARGET`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// The host's, with the target installed.
    Host,
    /// A distribution's, which builds the standard library from source.
    Distribution {
        /// Its cargo.
        cargo: PathBuf,
        /// Its compiler.
        rustc: PathBuf,
        /// A linker for the target.
        linker: PathBuf,
    },
}

/// What a machine offers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Offer {
    /// The host toolchain has the target's standard library.
    pub host_has_target: bool,
    /// A distribution's cargo and compiler, with the library's source.
    pub distribution: Option<(PathBuf, PathBuf)>,
    /// A linker for the target.
    pub linker: Option<PathBuf>,
}

impl Toolchain {
    /// The toolchain of this machine: the one asked for, or the first that will do.
    ///
    /// # Errors
    /// When what was asked for is not there, or nothing is.
    pub fn find(tree: &Tree) -> Result<Self> {
        let asked = std::env::var(CHOICE_VARIABLE).ok().or_else(|| remembered(tree));
        Self::choose(asked.as_deref(), probe())
    }

    /// The choice among what there is. `asked` is `host`, `distribution`, or nothing.
    ///
    /// # Errors
    /// As [`Toolchain::find`].
    pub fn choose(asked: Option<&str>, offer: Offer) -> Result<Self> {
        const ADVICE: &str = "scripts/setup installs what is missing";
        let distribution = || -> Result<Self> {
            let (cargo, rustc) = offer
                .distribution
                .clone()
                .with_context(|| format!("no distribution's Rust with its library's source is here; {ADVICE}"))?;
            let linker = offer.linker.clone().with_context(|| format!("no rust-lld or ld.lld is here; {ADVICE}"))?;
            Ok(Self::Distribution { cargo, rustc, linker })
        };
        match asked {
            Some("host") if offer.host_has_target => Ok(Self::Host),
            Some("host") => bail!("the host's Rust lacks the target {TARGET}; {ADVICE}"),
            Some("distribution") => distribution(),
            Some(other) => bail!("`{other}` is no toolchain: expected `host` or `distribution`"),
            None if offer.host_has_target => Ok(Self::Host),
            None => distribution().with_context(|| format!("no Rust here builds for {TARGET}")),
        }
    }

    /// A cargo invocation of `subcommand` for the target; its artefacts go to [`Toolchain::target_folder`].
    #[must_use]
    pub fn cargo(&self, tree: &Tree, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Host => host_cargo(tree, subcommand),
            Self::Distribution { cargo, rustc, linker } => {
                let mut command = Command::new(cargo);
                command
                    .current_dir(tree.root())
                    .args([subcommand, "-Zbuild-std=core,alloc,compiler_builtins"])
                    .arg("-Zbuild-std-features=compiler-builtins-mem")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", rustc)
                    .env("CARGO_TARGET_AARCH64_UNKNOWN_NONE_SOFTFLOAT_LINKER", linker)
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        command.args(["--target", TARGET, "--target-dir"]).arg(self.target_folder(tree));
        command
    }

    /// Where this toolchain's artefacts for the target go. Toolchains do not share: each would rebuild the other's.
    #[must_use]
    pub fn target_folder(&self, tree: &Tree) -> PathBuf {
        tree.build().join("target").join(self.word())
    }

    /// Where finished programs for the target are that were built with `profile`.
    #[must_use]
    pub fn programs(&self, tree: &Tree, profile: &str) -> PathBuf {
        self.target_folder(tree).join(TARGET).join(profile)
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Distribution { .. } => "distribution",
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => write!(f, "the host's Rust with target {TARGET}"),
            Self::Distribution { rustc, .. } => {
                write!(f, "{} with the standard library built from source", rustc.display())
            }
        }
    }
}

/// A cargo invocation of `subcommand` for the host, in the root of the tree.
#[must_use]
pub fn host_cargo(tree: &Tree, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(tree.root()).arg(subcommand);
    command
}

fn remembered(tree: &Tree) -> Option<String> {
    let text = std::fs::read_to_string(tree.build().join("toolchain")).ok()?;
    Some(text.trim().to_owned()).filter(|word| !word.is_empty())
}

fn probe() -> Offer {
    let host = sysroot(Path::new("rustc"));
    let target_library = |sysroot: &PathBuf| sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir();
    let distribution = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    let has_source = |sysroot: &PathBuf| sysroot.join("lib/rustlib/src/rust/library/core").is_dir();
    let distribution_works = distribution.0.is_file() && sysroot(&distribution.1).as_ref().is_some_and(has_source);
    Offer {
        host_has_target: host.as_ref().is_some_and(target_library),
        distribution: distribution_works.then_some(distribution),
        linker: host.as_deref().and_then(bundled_linker).or_else(|| on_path(&["rust-lld", "ld.lld"])),
    }
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

/// rustup's toolchains bring a linker in the folder of the host's own target.
fn bundled_linker(sysroot: &Path) -> Option<PathBuf> {
    let targets = std::fs::read_dir(sysroot.join("lib/rustlib")).ok()?;
    targets.flatten().map(|target| target.path().join("bin/rust-lld")).find(|linker| linker.is_file())
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(host_has_target: bool, distribution: bool, linker: bool) -> Offer {
        Offer {
            host_has_target,
            distribution: distribution.then(|| ("/usr/bin/cargo".into(), "/usr/bin/rustc".into())),
            linker: linker.then(|| "/lld".into()),
        }
    }

    fn word(asked: Option<&str>, offer: Offer) -> Result<&'static str, String> {
        Toolchain::choose(asked, offer).map(|chosen| chosen.word()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_host_comes_first_and_the_distribution_after_it() {
        assert_eq!(word(None, offer(true, true, true)), Ok("host"));
        assert_eq!(word(None, offer(false, true, true)), Ok("distribution"));
    }

    #[test]
    fn what_was_asked_for_is_taken_or_refused_but_never_replaced() {
        assert_eq!(word(Some("distribution"), offer(true, true, true)), Ok("distribution"));
        assert_eq!(word(Some("host"), offer(true, false, false)), Ok("host"));
        assert!(word(Some("host"), offer(false, true, true)).unwrap_err().contains("lacks the target"));
        assert!(word(Some("distribution"), offer(true, false, true)).unwrap_err().contains("library's source"));
        assert!(word(Some("nightly"), offer(true, true, true)).unwrap_err().contains("`nightly` is no toolchain"));
    }

    #[test]
    fn nothing_at_all_says_where_to_get_it() {
        let error = word(None, offer(false, false, true)).unwrap_err();
        assert!(error.contains(TARGET) && error.contains("scripts/setup"), "{error}");
        assert!(word(None, offer(false, true, false)).unwrap_err().contains("ld.lld"));
    }

    #[test]
    fn only_the_distribution_is_told_to_accept_unstable_options() {
        let tree = Tree::of_this_program().unwrap();
        let has_bootstrap = |toolchain: &Toolchain| {
            toolchain.cargo(&tree, "build").get_envs().any(|(name, value)| name == "RUSTC_BOOTSTRAP" && value.is_some())
        };
        assert!(!has_bootstrap(&Toolchain::Host));
        let distribution = Toolchain::choose(Some("distribution"), offer(false, true, true)).unwrap();
        assert!(has_bootstrap(&distribution));
        assert_ne!(distribution.target_folder(&tree), Toolchain::Host.target_folder(&tree));
    }
}
