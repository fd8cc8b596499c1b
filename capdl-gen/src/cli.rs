//! The commands.

mod devices;
mod files;

use std::fs;
use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use sluice_abi::PAGE_SIZE;
use sluice_abi::bootinfo::ROOT_CNODE_BITS;
use sluice_abi::image::{MAX_CNODE_BITS, MIN_CNODE_BITS};

use crate::audit::Audit;
use crate::cdl;
use crate::diagnostic::{Style, render};
use crate::image;
use crate::platform::{self, Platform};
use crate::summary::Summary;
use crate::system::{self, Checked, Sources};

/// Turns a system spec into a boot image.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder with one folder for each platform; by default the nearest `platforms` folder around the spec
    #[arg(long, global = true, value_name = "DIR")]
    platforms: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check a spec and write its boot image
    Build {
        /// The system spec
        spec: PathBuf,
        /// ELF of the kernel
        #[arg(long, value_name = "ELF")]
        kernel: PathBuf,
        /// ELF of the root task
        #[arg(long, value_name = "ELF")]
        root_task: PathBuf,
        /// Folder with the ELFs of the components
        #[arg(long, value_name = "DIR")]
        components: PathBuf,
        /// Folder with files of guests, looked in after the spec's own; by default the nearest `build/guest` folder
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        /// The boot image to write
        #[arg(short, long, value_name = "IMAGE")]
        output: PathBuf,
        /// Also write who reaches which memory, as `audit --json` does
        #[arg(long, value_name = "FILE")]
        audit: Option<PathBuf>,
        /// log2 of the slots of the root task's CNode; by default as many as the payload's pages need
        #[arg(long, value_name = "N", value_parser = cnode_bits())]
        cnode_bits: Option<u64>,
    },
    /// Check a spec and show what everybody gets
    Check {
        /// The system spec
        spec: PathBuf,
        /// Folder with the ELFs of the components; without it they are not looked at
        #[arg(long, value_name = "DIR")]
        components: Option<PathBuf>,
        /// Folder with files of guests, looked in after the spec's own; by default the nearest `build/guest` folder
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
    },
    /// Show who reaches which memory: by a processor, by DMA, and through the devices they drive
    Audit {
        /// The system spec
        spec: PathBuf,
        /// Folder with files of guests, looked in after the spec's own; by default the nearest `build/guest` folder
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        /// Also write it for machines
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Also draw it
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Show objects and capabilities: who holds what in which slot
    Cdl {
        /// The system spec
        spec: PathBuf,
        /// Folder with files of guests, looked in after the spec's own; by default the nearest `build/guest` folder
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
    },
    /// Show what a platform offers: memory, SMMUs, PCI functions with their streams and interrupts, devices
    Devices {
        /// Name of a platform, or a device-tree blob
        platform: PathBuf,
    },
    /// Write a boot image of a kernel and any root task that seL4 could start, without a spec
    Image {
        /// ELF of the root task
        #[arg(long, value_name = "ELF")]
        root_task: PathBuf,
        /// ELF of the kernel; by default the debug kernel in the nearest `build` folder
        #[arg(long, value_name = "ELF")]
        kernel: Option<PathBuf>,
        /// The boot image to write; by default the root task's name with `.img`, in this folder
        #[arg(short, long, value_name = "IMAGE")]
        output: Option<PathBuf>,
        /// log2 of the slots of the root task's CNode
        #[arg(long, value_name = "N", default_value_t = u64::from(ROOT_CNODE_BITS), value_parser = cnode_bits())]
        cnode_bits: u64,
    },
    /// Show what is in a boot image
    Inspect {
        /// The boot image
        image: PathBuf,
    },
}

/// Slots for the root task itself and for what a system is made of.
const ROOM: u64 = 6 << 10;

fn cnode_bits() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(MIN_CNODE_BITS..=MAX_CNODE_BITS)
}

/// log2 of the slots that the root task needs: every page of the payload has a capability of its own.
fn slots_for(payload: &[u8]) -> u64 {
    let slots = (payload.len() as u64).div_ceil(PAGE_SIZE) + ROOM;
    u64::from(slots.next_power_of_two().ilog2().max(ROOT_CNODE_BITS))
}

