//! ELF files made to measure, and golden files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// One segment to load.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) virtual_start: u64,
    pub(crate) physical_start: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) size: u64,
}

impl Segment {
    /// `bytes` at `start`, and nothing after them.
    pub(crate) fn at(start: u64, bytes: &[u8]) -> Self {
        Self { virtual_start: start, physical_start: start, bytes: bytes.to_vec(), size: bytes.len() as u64 }
    }
}

/// An ELF file, well-formed unless told otherwise.
#[derive(Clone)]
pub(crate) struct ElfBuilder {
    pub(crate) class: u8,
    pub(crate) data: u8,
    pub(crate) kind: u16,
    pub(crate) machine: u16,
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
    /// What stands behind the segments, as symbols and debugging information do.
    pub(crate) tail: Vec<u8>,
}

impl ElfBuilder {
    /// An AArch64 executable.
    pub(crate) fn new(entry: u64, segments: Vec<Segment>) -> Self {
        Self { class: 2, data: 1, kind: 2, machine: 183, entry, segments, tail: Vec::new() }
    }

    /// The file (System V ABI, chapter 4; the 64-bit layout).
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count = self.segments.len();
        let mut contents = 64 + 56 * count;
        let mut header = vec![0x7f, b'E', b'L', b'F', self.class, self.data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header.extend(self.kind.to_le_bytes());
        header.extend(self.machine.to_le_bytes());
        header.extend(1u32.to_le_bytes());
        header.extend(self.entry.to_le_bytes());
        header.extend(64u64.to_le_bytes());
        header.extend([0; 12]);
        for half in [64u16, 56, count as u16, 64, 0, 0] {
            header.extend(half.to_le_bytes());
        }
        for segment in &self.segments {
            header.extend(1u32.to_le_bytes());
            header.extend(7u32.to_le_bytes());
            let file_size = segment.bytes.len() as u64;
            for word in
                [contents as u64, segment.virtual_start, segment.physical_start, file_size, segment.size, 0x1000]
            {
                header.extend(word.to_le_bytes());
            }
            contents += segment.bytes.len();
        }
        for segment in &self.segments {
            header.extend(&segment.bytes);
        }
        header.extend(&self.tail);
        header
    }
}

/// A kernel: an arm64 Image header, some code, and memory that starts as zeroes.
pub(crate) fn kernel() -> ElfBuilder {
    let mut code = vec![0; 64];
    code[56..60].copy_from_slice(b"ARM\x64");
    code.extend([0x55; 100]);
    let text = Segment { virtual_start: 0x8000_0000, physical_start: 0x4020_0000, bytes: code, size: 0x1234 };
    ElfBuilder::new(0x8000_0040, vec![text])
}

/// A root task in two segments with a hole between them.
pub(crate) fn root_task() -> ElfBuilder {
    let text = Segment::at(0x40_0000, &[0x11; 0x123]);
    let data = Segment { size: 0x2345, ..Segment::at(0x40_2010, &[0x22; 0x45]) };
    ElfBuilder::new(0x40_0010, vec![text, data])
}

/// A component.
pub(crate) fn component(byte: u8) -> ElfBuilder {
    let mut elf = ElfBuilder::new(0x40_0000, vec![Segment::at(0x40_0000, &[byte; 0x200])]);
    elf.tail = b"/home/somebody/src/main.rs".to_vec();
    elf
}

/// Compares `actual` with the golden file; with `BLESS=1` in the environment, writes it instead.
pub(crate) fn golden(path: &Path, actual: &str) -> Result<(), String> {
    if env::var_os("BLESS").is_some() {
        return fs::write(path, actual).map_err(|error| format!("{}: {error}", path.display()));
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    Err(format!("{} differs; BLESS=1 rewrites it\n--- expected\n{expected}--- actual\n{actual}", path.display()))
}

/// A folder of the test's own with the components that specs in `tests` name.
pub(crate) fn components(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).expect("a folder");
    let foreign = ElfBuilder { machine: 62, ..component(1) };
    let movable = ElfBuilder { kind: 3, ..component(1) };
    let files = [
        ("driver", component(0xd1).bytes()),
        ("server", component(0x5e).bytes()),
        ("foreign", foreign.bytes()),
        ("movable", movable.bytes()),
        ("text", b"#!/bin/sh\n".to_vec()),
        ("vmm", component(0x3f).bytes()),
    ];
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("a file");
    }
    guest_files(&folder);
    folder
}

/// What guests of specs in `tests`, and of the project's systems, boot.
fn guest_files(folder: &Path) {
    let image = |size: u64| {
        let mut header = vec![0; 64];
        header[16..24].copy_from_slice(&size.to_le_bytes());
        header[56..60].copy_from_slice(b"ARM\x64");
        header
    };
    for (name, bytes) in [
        ("Image", image(0x1_0000)),
        ("Image-6.1", image(0x1_0000)),
        ("Image-6.12", image(0x1_0000)),
        ("sluice-reader", image(0x1_0000)),
        ("hostile-guest", image(0x1_0000)),
        ("Image-large", image(256 << 20)),
        ("Image.gz", b"\x1f\x8b\x08".to_vec()),
        ("initramfs-6.1.cpio", b"070701".to_vec()),
        ("initramfs-6.12.cpio", b"070701".to_vec()),
    ] {
        fs::write(folder.join(name), bytes).expect("a file");
    }
    for (name, bytes) in [("initrd-large", 13 << 20), ("initrd-huge", 17 << 20)] {
        fs::File::create(folder.join(name)).and_then(|file| file.set_len(bytes)).expect("a file");
    }
}
