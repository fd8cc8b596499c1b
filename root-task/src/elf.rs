//! A component's ELF as pages: what each holds, and how it may be used.
//!
//! The root task fills one frame for each page, so two segments that meet within a page become one page with the
//! rights of both. A page that is only zeroes is left to the kernel, which clears every new frame.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use elf::abi::{EM_AARCH64, ET_EXEC, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD};
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;
use elf::{ElfBytes, file::Class};
use sluice_abi::{PAGE_BITS, PAGE_SIZE};
use sluice_manifest::{Perms, layout};

/// Most bytes of one segment: far above any component, far below what the root task's heap could list page by page.
const SEGMENT_MAX: u64 = 64 << 20;

/// An executable, ready to be laid out in a VSpace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image<'a> {
    /// Where its thread starts.
    pub entry: u64,
    /// Its pages in ascending order.
    pub pages: Vec<Page<'a>>,
}

/// One page of an executable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<'a> {
    /// Its address.
    pub vaddr: u64,
    /// Rights of all segments that touch it.
    pub perms: Perms,
    /// Offset in the page, and the bytes there; everything else is zero.
    pub contents: Vec<(u64, &'a [u8])>,
}

/// Why a file cannot be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageError {
    /// It is no ELF file, or a damaged one.
    Malformed,
    /// It is for another machine, or of another kind than a 64-bit executable at fixed addresses.
    Kind,
    /// A segment lies outside the file, or outside what a component's image may occupy.
    Segment(u64),
    /// Two segments hold the same address.
    Overlap(u64),
    /// The entry point is in no executable page.
    Entry(u64),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "no ELF file"),
            Self::Kind => write!(f, "no static 64-bit AArch64 executable at fixed addresses"),
            Self::Segment(at) => write!(f, "segment at {at:#x} is outside the file or the image area"),
            Self::Overlap(at) => write!(f, "two segments hold address {at:#x}"),
            Self::Entry(at) => write!(f, "entry point {at:#x} is in no executable page"),
        }
    }
}

impl<'a> Image<'a> {
    /// The executable in `file`.
    ///
    /// # Errors
    /// [`ImageError`] when it is none, or one that does not fit below [`layout::MANIFEST`].
    pub fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| ImageError::Malformed)?;
        if elf.ehdr.class != Class::ELF64 || elf.ehdr.e_machine != EM_AARCH64 || elf.ehdr.e_type != ET_EXEC {
            return Err(ImageError::Kind);
        }
        let segments: Vec<ProgramHeader> = elf.segments().ok_or(ImageError::Malformed)?.iter().collect();
        if segments.iter().any(|segment| matches!(segment.p_type, PT_DYNAMIC | PT_INTERP)) {
            return Err(ImageError::Kind);
        }
        let mut pages = BTreeMap::new();
        let mut loaded: Vec<(u64, u64)> = Vec::new();
        for segment in segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_memsz > 0) {
            let range = (segment.p_vaddr, segment.p_vaddr.saturating_add(segment.p_memsz));
            if let Some(other) = loaded.iter().find(|other| range.0 < other.1 && other.0 < range.1) {
                return Err(ImageError::Overlap(range.0.max(other.0)));
            }
            loaded.push(range);
            add_segment(&mut pages, segment, file)?;
        }
        let entry = elf.ehdr.e_entry;
        let starts = pages.get(&(entry >> PAGE_BITS)).is_some_and(|page: &Page<'_>| page.perms.execute);
        if !starts {
            return Err(ImageError::Entry(entry));
        }
        Ok(Self { entry, pages: pages.into_values().collect() })
    }

    /// The instruction at an address of a page that is executed and not written.
    #[must_use]
    pub fn instruction(&self, at: u64) -> Option<u32> {
        let index = self.pages.binary_search_by_key(&(at & !(PAGE_SIZE - 1)), |page| page.vaddr).ok()?;
        let page = self.pages.get(index).filter(|page| page.perms.execute && !page.perms.write)?;
        let offset = at - page.vaddr;
        let part = page.contents.iter().find_map(|(from, bytes)| {
            let from = usize::try_from(offset.checked_sub(*from)?).ok()?;
            bytes.get(from..from.checked_add(4)?)
        });
        part.and_then(|bytes| bytes.try_into().ok()).filter(|_| at.is_multiple_of(4)).map(u32::from_le_bytes)
    }
}

