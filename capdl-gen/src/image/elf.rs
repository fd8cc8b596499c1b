//! ELF files as far as a boot image needs them: the segments that are loaded, and the entry point.

use std::fmt;
use std::ops::Range;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use sluice_abi::{PAGE_BITS, PAGE_SIZE};

/// The largest memory image of one ELF: what is larger has a segment at a wrong address.
const MAX_FLAT: u64 = 256 << 20;

/// An ELF file for AArch64 with at least one segment to load, none of which overlap, and an entry point in one of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elf<'a> {
    data: &'a [u8],
    entry: u64,
    segments: Vec<Segment>,
}

/// A segment to load.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Segment {
    virtual_start: u64,
    physical_start: u64,
    size: u64,
    file: Range<usize>,
}

/// Which of a segment's two addresses says where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// The address it runs at (`p_vaddr`).
    Virtual,
    /// The address it is loaded at (`p_paddr`).
    Physical,
}

/// The memory image of an ELF: its segments in place, and zeroes between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flat {
    /// Address of the first byte, a multiple of the page size.
    pub base: u64,
    /// The bytes, whole pages.
    pub bytes: Vec<u8>,
}

/// Why a file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ElfError {
    /// It is no ELF.
    NotElf,
    /// It is for another machine.
    Machine(&'static str),
    /// It is not linked for a fixed address.
    NotExecutable,
    /// Its structure contradicts itself.
    Malformed(String),
    /// Nothing is to be loaded.
    Empty,
    /// Two segments overlap: the first addresses of both.
    Overlap(u64, u64),
    /// The entry point is in no segment.
    Entry(u64),
    /// Its segments lie further apart than an image can be long.
    Sparse(u64),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "not an ELF file"),
            Self::Machine(what) => write!(f, "not for 64-bit little-endian Arm: {what}"),
            Self::NotExecutable => {
                write!(f, "not linked for a fixed address (link it static, not position-independent)")
            }
            Self::Malformed(what) => write!(f, "malformed ELF: {what}"),
            Self::Empty => write!(f, "no segment to load"),
            Self::Overlap(first, second) => write!(f, "segments at {first:#x} and {second:#x} overlap"),
            Self::Entry(entry) => write!(f, "entry point {entry:#x} is in no segment"),
            Self::Sparse(bytes) => write!(f, "segments span {bytes:#x} bytes, more than an image may have"),
        }
    }
}

impl<'a> Elf<'a> {
    /// The ELF in `data`.
    ///
    /// # Errors
    /// [`ElfError`] when it is none, or none that runs here.
    pub fn parse(data: &'a [u8]) -> Result<Self, ElfError> {
        let ident = data.get(..16).filter(|ident| ident.starts_with(&elf::ELFMAG)).ok_or(ElfError::NotElf)?;
        if ident[4] != elf::ELFCLASS64 {
            return Err(ElfError::Machine("it is a 32-bit file"));
        }
        if ident[5] != elf::ELFDATA2LSB {
            return Err(ElfError::Machine("it is big-endian"));
        }
        let malformed = |error: object::Error| ElfError::Malformed(error.to_string());
        let header = FileHeader64::<LittleEndian>::parse(data).map_err(malformed)?;
        let endian = LittleEndian;
        if header.e_machine(endian) != elf::EM_AARCH64 {
            return Err(ElfError::Machine("it is for another processor"));
        }
        if header.e_type(endian) != elf::ET_EXEC {
            return Err(ElfError::NotExecutable);
        }
        let mut segments = Vec::new();
        for program in header.program_headers(endian, data).map_err(malformed)? {
            if program.p_type(endian) == elf::PT_LOAD && program.p_memsz(endian) != 0 {
                segments.push(Segment::of(program, data)?);
            }
        }
        let elf = Self { data, entry: header.e_entry(endian), segments };
        elf.check()?;
        Ok(elf)
    }

