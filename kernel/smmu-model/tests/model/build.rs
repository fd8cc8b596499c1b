//! Tables for a random configuration, as words at addresses.

use std::collections::BTreeMap;

use sluice_smmu::regs::config;

use crate::case::{CD_AT, Case, FRAMES_AT, RAM_AT, STAGE1_AT, STAGE2_AT, Touch};
use crate::encode::HalfFields;

const GIGABYTE: u64 = 1 << 30;
const PAGE: u64 = 0x1000;
/// Room for one table of any granule, and for 16 of them that are concatenated.
const TABLE_ROOM: u64 = 0x1_0000;
const ROOT_ROOM: u64 = 16 * TABLE_ROOM;

/// What is stored for a case.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// By physical address.
    pub(crate) words: BTreeMap<u64, u64>,
    pub(crate) entry: [u64; 8],
    /// First intermediate address that stage 1 gives, a multiple of 1 GiB.
    pub(crate) gigabyte: u64,
    /// There is a block at a level that has none.
    pub(crate) impossible_block: bool,
    /// What the device does: address, direction, and the frame's word that it may reach.
    pub(crate) accesses: Vec<Access>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) address: u64,
    pub(crate) write: bool,
    /// The word of a frame that it means.
    pub(crate) target: u64,
}

impl Touch {
    /// The address that the device uses.
    fn address(&self, high: Option<&HalfFields>) -> u64 {
        let low = FRAMES_AT + PAGE * self.frame + self.offset;
        let address = self.above << 30 | low;
        match high {
            Some(half) if self.high => address | u64::MAX << (64 - half.size.clamp(1, 63)),
            Some(_) | None => address,
        }
    }
}

/// Tables of one stage.
struct Tables<'c> {
    words: BTreeMap<u64, u64>,
    granule: u32,
    input_bits: u32,
    start: u32,
    /// Where the root is and where the next table goes, by the address that the stage before uses.
    root: u64,
    next: u64,
    /// What the addresses of tables are in memory, more or less.
    to_memory: u64,
    odd: &'c [u8],
    taken: usize,
    stage2: bool,
    /// There is a block at a level that has none.
    impossible_block: bool,
}

impl Tables<'_> {
    fn oddity(&mut self) -> u8 {
        let odd = self.odd.get(self.taken % self.odd.len().max(1)).copied().unwrap_or(0);
        self.taken += 1;
        odd
    }

    fn shift(&self, level: u32) -> u32 {
        self.granule + (self.granule - 3) * (3 - level)
    }

    /// Leads `input` to `output`, and says which tables that takes, by the addresses that the stage before uses.
    fn map(&mut self, input: u64, output: u64) -> Vec<u64> {
        let mut table = self.root;
        let mut used = Vec::new();
        if self.start > 3 {
            return used;
        }
        for level in self.start..=3 {
            let shift = self.shift(level);
            let bits = if level == self.start { self.input_bits.saturating_sub(shift) } else { self.granule - 3 };
            let index = input.checked_shr(shift).unwrap_or(0) & ((1 << bits.min(17)) - 1);
            let slot = table + 8 * index;
            used.extend([slot, table]);
            let at = slot.wrapping_add(self.to_memory);
            let there = self.words.get(&at).copied().unwrap_or(0);
            match there & 3 {
                3 if level < 3 => table = there & 0x0000_ffff_ffff_f000,
                0 => {
                    let odd = self.oddity();
                    let block = level > 0 && level < 3 && (64..90).contains(&odd) && shift <= 30;
                    if level == 3 || block {
                        let word = self.leaf(output >> shift << shift, level == 3, odd);
                        self.words.insert(at, word);
                        return used;
                    }
                    let (next, word) = self.table(odd);
                    self.impossible_block |= word & 3 == 1 && !(level == 2 || level == 1 && self.granule == 12);
                    self.words.insert(at, word);
                    table = next;
                }
                _ => return used,
            }
        }
        used
    }

    fn table(&mut self, odd: u8) -> (u64, u64) {
        let next = self.next;
        self.next += TABLE_ROOM;
        let word = next
            | match odd {
                200..=203 => 0b01,
                204..=207 => 0,
                208..=211 => 0b11 | 1 << 46,
                212..=219 if !self.stage2 => 0b11 | 1 << 62,
                220..=223 if !self.stage2 => 0b11 | 1 << 59 | 1 << 60,
                224..=227 => 0b11 | 0xff << 2,
                _ => 0b11,
            };
        (next, word)
    }

    fn leaf(&self, output: u64, page: bool, odd: u8) -> u64 {
        let kind = if page { 0b11 } else { 0b01 };
        let accessed = 1 << 10;
        let (plain, read_only, nothing) = if self.stage2 {
            (0xf << 2 | 0b11 << 6 | accessed, 0xf << 2 | 0b01 << 6 | accessed, 0xf << 2 | accessed)
        } else {
            (1 << 6 | 1 << 11 | accessed, 0b11 << 6 | 1 << 11 | accessed, 1 << 6 | accessed)
        };
        let stage2 = self.stage2;
        let attributes = match odd {
            0..=15 | 64..=69 => plain,
            16..=31 | 70..=79 => read_only,
            // Stage 1 cannot say "nothing": this is a global page.
            32..=39 => nothing,
            // Write only (stage 2), and attributes that do not matter to data: contiguous, execute never, shareability.
            40..=47 if stage2 => plain & !(1 << 6),
            48..=55 => plain | 1 << 52,
            56..=63 | 80..=89 => plain | 1 << 54 | 0b11 << 8,
            100..=107 => plain & !accessed,
            108..=115 => read_only & !accessed,
            120..=127 => plain | 1 << 45,
            130..=133 => return output | plain | (kind ^ 0b10),
            134..=137 => return output | plain,
            _ => plain,
        };
        output | attributes | kind
    }
}

