//! Boot images broken on purpose.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sluice_abi::PAGE_SIZE;
use sluice_abi::image::{BootHeader, Checksum};

const PAGE: usize = PAGE_SIZE as usize;
const WORD: usize = 8;
/// Position of the checksum among the header's words.
const CHECKSUM: usize = 6;

/// One way to break an image.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Damage {
    /// One bit of the last user page.
    FlipBit,
    /// The second half of the user pages is missing from the file.
    CutShort,
    /// The kernel alone, nothing behind it.
    KernelAlone,
    /// Another value in a word of the boot header, by position.
    Header(usize, u64),
    /// The payload's first word, with a checksum that agrees.
    PayloadMagic,
    /// The first word of the payload's last file, with a checksum that agrees.
    LastFileMagic,
}

/// `image`, broken.
///
/// # Errors
/// When it is no boot image, or has no such part.
pub fn break_image(mut image: Vec<u8>, damage: &Damage) -> Result<Vec<u8>> {
    let header = header(&image)?;
    let user = header + PAGE;
    match damage {
        Damage::FlipBit => *image.last_mut().context("an empty image")? ^= 1,
        Damage::CutShort => image.truncate(user + (image.len() - user) / 2),
        Damage::KernelAlone => image.truncate(header),
        Damage::Header(index, value) => {
            ensure!(*index < BootHeader::WORDS, "the boot header has {} words", BootHeader::WORDS);
            put(&mut image, header + WORD * index, *value);
        }
        Damage::PayloadMagic => {
            let at = pages(&image, user).find(|at| image[*at..].starts_with(b"SLUICE01"));
            put(&mut image, at.context("the image has no payload")?, 0);
        }
        Damage::LastFileMagic => {
            let at = pages(&image, user).filter(|at| image[*at..].starts_with(b"\x7fELF")).last();
            put(&mut image, at.context("the image has no files")?, 0);
        }
    }
    if matches!(damage, Damage::PayloadMagic | Damage::LastFileMagic) {
        let sum = Checksum::of(words(&image[user..])).value();
        put(&mut image, header + WORD * CHECKSUM, sum);
    }
    Ok(image)
}

/// Offset of the page with the boot header.
fn header(image: &[u8]) -> Result<usize> {
    let fits = |at: &usize| {
        let mut found = [0; BootHeader::WORDS];
        found.iter_mut().zip(words(&image[*at..])).for_each(|(word, value)| *word = value);
        let header = BootHeader::decode(found);
        header.is_ok_and(|header| header.user_pages * PAGE_SIZE == (image.len() - at - PAGE) as u64)
    };
    pages(image, 0).find(fits).context("no boot image: no page of it is a boot header that fits its length")
}

fn pages(image: &[u8], from: usize) -> impl Iterator<Item = usize> + use<> {
    (from..image.len()).step_by(PAGE)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks::<WORD>().0.iter().map(|word| u64::from_le_bytes(*word))
}

fn put(image: &mut [u8], at: usize, word: u64) {
    image[at..at + WORD].copy_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use sluice_abi::VirtAddr;

    use super::*;

    /// One page of kernel, the header, a page of root task, the payload's page, two files of a page.
    fn image() -> Vec<u8> {
        let mut image = vec![0; 6 * PAGE];
        image[2 * PAGE..].fill(0x11);
        image[3 * PAGE..3 * PAGE + 8].copy_from_slice(b"SLUICE01");
        image[4 * PAGE..4 * PAGE + 4].copy_from_slice(b"\x7fELF");
        image[5 * PAGE..5 * PAGE + 4].copy_from_slice(b"\x7fELF");
        let header = BootHeader {
            user_vstart: VirtAddr(0x40_0000),
            user_pages: 4,
            user_entry: VirtAddr(0x40_0000),
            cnode_bits: 13,
            checksum: Checksum::of(words(&image[2 * PAGE..])).value(),
        };
        for (index, word) in header.encode().into_iter().enumerate() {
            put(&mut image, PAGE + WORD * index, word);
        }
        image
    }

    fn sums_agree(image: &[u8]) -> bool {
        let stored = words(&image[PAGE..]).nth(CHECKSUM);
        stored == Some(Checksum::of(words(&image[2 * PAGE..])).value())
    }

    #[test]
    fn accidents_leave_a_checksum_that_disagrees() {
        assert!(sums_agree(&image()));
        let flipped = break_image(image(), &Damage::FlipBit).unwrap();
        assert!(flipped.len() == image().len() && !sums_agree(&flipped));
        let cut = break_image(image(), &Damage::CutShort).unwrap();
        assert!(cut.len() == 4 * PAGE && !sums_agree(&cut));
        assert_eq!(break_image(image(), &Damage::KernelAlone).unwrap().len(), PAGE);
    }

    #[test]
    fn what_the_root_task_is_to_find_passes_the_kernel() {
        for (damage, page) in [(Damage::PayloadMagic, 3), (Damage::LastFileMagic, 5)] {
            let broken = break_image(image(), &damage).unwrap();
            assert!(sums_agree(&broken));
            let differing: Vec<usize> =
                (0..6).filter(|page| broken[page * PAGE..][..PAGE] != image()[page * PAGE..][..PAGE]).collect();
            assert_eq!(differing, [1, page]);
        }
    }

    #[test]
    fn a_header_word_is_replaced_and_only_that() {
        let broken = break_image(image(), &Damage::Header(1, 7)).unwrap();
        assert_eq!(words(&broken[PAGE..]).nth(1), Some(7));
        assert_eq!(broken.iter().zip(image()).filter(|(broken, good)| **broken != *good).count(), 1);
        assert!(break_image(image(), &Damage::Header(7, 0)).is_err());
        assert!(break_image(vec![0; 4 * PAGE], &Damage::FlipBit).is_err());
    }
}