fn add_segment<'a>(
    pages: &mut BTreeMap<u64, Page<'a>>,
    segment: &ProgramHeader,
    file: &'a [u8],
) -> Result<(), ImageError> {
    let start = segment.p_vaddr;
    let outside = ImageError::Segment(start);
    if segment.p_memsz > SEGMENT_MAX {
        return Err(outside);
    }
    let end = start.checked_add(segment.p_memsz).filter(|end| *end <= layout::MANIFEST).ok_or(outside)?;
    let bytes = file_range(file, segment).filter(|_| segment.p_filesz <= segment.p_memsz).ok_or(outside)?;
    for number in start >> PAGE_BITS..end.div_ceil(PAGE_SIZE) {
        let vaddr = number << PAGE_BITS;
        let none = Perms { read: false, write: false, execute: false };
        let page = pages.entry(number).or_insert(Page { vaddr, perms: none, contents: Vec::new() });
        page.perms.read |= segment.p_flags & PF_R != 0;
        page.perms.write |= segment.p_flags & PF_W != 0;
        page.perms.execute |= segment.p_flags & PF_X != 0;
        let from = vaddr.max(start);
        let to = (vaddr + PAGE_SIZE).min(start + segment.p_filesz);
        if from < to {
            let part = bytes.get((from - start) as usize..(to - start) as usize).ok_or(outside)?;
            page.contents.push((from - vaddr, part));
        }
    }
    Ok(())
}

