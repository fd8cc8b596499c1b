//! The files of guests, and what can be said about a guest once they are known.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_vmm::image::Image;

use crate::derive;
use crate::diagnostic::{At, Problem, Problems};
use crate::image::File;
use crate::spec::{Guest, Spec};

/// How a file compressed with gzip starts (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Makes the guests of `spec` components and regions; the files they name, in the order of [`derive::files`].
///
/// # Errors
/// Files that cannot be read, kernels that are none, memory that does not hold them.
pub(crate) fn expand(spec: &mut Spec, folders: &[PathBuf]) -> Result<Vec<File>, Problems> {
    let mut problems = Problems::default();
    let mut files: Vec<File> = Vec::new();
    for guest in std::mem::take(&mut spec.guests) {
        for file in [Some(&guest.kernel), guest.initrd.as_ref()].into_iter().flatten() {
            if files.iter().all(|known| known.name != file.value) {
                files.extend(problems.keep(read(file, folders)));
            }
        }
        let size = |name: &str| files.iter().find(|file| file.name == name).map_or(0, |file| file.bytes.len() as u64);
        problems.keep(check(&guest, &files));
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

/// Whether the VMM can load the guest: it reads the kernel and places everything as this does.
fn check(guest: &Guest, files: &[File]) -> Result<(), Problem> {
    let bytes_of = |name: &str| files.iter().find(|file| file.name == name).map(|file| file.bytes.as_slice());
    let kernel = &guest.kernel;
    let Some(bytes) = bytes_of(&kernel.value) else { return Ok(()) };
    let image = Image::read(bytes, bytes.len() as u64).map_err(|error| {
        let problem =
            Problem::new(format!("`{}` is no kernel for a guest", kernel.value)).at(kernel.span, error.to_string());
        match bytes {
            [a, b, ..] if [*a, *b] == GZIP => problem.help("it is compressed: gunzip it"),
            [0x7f, b'E', b'L', b'F', ..] => problem.help("it is an ELF file: what to boot is arch/arm64/boot/Image"),
            _ => problem,
        }
    })?;
    let initrd = guest.initrd.as_ref();
    let initrd_bytes = initrd.and_then(|file| bytes_of(&file.value)).map(|bytes| bytes.len() as u64);
    image.place(initrd_bytes, guest.ram.value).map(drop).map_err(|error| {
        let problem = Problem::new(format!("the memory of `{}` cannot hold it", guest.name.value));
        let problem = problem.at(guest.ram.span, error.to_string()).at(kernel.span, "loaded first");
        initrd.map_or(problem.clone(), |initrd| problem.at(initrd.span, "loaded last, behind the device tree"))
    })
}