    fn check(&self) -> Result<(), ElfError> {
        if self.segments.is_empty() {
            return Err(ElfError::Empty);
        }
        self.overlap(Placement::Virtual)?;
        let in_segment =
            |segment: &Segment| (segment.virtual_start..segment.virtual_start + segment.size).contains(&self.entry);
        if !self.segments.iter().any(in_segment) {
            return Err(ElfError::Entry(self.entry));
        }
        Ok(())
    }

    fn overlap(&self, placement: Placement) -> Result<(), ElfError> {
        let mut sorted: Vec<&Segment> = self.segments.iter().collect();
        sorted.sort_by_key(|segment| segment.start(placement));
        for pair in sorted.windows(2) {
            let (first, second) = (pair[0].start(placement), pair[1].start(placement));
            if first + pair[0].size > second {
                return Err(ElfError::Overlap(first, second));
            }
        }
        Ok(())
    }

    /// Where it starts.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The address behind the last byte it has when it runs.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.segments.iter().map(|segment| segment.virtual_start + segment.size).max().unwrap_or(0)
    }

    /// Its memory image.
    ///
    /// # Errors
    /// [`ElfError::Overlap`] when two segments go to the same place, [`ElfError::Sparse`] when the image would be
    /// absurdly large.
    pub fn flatten(&self, placement: Placement) -> Result<Flat, ElfError> {
        self.overlap(placement)?;
        let starts = self.segments.iter().map(|segment| segment.start(placement));
        let ends = self.segments.iter().map(|segment| segment.start(placement) + segment.size);
        let base = starts.min().unwrap_or(0) >> PAGE_BITS << PAGE_BITS;
        let length = (ends.max().unwrap_or(base) - base).next_multiple_of(PAGE_SIZE);
        if length > MAX_FLAT {
            return Err(ElfError::Sparse(length));
        }
        let mut bytes = vec![0; length as usize];
        for segment in &self.segments {
            let contents = &self.data[segment.file.clone()];
            let at = (segment.start(placement) - base) as usize;
            bytes[at..at + contents.len()].copy_from_slice(contents);
        }
        Ok(Flat { base, bytes })
    }

    /// The file without what is not loaded: symbols and debugging information, with the paths in them.
    #[must_use]
    pub fn stripped(&self) -> Vec<u8> {
        /// Offset of `e_shoff` in a 64-bit ELF header.
        const SECTION_OFFSET: Range<usize> = 40..48;
        /// Offsets of `e_shnum` and `e_shstrndx`.
        const SECTION_COUNTS: Range<usize> = 60..64;
        let contents = self.segments.iter().map(|segment| segment.file.end).max().unwrap_or(0);
        let header = |at: usize| u16::from_le_bytes([self.data[at], self.data[at + 1]]);
        let table = u64::from_le_bytes(std::array::from_fn(|i| self.data[32 + i])) as usize;
        let headers = table + usize::from(header(54)) * usize::from(header(56));
        let mut kept = self.data[..contents.max(headers).min(self.data.len())].to_vec();
        kept[SECTION_OFFSET].fill(0);
        kept[SECTION_COUNTS].fill(0);
        kept
    }
}

impl Segment {
    fn of(program: &elf::ProgramHeader64<LittleEndian>, data: &[u8]) -> Result<Self, ElfError> {
        let endian = LittleEndian;
        let (offset, file_size) = program.file_range(endian);
        let size = program.p_memsz(endian);
        let beyond = || ElfError::Malformed("a segment lies outside the file".to_owned());
        let end = offset.checked_add(file_size).filter(|end| *end <= data.len() as u64).ok_or_else(beyond)?;
        if file_size > size {
            return Err(ElfError::Malformed("a segment is longer in the file than in memory".to_owned()));
        }
        let (virtual_start, physical_start) = (program.p_vaddr(endian), program.p_paddr(endian));
        if virtual_start.checked_add(size).is_none() || physical_start.checked_add(size).is_none() {
            return Err(ElfError::Malformed("a segment wraps around the address space".to_owned()));
        }
        Ok(Self { virtual_start, physical_start, size, file: offset as usize..end as usize })
    }

    fn start(&self, placement: Placement) -> u64 {
        match placement {
            Placement::Virtual => self.virtual_start,
            Placement::Physical => self.physical_start,
        }
    }
}