fn half_tables<'c>(case: &'c Case, half: &HalfFields, granule: u32, root: u64, to_memory: u64) -> Tables<'c> {
    let input_bits = 64u32.saturating_sub(half.size as u32).clamp(granule + 1, 48);
    let start = 4 - (input_bits - granule).div_ceil(granule - 3);
    Tables {
        words: BTreeMap::new(),
        granule,
        input_bits,
        start,
        root,
        next: root + ROOT_ROOM,
        to_memory,
        odd: &case.odd1,
        taken: 0,
        stage2: false,
        impossible_block: false,
    }
}

impl Case {
    pub(crate) fn build(&self) -> Built {
        let nested = self.ste.config == config::NESTED;
        let gigabyte = self.gigabyte * GIGABYTE;
        // What stage 2 does to an address: the offset in the gigabyte stays.
        let to_memory = RAM_AT.wrapping_sub(gigabyte);
        let stage1 = self.ste.config & config::STAGE1 == config::STAGE1;
        let mut cd = self.cd;
        let granule0 = [12, 16, 14, 12][cd.low.granule as usize % 4];
        let granule1 = [12, 14, 12, 16][cd.high.granule as usize % 4];
        (cd.low.root, cd.high.root) = (gigabyte + STAGE1_AT, gigabyte + STAGE1_AT + 2 * ROOT_ROOM);
        let mut low = half_tables(self, &cd.low, granule0, cd.low.root, to_memory);
        let mut high = half_tables(self, &cd.high, granule1, cd.high.root, to_memory);
        high.taken = 7;
        let mut intermediate = Vec::new();
        let mut accesses = Vec::new();
        for touch in &self.touches {
            let address = if stage1 {
                touch.address(Some(&cd.high))
            } else if touch.above == 0 {
                touch.address(None) + RAM_AT
            } else {
                touch.address(None)
            };
            let target = FRAMES_AT + PAGE * touch.frame + touch.offset;
            accesses.push(Access { address, write: touch.write, target: RAM_AT + target });
            if touch.astray {
                continue;
            }
            if stage1 {
                let tables = if address >> 55 & 1 == 1 { &mut high } else { &mut low };
                let input = address & ((1 << tables.input_bits) - 1);
                intermediate.extend(tables.map(input, gigabyte + target));
                intermediate.push(gigabyte + target);
            } else {
                intermediate.push(address);
            }
        }
        let mut impossible_block = low.impossible_block || high.impossible_block;
        let mut words = low.words;
        words.extend(high.words);
        let cd_at = gigabyte + CD_AT;
        for (word, number) in cd.words().into_iter().zip(0..) {
            words.insert(RAM_AT + CD_AT + 8 * number, word);
        }
        if self.ste.config & config::STAGE2 == config::STAGE2 {
            if nested {
                intermediate.insert(0, cd_at);
                // QEMU looks them up with the descriptor.
                intermediate.extend([&cd.low, &cd.high].iter().filter(|half| !half.disabled).map(|half| half.root));
            }
            let tables = self.stage2_tables(&intermediate);
            impossible_block |= tables.impossible_block;
            words.extend(tables.words);
        }
        let mut ste = self.ste;
        ste.cd_table = cd_at;
        Built { words, entry: ste.words(), gigabyte, impossible_block, accesses }
    }

    fn stage2_tables(&self, intermediate: &[u64]) -> Tables<'_> {
        let granule = [12, 16, 14, 12][self.ste.granule as usize % 4];
        let input_bits = 64u32.saturating_sub(self.ste.t0sz as u32).clamp(granule + 1, 48);
        let start = if granule == 12 { 2u64 } else { 3 }.saturating_sub(self.ste.sl0) as u32;
        let mut tables = Tables {
            words: BTreeMap::new(),
            granule,
            input_bits,
            start,
            root: RAM_AT + STAGE2_AT,
            next: RAM_AT + STAGE2_AT + ROOT_ROOM,
            to_memory: 0,
            odd: &self.odd2,
            taken: 0,
            stage2: true,
            impossible_block: false,
        };
        for ipa in intermediate {
            let output = RAM_AT + ipa % GIGABYTE;
            tables.map(*ipa & ((1 << input_bits) - 1), output);
        }
        tables
    }
}
