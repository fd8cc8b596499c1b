//! What chunks of extra boot information say.

use alloc::vec::Vec;

use sluice_abi::bootinfo::{EXTRA_DEBUG_CANARY, EXTRA_SMMUS, SmmuIdentification};
use sluice_sys::extra_chunk;

/// Where a debug kernel keeps the word that attacks on its memory aim at.
pub(super) fn canary(extra: &[u8]) -> Option<u64> {
    word(extra_chunk(extra, EXTRA_DEBUG_CANARY)?, 0)
}

/// Identification registers IDR0, IDR1, IDR3 and IDR5 of each SMMU.
pub(super) fn smmus(extra: &[u8]) -> Vec<[u32; 4]> {
    let all = extra_chunk(extra, EXTRA_SMMUS).unwrap_or_default();
    let each = all.chunks_exact(size_of::<SmmuIdentification>());
    each.map(|smmu| core::array::from_fn(|register| word(smmu, 8 * register).unwrap_or(0) as u32)).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use sluice_abi::bootinfo::EXTRA_FDT;

    use super::*;

    fn chunks(list: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (id, len, content) in list {
            bytes.extend(id.to_le_bytes());
            bytes.extend(len.to_le_bytes());
            bytes.extend(*content);
        }
        bytes
    }

    #[test]
    fn the_canary_has_an_address() {
        let words: Vec<u8> = [0x4008_0000u64, 7].iter().flat_map(|word| word.to_le_bytes()).collect();
        let extra = chunks(&[(0, 24, &[0; 8]), (EXTRA_FDT, 19, b"dtb"), (EXTRA_DEBUG_CANARY, 32, &words)]);
        assert_eq!(canary(&extra), Some(0x4008_0000));
        assert_eq!(canary(&chunks(&[(EXTRA_DEBUG_CANARY, 20, b"four")])), None);
        assert_eq!(canary(&[]), None);
    }

    #[test]
    fn every_smmu_has_four_registers() {
        let words: Vec<u8> = (1..=9u64).flat_map(u64::to_le_bytes).collect();
        // What is left over is none.
        assert_eq!(smmus(&chunks(&[(EXTRA_SMMUS, 16 + 72, &words)])), [[1, 2, 3, 4], [5, 6, 7, 8]]);
        assert_eq!(smmus(&[]), [[0; 4]; 0]);
    }
}
