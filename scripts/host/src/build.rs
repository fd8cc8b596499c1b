//! Builds the kernel, the root task, the components, and the boot image of a system.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::report::step;
use crate::toolchain::{Toolchain, host_cargo};
use crate::tree::{System, Tree};

/// The kernel's builds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Kernel {
    /// With the debug system calls, which every boot test needs.
    #[default]
    Debug,
    /// Without them.
    Release,
    /// As released, and threads may measure: they have the performance monitors and the benchmark system call.
    Bench,
}

impl Kernel {
    /// The profile it is built with: internal checks and the debug system calls come with debug assertions.
    const fn profile(self) -> &'static str {
        match self {
            Self::Debug => "checked",
            Self::Release => "release",
            Self::Bench => "measured",
        }
    }

    /// Its name on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
            Self::Bench => "bench",
        }
    }

    /// The features it is built with.
    const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Debug | Self::Release => &[],
            Self::Bench => &["--features", "bench"],
        }
    }
}

/// Keeps a frame record for every function (AAPCS64, 6.4.6), from which the root task tells where a component was.
const FRAME_POINTERS: &str = "target.aarch64-unknown-none-softfloat.rustflags=['-Cforce-frame-pointers=yes']";
/// Where the kernel's package is.
const KERNEL_FOLDER: &str = "kernel/image";

/// Finished programs for the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Programs {
    pub(crate) kernel: PathBuf,
    root_task: PathBuf,
    pub(crate) conformance: PathBuf,
    components: PathBuf,
}

/// A root task that comes without a spec.
#[derive(Clone, PartialEq, Eq, Debug, Args)]
pub struct RootTask {
    /// ELF of a root task that seL4 could start.
    #[arg(id = "root_task", long = "root-task", value_name = "ELF")]
    pub elf: PathBuf,
    /// log2 of the slots of its CNode.
    #[arg(long, value_name = "N", requires = "root_task")]
    pub cnode_bits: Option<u64>,
    /// The boot image to write; by default in `build`, under the root task's name.
    #[arg(id = "image", short = 'o', long = "output", value_name = "IMAGE", requires = "root_task")]
    pub image: Option<PathBuf>,
}

impl Programs {
    /// The same with another kernel.
    #[must_use]
    pub fn with_kernel(&self, kernel: PathBuf) -> Self {
        Self { kernel, ..self.clone() }
    }

    /// The same with another root task.
    #[must_use]
    pub fn with_root_task(&self, root_task: PathBuf) -> Self {
        Self { root_task, ..self.clone() }
    }

    /// The same with another program of the same name as one of them, all in `folder`, which is made anew.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub fn with_component(&self, program: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let present = std::fs::read_dir(&self.components)?.map(|entry| Ok(entry?.path()));
        let present = present.collect::<Result<Vec<_>>>()?;
        // Beside programs there are folders, and notes of cargo's that have an extension.
        let programs = present.into_iter().filter(|path| path.is_file() && path.extension().is_none());
        for from in programs.chain([program.to_owned()]) {
            let name = from.file_name().context("a program has a name")?;
            std::fs::copy(&from, folder.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        Ok(Self { components: folder.to_owned(), ..self.clone() })
    }

    /// The folder of everything but the kernel.
    #[must_use]
    pub fn components(&self) -> &Path {
        &self.components
    }

    /// The kernel's ELF file.
    #[must_use]
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// The ELF file of a program that is built beside the components.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.components.join(name)
    }
}

/// The packages of the workspace, as `cargo metadata` lists them.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Workspace {
    /// All members.
    pub packages: Vec<Package>,
    workspace_root: PathBuf,
    workspace_default_members: Vec<String>,
}

/// A member of the workspace.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its dependencies, those outside the workspace included.
    pub dependencies: Vec<Dependency>,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

