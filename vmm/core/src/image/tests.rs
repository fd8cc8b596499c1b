use alloc::string::ToString;

use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

/// A header as Debian's 6.12 has it.
fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0x10..0x18].copy_from_slice(&0x2b2_0000u64.to_le_bytes());
    header[0x18..0x20].copy_from_slice(&0xau64.to_le_bytes());
    header[0x38..0x3c].copy_from_slice(b"ARM\x64");
    header
}

fn with(at: usize, bytes: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = header();
    header[at..at + bytes.len()].copy_from_slice(bytes);
    header
}

#[test]
fn a_kernel_is_at_the_start_of_ram_with_the_tree_and_the_file_system_behind_it() {
    let image = Image::read(&header(), 44_157_440).unwrap();
    let placement = image.place(Some(3_635_216), 256 * MIB).unwrap();
    assert_eq!(placement.entry(), GuestPhysAddr(0x4000_0000));
    assert_eq!(placement.kernel, Range { base: 0x4000_0000, size: 0x2b2_0000 });
    assert_eq!(placement.tree, Range { base: 0x42c0_0000, size: 2 * MIB });
    assert_eq!(placement.initrd, Some(Range { base: 0x42e0_0000, size: 3_635_216 }));
    assert_eq!(image.place(None, 256 * MIB).unwrap().initrd, None);
    assert_eq!(image.place(Some(0), 256 * MIB).unwrap().initrd, None, "an empty one is none");
}

#[test]
fn an_offset_of_the_text_moves_the_kernel_and_a_signature_makes_it_longer() {
    let image = Image::read(&with(8, &0x8_0000u64.to_le_bytes()), 0x2b2_1000).unwrap();
    let placement = image.place(None, 256 * MIB).unwrap();
    assert_eq!(placement.kernel, Range { base: 0x4008_0000, size: 0x2b2_1000 });
}

#[test]
fn what_is_no_image_is_named() {
    for (header, bytes, message) in [
        (with(0, &[]), 63, "the kernel has 63 bytes"),
        (with(0x38, b"\0\0\0\0"), 4096, "no arm64 Image: 0x00000000 at byte 0x38 instead of 0x644d5241"),
        (with(0x18, &[0xb]), 4096, "big-endian"),
        (with(0x10, &[0; 8]), 4096, "does not say how much memory"),
        (with(0x08, &[0xff; 8]), 4096, "0xffffffffffffffff bytes behind a boundary"),
        (with(0x08, &[1]), 4096, "0x1 bytes behind a boundary"),
    ] {
        let error = Image::read(&header, bytes).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(Image::read(&header()[..63], 4096), Err(LoadError::Short { bytes: 63 }));
}

#[test]
fn ram_that_is_too_small_is_told_with_figures() {
    let image = Image::read(&header(), 4096).unwrap();
    let message = |initrd, ram| image.place(initrd, ram).unwrap_err().to_string();
    assert_eq!(
        message(None, 32 * MIB),
        "the kernel needs 45219840 bytes, and 33554432 are left for it of the guest's 32 MiB of RAM"
    );
    assert_eq!(
        message(None, 45 * MIB),
        "the device tree needs 2097152 bytes, and 1048576 are left for it of the guest's 45 MiB of RAM"
    );
    assert_eq!(
        message(Some(20 * MIB), 64 * MIB),
        "the initial file system needs 20971520 bytes, and 18874368 are left for it of the guest's 64 MiB of RAM"
    );
    assert!(image.place(Some(18 * MIB), 64 * MIB).is_ok(), "exactly full");
    let far = image.place(Some(33 << 30), 64 << 30).unwrap_err();
    assert!(matches!(far, LoadError::TooFar { .. }), "{far:?}");
}

proptest! {
    #[test]
    fn any_header_and_any_sizes_give_separate_ranges_in_ram_or_an_error(
        mut start in prop::collection::vec(any::<u8>(), 0..80),
        sound in any::<bool>(),
        text_offset in 0u64..0x30_0000,
        image_size in prop_oneof![any::<u64>(), 0..(256 * MIB)],
        bytes in prop_oneof![any::<u64>(), 0..(256 * MIB)],
        initrd in prop::option::of(prop_oneof![any::<u64>(), 0..(64 * MIB)]),
        ram in prop_oneof![any::<u64>(), 0..(512 * MIB)],
    ) {
        if sound && start.len() >= HEADER_BYTES {
            start[0x08..0x10].copy_from_slice(&(text_offset & !0xfff).to_le_bytes());
            start[0x10..0x18].copy_from_slice(&image_size.to_le_bytes());
            start[0x18] &= !1;
            start[0x38..0x3c].copy_from_slice(b"ARM\x64");
        }
        let Ok(image) = Image::read(&start, bytes) else { return Ok(()) };
        let Ok(placement) = image.place(initrd, ram) else { return Ok(()) };
        let ranges = [Some(placement.kernel), Some(placement.tree), placement.initrd];
        let mut last = RAM_BASE;
        for range in ranges.into_iter().flatten() {
            prop_assert!(range.base >= last, "{placement:x?}");
            prop_assert!(range.size > 0);
            last = (range.base + range.size).next_multiple_of(ALIGNMENT);
            prop_assert!(range.base - RAM_BASE + range.size <= ram, "{placement:x?}");
        }
        prop_assert!(placement.tree.base.is_multiple_of(ALIGNMENT));
        prop_assert!(placement.kernel.size >= bytes);
    }
}