/// Runs a command: what it prints, or why it failed.
///
/// # Errors
/// Text for the user: diagnostics, or one line.
pub fn run(arguments: &Arguments) -> Result<String, String> {
    let platforms = |near: &Path| arguments.platforms.clone().map_or_else(|| files::platforms_near(near), Ok);
    match &arguments.command {
        Command::Build { spec, kernel, root_task, components, files, output, audit, cnode_bits } => {
            let checked = check(spec, &platforms(spec)?, Some(components), files.as_deref())?;
            let Checked { spec, system, groups, files, .. } = checked;
            if let Some(file) = audit {
                write(file, &Audit::of(&spec, &system, &groups).json())?;
            }
            let payload = image::pack_payload(&system, &files);
            write_image(kernel, root_task, &payload, cnode_bits.unwrap_or_else(|| slots_for(&payload)), output)
        }
        Command::Check { spec, components, files } => {
            let checked = check(spec, &platforms(spec)?, components.as_deref(), files.as_deref())?;
            Ok(Summary(&checked.system).to_string())
        }
        Command::Audit { spec, files, json, svg } => {
            let Checked { spec, system, groups, .. } = check(spec, &platforms(spec)?, None, files.as_deref())?;
            let audit = Audit::of(&spec, &system, &groups);
            for (file, contents) in [(json, audit.json()), (svg, audit.svg())] {
                if let Some(file) = file {
                    write(file, &contents)?;
                }
            }
            Ok(audit.text())
        }
        Command::Cdl { spec, files } => {
            let Checked { system, .. } = check(spec, &platforms(spec)?, None, files.as_deref())?;
            cdl::show(&system).map_err(|error| format!("{}: {error}", spec.display()))
        }
        Command::Devices { platform } => {
            let platform = load(platform, || platforms(Path::new(".")))?;
            Ok(devices::show(&platform))
        }
        Command::Image { root_task, kernel, output, cnode_bits } => {
            let kernel = kernel.clone().map_or_else(files::built_kernel, Ok)?;
            let output = output.clone().map_or_else(|| files::image_of(root_task), Ok)?;
            write_image(&kernel, root_task, &[], *cnode_bits, &output)
        }
        Command::Inspect { image } => inspect(image),
    }
}

fn check(spec: &Path, platforms: &Path, components: Option<&Path>, files: Option<&Path>) -> Result<Checked, String> {
    let text = String::from_utf8(read(spec)?).map_err(|_| format!("{}: not UTF-8", spec.display()))?;
    let own = spec.parent().map(Path::to_path_buf);
    let files = files.map(Path::to_path_buf).or_else(|| files::guests_near(spec));
    // A guest can be a program of the tree, too.
    let files: Vec<PathBuf> = own.into_iter().chain(files).chain(components.map(Path::to_path_buf)).collect();
    let sources = Sources { components, files: &files };
    system::check(&text, platforms, sources).map_err(|problems| {
        let style = if stderr().is_terminal() { Style::Terminal } else { Style::Plain };
        render(&spec.display().to_string(), &text, problems.into_sorted(), style)
    })
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn write_image(
    kernel: &Path,
    root_task: &Path,
    payload: &[u8],
    cnode_bits: u64,
    output: &Path,
) -> Result<String, String> {
    let image = image::pack(&read(kernel)?, &read(root_task)?, payload, cnode_bits).map_err(|error| {
        let file = if error.is_about_kernel() { kernel } else { root_task };
        format!("{}: {error}", file.display())
    })?;
    fs::write(output, &image).map_err(|error| format!("{}: {error}", output.display()))?;
    Ok(format!("{}: {} bytes\n", output.display(), image.len()))
}

fn inspect(path: &Path) -> Result<String, String> {
    let opened = image::open(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    let header = opened.header;
    let mut out = String::new();
    let lines = [
        ("kernel", format!("{:#x} bytes", opened.kernel.len)),
        ("", format!("SHA-256 {}", opened.kernel.sha256)),
        ("root task", format!("{:#x} bytes at {}", opened.root_task.len, header.user_vstart)),
        ("", format!("SHA-256 {}", opened.root_task.sha256)),
        ("entry", header.user_entry.to_string()),
        ("user pages", header.user_pages.to_string()),
        ("root CNode", format!("2^{} slots", header.cnode_bits)),
        ("checksum", format!("{:#018x}", header.checksum)),
    ];
    for (name, value) in lines {
        out.push_str(&format!("{name:<12}{value}\n"));
    }
    let Some(system) = opened.system else {
        out.push_str("\nno payload: a root task without a spec\n");
        return Ok(out);
    };
    let objects = cdl::census(&system).map_err(|error| format!("{}: {error}", path.display()))?;
    let objects: Vec<String> = objects.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    out.push_str(&format!("objects     {}\n\n{}", objects.join(", "), Summary(&system)));
    for (blob, file) in system.blobs.iter().zip(&opened.files) {
        out.push_str(&format!("    SHA-256 {} of {}\n", file.sha256, blob.name));
    }
    Ok(out)
}

fn load(platform: &Path, platforms: impl FnOnce() -> Result<PathBuf, String>) -> Result<Platform, String> {
    let loaded = if platform.is_file() {
        let name = platform.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        platform::load_blob(&name, &read(platform)?)
    } else {
        platform::load_named(&platforms()?, &platform.to_string_lossy())
    };
    loaded.map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