/// A dependency.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    pub kind: Option<String>,
    /// Its folder, when it is in the workspace.
    pub path: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// The workspace of `tree`.
    ///
    /// # Errors
    /// When cargo fails or answers in an unknown form.
    pub fn of(tree: &Tree) -> Result<Self> {
        let output = host_cargo(tree, "metadata").args(["--no-deps", "--format-version", "1"]).output()?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        serde_json::from_slice(&output.stdout).context("cargo metadata answers in an unknown form")
    }

    /// The folder of `package` from the root, with `/` between names.
    #[must_use]
    pub fn folder(&self, package: &Package) -> String {
        let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
        folder.strip_prefix(&self.workspace_root).unwrap_or(folder).to_string_lossy().replace('\\', "/")
    }

    /// Whether `package` is built and tested on the host by default.
    #[must_use]
    pub fn is_default(&self, package: &Package) -> bool {
        self.workspace_default_members.contains(&package.id)
    }

    /// The packages that are programs for the target.
    pub fn target_programs(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| {
            let folder = self.folder(package);
            let alone =
                [KERNEL_FOLDER, "root-task", "bench", "conformance", "fuzzer", "vmm", "vmm/hostile", "vmm/reader"]
                    .contains(&folder.as_str());
            let place = alone || folder.starts_with("components/");
            place && package.program().is_some()
        })
    }

    fn program_in(&self, folder: &str) -> Result<(&Package, &str)> {
        let package = self.target_programs().find(|package| self.folder(package) == folder);
        package
            .and_then(|package| Some((package, package.program()?)))
            .with_context(|| format!("{folder} is no program"))
    }
}

impl Package {
    fn program(&self) -> Option<&str> {
        self.targets
            .iter()
            .find(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.as_str())
    }
}

/// Builds everything that runs on the target; nothing when a step failed, which has been shown.
///
/// # Errors
/// When a step cannot be started.
pub fn programs(tree: &Tree, toolchain: &Toolchain, kind: Kernel) -> Result<Option<Programs>> {
    let workspace = Workspace::of(tree)?;
    let Some(kernel) = kernel(tree, toolchain, kind)? else { return Ok(None) };
    let mut command = toolchain.cargo(tree, "build");
    command.arg("--release");
    if kind == Kernel::Debug {
        // What follows a fault is found by frame records; what is measured does without them.
        command.args(["--config", FRAME_POINTERS]);
    }
    let others = |program: &&Package| workspace.folder(program) != KERNEL_FOLDER;
    for program in workspace.target_programs().filter(others) {
        command.args(["-p", &program.name]);
    }
    if !step(tree, "build root task and components", command)?.good {
        return Ok(None);
    }
    let folder = toolchain.programs(tree, "release");
    let (_, root_task) = workspace.program_in("root-task")?;
    let (_, conformance) = workspace.program_in("conformance")?;
    let (root_task, conformance) = (folder.join(root_task), folder.join(conformance));
    Ok(Some(Programs { kernel, root_task, conformance, components: folder }))
}

/// Builds the kernel and leaves it at a place that does not depend on the toolchain, for `capdl-gen` to find: its ELF;
/// nothing when a step failed, which has been shown.
///
/// # Errors
/// When a step cannot be started or the kernel not be copied.
pub fn kernel(tree: &Tree, toolchain: &Toolchain, kind: Kernel) -> Result<Option<PathBuf>> {
    let (command, elf) = kernel_command(tree, toolchain, kind)?;
    if !step(tree, "build kernel", command)?.good {
        return Ok(None);
    }
    let kept = tree.build().join(format!("kernel-{}.elf", kind.word()));
    std::fs::copy(&elf, &kept).with_context(|| format!("cannot copy {} to {}", elf.display(), kept.display()))?;
    Ok(Some(kept))
}

/// The command that builds the kernel, and where its ELF file is then.
///
/// # Errors
/// When the workspace does not read.
pub(crate) fn kernel_command(tree: &Tree, toolchain: &Toolchain, kind: Kernel) -> Result<(Command, PathBuf)> {
    let workspace = Workspace::of(tree)?;
    let (package, program) = workspace.program_in(KERNEL_FOLDER)?;
    let mut command = toolchain.cargo(tree, "build");
    command.args(["-p", &package.name, "--profile", kind.profile()]).args(kind.features());
    Ok((command, toolchain.programs(tree, kind.profile()).join(program)))
}

/// The command that builds the program for the target whose package is in `folder`, and where its ELF file is then.
///
/// # Errors
/// When the workspace does not read, or has no such program.
pub(crate) fn component_command(tree: &Tree, toolchain: &Toolchain, folder: &str) -> Result<(Command, PathBuf)> {
    let workspace = Workspace::of(tree)?;
    let (package, program) = workspace.program_in(folder.trim_end_matches('/'))?;
    let mut command = toolchain.cargo(tree, "build");
    command.args(["--release", "--config", FRAME_POINTERS, "-p", &package.name]);
    Ok((command, toolchain.programs(tree, "release").join(program)))
}

