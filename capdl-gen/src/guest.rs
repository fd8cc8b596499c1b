//! The files of guests, and what can be said about a guest once they are known.

use std::fs;
use std::path::{Path, PathBuf};

use crate::derive;
use crate::diagnostic::{At, Problem, Problems};
use crate::image::File;
use crate::spec::{Guest, Spec};

/// Where the arm64 Image header (Linux, arch/arm64 booting protocol) has its magic number, and what it is.
const MAGIC: (usize, &[u8; 4]) = (56, b"ARM\x64");
/// Where that header has the bytes the kernel takes in memory, a little-endian doubleword.
const IMAGE_SIZE: usize = 16;
/// What the VMM puts beside kernel and initrd: the device tree, and the gaps of placement.
const MARGIN: u64 = 4 << 20;

/// Makes the guests of `spec` components and regions; the files they name, in the order of [`derive::files`].
///
/// # Errors
/// Files that cannot be read, kernels that are none, memory that does not hold them.
pub(crate) fn expand(spec: &mut Spec, folders: &[PathBuf]) -> Result<Vec<File>, Problems> {
    let mut problems = Problems::default();
    let mut files: Vec<File> = Vec::new();
    for guest in std::mem::take(&mut spec.guests) {
        for (file, kernel) in [(Some(&guest.kernel), true), (guest.initrd.as_ref(), false)] {
            let Some(file) = file else { continue };
            if files.iter().all(|known| known.name != file.value) {
                files.extend(problems.keep(read(file, folders)));
            }
            if let Some(found) = files.iter().find(|known| known.name == file.value).filter(|_| kernel) {
                problems.keep(check_kernel(file, &found.bytes));
            }
        }
        let size = |name: &str| files.iter().find(|file| file.name == name).map_or(0, |file| file.bytes.len() as u64);
        check_ram(&guest, &files, &mut problems);
        let (component, regions) = guest.expand(size);
        spec.components.push(component);
        spec.regions.extend(regions);
        spec.guests.push(guest);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let order = derive::files(spec);
    files.sort_by_key(|file| order.iter().position(|name| name.value == file.name));
    Ok(files)
}

fn read(file: &At<String>, folders: &[PathBuf]) -> Result<File, Problem> {
    let named = Path::new(&file.value);
    let found = folders.iter().map(|folder| folder.join(named)).find(|path| path.is_file());
    let looked = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let missing = || {
        Problem::new(format!("the file `{}` is not there", file.value))
            .at(file.span, format!("looked for in {looked}"))
            .help("`scripts/guest` fetches the kernels and makes the file systems that the examples name")
    };
    let path = found.ok_or_else(missing)?;
    let bytes = fs::read(&path).map_err(|error| {
        Problem::new(format!("`{}` cannot be read", path.display())).at(file.span, error.kind().to_string())
    })?;
    Ok(File { name: file.value.clone(), bytes })
}

fn check_kernel(file: &At<String>, bytes: &[u8]) -> Result<(), Problem> {
    let (at, magic) = MAGIC;
    if bytes.get(at..at + magic.len()) == Some(magic) {
        return Ok(());
    }
    let problem = Problem::new(format!("`{}` is no arm64 kernel", file.value))
        .at(file.span, "without the header of an arm64 Image");
    Err(match bytes.starts_with(&[0x1f, 0x8b]) {
        true => problem.help("it is compressed: gunzip it"),
        false => problem,
    })
}

/// Whether kernel and initrd fit the guest's memory.
fn check_ram(guest: &Guest, files: &[File], problems: &mut Problems) {
    let bytes_of = |name: &str| files.iter().find(|file| file.name == name).map(|file| &file.bytes);
    let Some(kernel) = bytes_of(&guest.kernel.value) else { return };
    let header = kernel.get(IMAGE_SIZE..IMAGE_SIZE + 8).and_then(|word| word.try_into().ok());
    let kernel_size = header.map_or(0, u64::from_le_bytes).max(kernel.len() as u64);
    let initrd = guest.initrd.as_ref();
    let initrd_size = initrd.and_then(|file| bytes_of(&file.value)).map_or(0, |bytes| bytes.len() as u64);
    let needed = kernel_size.saturating_add(initrd_size).saturating_add(MARGIN);
    if needed > guest.ram.value {
        let mut problem = Problem::new(format!("the memory of `{}` is too small", guest.name.value))
            .at(guest.ram.span, format!("{} bytes", guest.ram.value))
            .at(guest.kernel.span, format!("takes {kernel_size} bytes in memory"));
        if let Some(initrd) = initrd {
            problem = problem.at(initrd.span, format!("{initrd_size} bytes"));
        }
        problems.push(problem.help(format!("with the device tree beside them, {needed} bytes")));
    }
}