fn file_range<'a>(file: &'a [u8], segment: &ProgramHeader) -> Option<&'a [u8]> {
    let from = usize::try_from(segment.p_offset).ok()?;
    let to = from.checked_add(usize::try_from(segment.p_filesz).ok()?)?;
    file.get(from..to)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    struct Segment {
        vaddr: u64,
        bytes: Vec<u8>,
        memory: u64,
        flags: u32,
    }

    fn segment(vaddr: u64, bytes: Vec<u8>, memory: u64, flags: u32) -> Segment {
        Segment { vaddr, bytes, memory, flags }
    }

    /// An ELF file as the gABI lays it out: header, program headers, contents.
    fn file(entry: u64, segments: &[Segment]) -> Vec<u8> {
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend(2u16.to_le_bytes());
        out.extend(183u16.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(entry.to_le_bytes());
        out.extend(64u64.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        for half in [64u16, 56, segments.len() as u16, 64, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        let mut offset = 64 + 56 * segments.len() as u64;
        for segment in segments {
            out.extend(1u32.to_le_bytes());
            out.extend(segment.flags.to_le_bytes());
            let len = segment.bytes.len() as u64;
            for word in [offset, segment.vaddr, segment.vaddr, len, segment.memory, 0x1000] {
                out.extend(word.to_le_bytes());
            }
            offset += len;
        }
        segments.iter().for_each(|segment| out.extend(&segment.bytes));
        out
    }

    #[test]
    fn segments_that_share_a_page_share_its_rights() {
        let text = segment(0x40_0000, vec![1; 0x1800], 0x1800, PF_R | PF_X);
        let data = segment(0x40_1800, vec![2; 0x100], 0x2000, PF_R | PF_W);
        let file = file(0x40_0004, &[text, data]);
        let image = Image::parse(&file).unwrap();
        assert_eq!(image.entry, 0x40_0004);
        let vaddrs: Vec<u64> = image.pages.iter().map(|page| page.vaddr).collect();
        assert_eq!(vaddrs, [0x40_0000, 0x40_1000, 0x40_2000, 0x40_3000]);
        assert_eq!(image.pages[0].perms, Perms { read: true, write: false, execute: true });
        assert_eq!(image.pages[1].perms, Perms { read: true, write: true, execute: true });
        assert_eq!(image.pages[1].contents, [(0, &[1u8; 0x800][..]), (0x800, &[2u8; 0x100][..])]);
        assert!(image.pages[2].contents.is_empty());
    }

    #[test]
    fn instructions_are_read_where_there_are_some() {
        let text = segment(0x40_0ffc, (0..12).collect(), 16, PF_R | PF_X);
        let data = segment(0x40_2000, vec![7; 16], 16, PF_R | PF_W);
        let file = file(0x40_1000, &[text, data]);
        let image = Image::parse(&file).unwrap();
        let read = |at| image.instruction(at);
        assert_eq!([0x40_0ffc, 0x40_1000, 0x40_1004].map(read), [0x0302_0100, 0x0706_0504, 0x0b0a_0908].map(Some));
        for at in [0x40_0ff8, 0x40_1001, 0x40_1008, 0x40_2000, 0x50_0000, 0, u64::MAX, u64::MAX - 3] {
            assert_eq!(read(at), None, "{at:#x}");
        }
    }

    #[test]
    fn files_that_cannot_run_are_refused() {
        let text = || segment(0x40_0000, vec![0; 16], 16, PF_R | PF_X);
        let parse = |bytes: &[u8]| Image::parse(bytes).map(|image| image.entry);
        let good = file(0x40_0000, &[text()]);
        assert_eq!(parse(&good), Ok(0x40_0000));
        assert_eq!(parse(&good[..40]), Err(ImageError::Malformed));
        assert_eq!(parse(b"#!/bin/sh\n"), Err(ImageError::Malformed));
        assert_eq!(parse(&good[..good.len() - 1]), Err(ImageError::Segment(0x40_0000)));
        let mut other = good.clone();
        other[18] = 62;
        assert_eq!(parse(&other), Err(ImageError::Kind));
        let mut dynamic = good.clone();
        dynamic[64] = 2;
        assert_eq!(parse(&dynamic), Err(ImageError::Kind));
        assert_eq!(parse(&file(0x40_1000, &[text()])), Err(ImageError::Entry(0x40_1000)));
        let data = segment(0x40_0000, vec![0; 16], 16, PF_R | PF_W);
        assert_eq!(parse(&file(0x40_0000, &[data])), Err(ImageError::Entry(0x40_0000)));
        assert_eq!(parse(&file(0x40_0000, &[text(), text()])), Err(ImageError::Overlap(0x40_0000)));
        let high = segment(layout::MANIFEST - 8, vec![0; 16], 16, PF_R | PF_X);
        assert_eq!(parse(&file(0, &[high])), Err(ImageError::Segment(layout::MANIFEST - 8)));
        let huge = segment(0x40_0000, vec![0; 16], u64::MAX, PF_R | PF_X);
        assert_eq!(parse(&file(0, &[huge])), Err(ImageError::Segment(0x40_0000)));
        let short = segment(0x40_0000, vec![0; 16], 8, PF_R | PF_X);
        assert_eq!(parse(&file(0x40_0000, &[short])), Err(ImageError::Segment(0x40_0000)));
    }

    proptest! {
        #[test]
        fn pages_hold_exactly_the_segment(offset in 0u64..0x1000, len in 1usize..0x4000, zeroes in 0u64..0x3000) {
            let bytes: Vec<u8> = (0..len).map(|index| index as u8 | 1).collect();
            let vaddr = 0x40_0000 + offset;
            let file = file(vaddr, &[segment(vaddr, bytes.clone(), len as u64 + zeroes, PF_R | PF_X)]);
            let image = Image::parse(&file).unwrap();
            let mut memory = vec![0u8; image.pages.len() * 0x1000];
            for (index, page) in image.pages.iter().enumerate() {
                prop_assert_eq!(page.vaddr, 0x40_0000 + index as u64 * 0x1000);
                for (at, part) in &page.contents {
                    memory[index * 0x1000 + *at as usize..][..part.len()].copy_from_slice(part);
                }
            }
            let first = offset as usize;
            prop_assert_eq!(&memory[first..first + len], &bytes[..]);
            prop_assert!(memory[..first].iter().chain(&memory[first + len..]).all(|byte| *byte == 0));
            prop_assert!(memory.len() as u64 >= offset + len as u64 + zeroes);
        }

        #[test]
        fn damaged_files_do_not_panic(flips in prop::collection::vec((0usize..500, any::<u8>()), 1..6)) {
            let mut file = file(0x40_0000, &[segment(0x40_0000, vec![7; 300], 900, PF_R | PF_X)]);
            for (at, value) in flips {
                let at = at % file.len();
                file[at] ^= value;
            }
            if let Ok(image) = Image::parse(&file) {
                prop_assert!(image.pages.iter().all(|page| page.vaddr < layout::MANIFEST));
            }
        }
    }
}
