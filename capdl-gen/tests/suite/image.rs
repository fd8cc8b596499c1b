//! Boot images: what is where, that they are the same each time, and what is refused.

use crate::support::{ElfBuilder, Segment, component, kernel, root_task};
use capdl_gen::image::{Elf, ElfError, File, ImageError, OpenError, open, pack, pack_payload};
use sluice_abi::image::{BootHeader, Checksum};
use sluice_abi::{PAGE_SIZE, VirtAddr};
use sluice_spec::{PayloadHeader, System};

const PAGE: usize = PAGE_SIZE as usize;

fn payload() -> Vec<u8> {
    let system = System { platform: "odd".to_owned(), ..System::default() };
    pack_payload(&system, &[File { name: "driver".to_owned(), bytes: component(7).bytes() }])
}

fn image(payload: &[u8]) -> Vec<u8> {
    pack(&kernel().bytes(), &root_task().bytes(), payload, 13).expect("an image")
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[test]
fn every_part_is_where_the_kernel_looks() {
    let payload = payload();
    let image = image(&payload);
    let kernel_len = 2 * PAGE;
    assert_eq!(&image[56..60], b"ARM\x64");
    assert_eq!(image[64], 0x55);
    assert!(image[164..kernel_len].iter().all(|byte| *byte == 0), "the kernel's .bss");

    let words = std::array::from_fn(|index| word(&image, kernel_len + 8 * index));
    let header = BootHeader::decode(words).expect("a boot header");
    assert_eq!(header.user_vstart, VirtAddr(0x40_0000));
    assert_eq!(header.user_entry, VirtAddr(0x40_0010));
    assert_eq!(header.cnode_bits, 13);
    assert!(image[kernel_len + 56..kernel_len + PAGE].iter().all(|byte| *byte == 0));

    let user = &image[kernel_len + PAGE..];
    assert_eq!(user.len() as u64, header.user_pages * PAGE_SIZE);
    let sum = Checksum::of((0..user.len() / 8).map(|index| word(user, 8 * index)));
    assert_eq!(header.checksum, sum.value());
    assert_eq!(&user[..0x123], &[0x11; 0x123]);
    assert!(user[0x123..0x2010].iter().all(|byte| *byte == 0), "the hole");
    assert_eq!(&user[0x2010..0x2055], &[0x22; 0x45]);
    assert!(user[0x2055..0x5000].iter().all(|byte| *byte == 0), "the root task's .bss");
    assert_eq!(&user[0x5000..], payload);
    PayloadHeader::decode(&user[0x5000..]).expect("a payload at the page after the root task");
}

#[test]
fn the_arm64_header_counts_the_whole_file() {
    let image = image(&payload());
    assert_eq!(word(&image, 16), (image.len() as u64).next_multiple_of(0x1_0000));
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    assert_eq!(image(&payload()), image(&payload()));
}

#[test]
fn an_image_can_be_taken_apart() {
    let opened = open(&image(&payload())).expect("an image");
    assert_eq!((opened.kernel.len, opened.root_task.len), (0x2000, 0x5000));
    assert_eq!(opened.system.expect("a system").platform, "odd");
    let bare = open(&image(&[])).expect("an image");
    assert_eq!((bare.root_task.len, bare.system), (0x5000, None));
}

#[test]
fn a_damaged_image_is_told_apart_from_none() {
    let whole = image(&payload());
    let mut flipped = whole.clone();
    let last = flipped.len() - PAGE;
    flipped[last] ^= 1;
    assert_eq!(open(&flipped), Err(OpenError::Checksum));
    assert_eq!(open(&whole[..whole.len() - PAGE]), Err(OpenError::NoHeader));
    assert_eq!(open(&kernel().bytes()), Err(OpenError::NoHeader));
    assert_eq!(open(&[]), Err(OpenError::NoHeader));
}

#[test]
fn wrong_files_are_named() {
    let refuse = |kernel: &ElfBuilder, root_task: &ElfBuilder| {
        pack(&kernel.bytes(), &root_task.bytes(), &[], 13).expect_err("no image").to_string()
    };
    let root_task = root_task();
    let plain = component(1);
    assert_eq!(refuse(&plain, &root_task), "kernel: its first segment does not start with an arm64 Image header");
    let mut big_endian = kernel();
    big_endian.segments[0].bytes[24] = 1;
    assert_eq!(refuse(&big_endian, &root_task), "kernel: its arm64 Image header says big-endian");
    let foreign = ElfBuilder { machine: 62, ..kernel() };
    assert_eq!(refuse(&foreign, &root_task), "kernel: not for 64-bit little-endian Arm: it is for another processor");
    let mut outside = root_task.clone();
    outside.entry = 0x40_1000;
    assert_eq!(refuse(&kernel(), &outside), "root task: entry point 0x401000 is in no segment");
    let high = ElfBuilder::new(1 << 44, vec![Segment::at(1 << 44, &[1])]);
    assert_eq!(
        refuse(&kernel(), &high),
        "root task: it ends at 0x100000000001; with its IPC buffer and boot information behind it, that is beyond the last user address, 0xfffffffffff"
    );
    let few = pack(&kernel().bytes(), &root_task.bytes(), &[], 5).expect_err("no image");
    assert!(matches!(few, ImageError::Header(_)), "{few:?}");
}

#[test]
fn what_is_no_executable_for_this_machine_is_refused() {
    let parse = |builder: &ElfBuilder| Elf::parse(&builder.bytes()).map(|_| ()).expect_err("refused");
    let good = component(1);
    assert_eq!(Elf::parse(b"\x7fELF").map(|_| ()), Err(ElfError::NotElf));
    assert_eq!(Elf::parse(b"").map(|_| ()), Err(ElfError::NotElf));
    assert_eq!(parse(&ElfBuilder { class: 1, ..good.clone() }), ElfError::Machine("it is a 32-bit file"));
    assert_eq!(parse(&ElfBuilder { data: 2, ..good.clone() }), ElfError::Machine("it is big-endian"));
    assert_eq!(parse(&ElfBuilder { kind: 3, ..good.clone() }), ElfError::NotExecutable);
    assert_eq!(parse(&ElfBuilder { segments: Vec::new(), ..good.clone() }), ElfError::Empty);
    let overlap = vec![Segment::at(0x40_0000, &[1; 16]), Segment::at(0x40_000f, &[2; 16])];
    assert_eq!(parse(&ElfBuilder { segments: overlap, ..good.clone() }), ElfError::Overlap(0x40_0000, 0x40_000f));
    let wraps = Segment { size: u64::MAX, ..Segment::at(0x40_0000, &[1]) };
    assert!(matches!(parse(&ElfBuilder { segments: vec![wraps], ..good.clone() }), ElfError::Malformed(_)));
    let shrunk = Segment { size: 1, ..Segment::at(0x40_0000, &[1; 2]) };
    assert!(matches!(parse(&ElfBuilder { segments: vec![shrunk], ..good.clone() }), ElfError::Malformed(_)));
}

#[test]
fn segments_far_apart_make_no_huge_image() {
    let far = vec![Segment::at(0x40_0000, &[1]), Segment::at(0x80_0000_0000, &[2])];
    let root = ElfBuilder::new(0x40_0000, far);
    let error = pack(&kernel().bytes(), &root.bytes(), &[], 13).expect_err("no image");
    assert!(matches!(error, ImageError::RootTask(ElfError::Sparse(_))), "{error:?}");
}

#[test]
fn any_prefix_or_flipped_byte_of_an_elf_is_handled() {
    let whole = root_task().bytes();
    for end in 0..whole.len() {
        let accepted = Elf::parse(&whole[..end]).is_ok();
        assert!(!accepted, "a file of {end} bytes lacks a part of a segment");
    }
    for at in 0..64 + 2 * 56 {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            // Either is fine; what counts is that nothing panics and no absurd image is made.
            if let Ok(image) = pack(&kernel().bytes(), &flipped, &[], 13) {
                assert!(image.len() < 600 << 20);
            }
            if let Ok(elf) = Elf::parse(&flipped) {
                assert!(elf.stripped().len() <= flipped.len());
            }
        }
    }
}

#[test]
fn stripping_keeps_what_is_loaded_and_drops_paths() {
    let mut elf = component(9).bytes();
    elf[40..48].copy_from_slice(&0x300u64.to_le_bytes());
    elf[60..64].copy_from_slice(&[3, 0, 2, 0]);
    let parsed = Elf::parse(&elf).expect("an ELF");
    let stripped = parsed.stripped();
    assert!(!stripped.windows(5).any(|window| window == b"/home"));
    let again = Elf::parse(&stripped).expect("still an ELF");
    let flat = |elf: &Elf<'_>| elf.flatten(capdl_gen::image::Placement::Virtual).expect("an image");
    assert_eq!(flat(&parsed), flat(&again));
    assert_eq!((word(&stripped, 40), &stripped[60..64]), (0, &[0u8; 4][..]));
}