/// Makes the boot image of `system`; nothing when a step failed, which has been shown.
///
/// # Errors
/// When a step cannot be started.
pub fn image(tree: &Tree, programs: &Programs, system: &System) -> Result<Option<PathBuf>> {
    if !build_generator(tree)? {
        return Ok(None);
    }
    let image = tree.build().join(format!("{}.img", system.name));
    let good = step(tree, &format!("image {}", system.name), generator(tree, programs, system, &image))?.good;
    Ok(good.then_some(image))
}

/// Makes the boot image of any root task; nothing when a step failed, which has been shown.
///
/// # Errors
/// When a step cannot be started, or the image's name is no text.
pub fn root_task_image(tree: &Tree, kernel: &Path, root_task: &RootTask) -> Result<Option<PathBuf>> {
    let elf = &root_task.elf;
    let elf = elf.canonicalize().with_context(|| format!("there is no root task {}", elf.display()))?;
    let name = elf.file_stem().and_then(|stem| stem.to_str()).context("a root task needs a printable name")?;
    if !build_generator(tree)? {
        return Ok(None);
    }
    let image = root_task.image.clone().unwrap_or_else(|| tree.build().join(format!("{name}.img")));
    let mut command = host_cargo(tree, "run");
    command.args(["--quiet", "-p", "capdl-gen", "--", "image"]).arg("--root-task").arg(&elf);
    command.arg("--kernel").arg(kernel).arg("-o").arg(std::path::absolute(&image)?);
    if let Some(bits) = root_task.cnode_bits {
        command.arg("--cnode-bits").arg(bits.to_string());
    }
    Ok(step(tree, &format!("image {name}"), command)?.good.then_some(image))
}

fn build_generator(tree: &Tree) -> Result<bool> {
    let mut command = host_cargo(tree, "build");
    command.args(["--quiet", "-p", "capdl-gen"]);
    Ok(step(tree, "build capdl-gen", command)?.good)
}

/// Where the audit of the system in a boot image is.
#[must_use]
pub fn audit_of(image: &Path) -> PathBuf {
    image.with_extension("audit.json")
}

/// The command that makes a boot image, and its audit beside it; the generator is built.
pub(crate) fn generator(tree: &Tree, programs: &Programs, system: &System, image: &Path) -> Command {
    let mut command = host_cargo(tree, "run");
    command.args(["--quiet", "-p", "capdl-gen", "--", "build"]).arg(&system.spec);
    command.arg("--kernel").arg(&programs.kernel).arg("--root-task").arg(&programs.root_task);
    command.arg("--components").arg(&programs.components).arg("-o").arg(image);
    command.arg("--audit").arg(audit_of(image));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{ "workspace_root": "/w", "workspace_default_members": ["host 1"], "packages": [
        { "name": "k", "id": "k 1", "manifest_path": "/w/kernel/image/Cargo.toml",
          "dependencies": [], "targets": [{ "name": "k-bin", "kind": ["bin"] }] },
        { "name": "n", "id": "n 1", "manifest_path": "/w/components/nvme/Cargo.toml", "dependencies": [],
          "targets": [{ "name": "n", "kind": ["lib"] }, { "name": "n-bin", "kind": ["bin"] }] },
        { "name": "c", "id": "c 1", "manifest_path": "/w/components/canary/Cargo.toml", "dependencies": [],
          "targets": [{ "name": "c", "kind": ["lib"] }] },
        { "name": "host", "id": "host 1", "manifest_path": "/w/capdl-gen/Cargo.toml", "dependencies": [],
          "targets": [{ "name": "host", "kind": ["bin"] }] } ] }"#;

    #[test]
    fn programs_for_the_target_are_found_by_folder_and_kind() {
        let workspace: Workspace = serde_json::from_str(METADATA).unwrap();
        let names: Vec<_> = workspace.target_programs().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["k", "n"]);
        assert_eq!(workspace.program_in("kernel/image").unwrap().1, "k-bin");
        assert!(workspace.program_in("root-task").is_err());
        let default: Vec<_> = workspace.packages.iter().filter(|package| workspace.is_default(package)).collect();
        assert_eq!(default, [&workspace.packages[3]]);
    }

    #[test]
    fn this_workspace_has_a_kernel_and_a_root_task() {
        let workspace = Workspace::of(&Tree::of_this_program().unwrap()).unwrap();
        assert_eq!(workspace.program_in("kernel/image").unwrap().0.name, "sluice-kernel");
        assert_eq!(workspace.program_in("root-task").unwrap().0.name, "sluice-root-task");
    }
}
