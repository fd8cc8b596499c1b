//! What the simulated controller does for each command.

use super::{Machine, Queue};

const DATA_TRANSFER_ERROR: u16 = 0x04;
const LBA_OUT_OF_RANGE: u16 = 0x80 | DO_NOT_RETRY;
const INVALID_OPCODE: u16 = 0x01 | DO_NOT_RETRY;
const DO_NOT_RETRY: u16 = 1 << 14;

fn wide(entry: &[u32; 16], dword: usize) -> u64 {
    u64::from(entry[dword]) | u64::from(entry[dword + 1]) << 32
}

impl Machine {
    pub(super) fn execute_admin(&mut self, entry: [u32; 16]) {
        if self.nature.silent_admin {
            return;
        }
        let opcode = entry[0] as u8;
        let id = (entry[0] >> 16) as u16;
        let status = match self.nature.fails_admin {
            Some((failing, status)) if failing == opcode => status,
            _ => self.admin_status(opcode, &entry),
        };
        let head = self.queues[0].sq_head;
        self.post(0, [0, u64::from(head) | u64::from(id) << 32 | u64::from(status) << 49]);
    }

    fn admin_status(&mut self, opcode: u8, entry: &[u32; 16]) -> u16 {
        let prp1 = wide(entry, 6);
        match opcode {
            0x06 => {
                let page = match entry[10] {
                    1 => self.controller_page(),
                    0 if entry[1] == 1 => self.namespace_page(),
                    _ => return 0x0b,
                };
                self.write_pages(&[(prp1, 4096)], &page)
            }
            0x09 => {
                assert_eq!((entry[10], entry[11]), (7, 0));
                0
            }
            0x05 => {
                assert_eq!(entry[11], 0b11, "contiguous, interrupts on vector 0");
                assert_eq!(entry[10] & 0xffff, 1);
                let entries = (entry[10] >> 16) as u16 + 1;
                self.queues[1] = Queue { completions: prp1, entries, phase: true, ..Queue::default() };
                0
            }
            0x01 => {
                assert_eq!(entry[11], 1 << 16 | 1, "contiguous, completing to queue 1");
                assert_eq!(entry[10], u32::from(self.queues[1].entries - 1) << 16 | 1);
                self.queues[1].submissions = prp1;
                0
            }
            0x02 => {
                assert_eq!(entry[10] & 0xff, 1);
                let bytes = (u64::from(entry[10] >> 16) + 1) * 4;
                self.write_pages(&[(prp1, bytes)], &vec![0; bytes as usize])
            }
            _ => INVALID_OPCODE,
        }
    }

    fn controller_page(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[4..24].copy_from_slice(b"SERIAL-7            ");
        page[24..64].copy_from_slice(b"Simulated\x1b[2J controller                ");
        page[77] = self.nature.mdts;
        (page[512], page[513]) = self.nature.entry_sizes;
        page[525] = 1;
        page
    }

    fn namespace_page(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..8].copy_from_slice(&self.nature.blocks.to_le_bytes());
        page[26] = 3;
        page[128 + 12] = self.nature.metadata;
        page[128 + 14] = self.nature.block_bits;
        page
    }

    pub(super) fn execute_io(&mut self, entry: &[u32; 16]) -> u16 {
        assert_eq!(entry[1], 1, "namespace");
        let opcode = entry[0] as u8;
        if opcode == 0 {
            self.flushes += 1;
            return 0;
        }
        let lba = wide(entry, 10);
        let blocks = u64::from(entry[12] & 0xffff) + 1;
        if lba.checked_add(blocks).is_none_or(|end| end > self.nature.blocks) {
            return LBA_OUT_OF_RANGE;
        }
        if let Some((_, &status)) = self.nature.bad_blocks.range(lba..lba + blocks).next() {
            return status;
        }
        let bytes = blocks << self.nature.block_bits;
        assert!(self.nature.mdts == 0 || bytes <= 4096 << self.nature.mdts, "transfer of {bytes} bytes");
        let Some(pages) = self.walk(wide(entry, 6), wide(entry, 8), bytes) else { return DATA_TRANSFER_ERROR };
        let range = (lba << self.nature.block_bits) as usize..((lba + blocks) << self.nature.block_bits) as usize;
        match opcode {
            2 => {
                let data = self.disk[range].to_vec();
                self.write_pages(&pages, &data)
            }
            1 => match self.read_pages(&pages) {
                Some(data) => {
                    self.disk[range].copy_from_slice(&data);
                    0
                }
                None => DATA_TRANSFER_ERROR,
            },
            _ => INVALID_OPCODE,
        }
    }

    /// The pieces of memory that PRP1 and PRP2 name.
    fn walk(&mut self, prp1: u64, prp2: u64, bytes: u64) -> Option<Vec<(u64, u64)>> {
        let first = bytes.min(4096 - prp1 % 4096);
        let mut pieces = vec![(prp1, first)];
        let mut left = bytes - first;
        if left > 0 && left <= 4096 {
            assert_eq!(prp2 % 4096, 0, "second page with an offset");
            pieces.push((prp2, left));
            return Some(pieces);
        }
        let mut at = prp2;
        while left > 0 {
            assert_eq!(at / 4096, prp2 / 4096, "list over a page's end");
            let Some(&mut page) = self.word(at) else {
                self.faults.push(at);
                return None;
            };
            assert_eq!(page % 4096, 0, "list entry with an offset");
            pieces.push((page, left.min(4096)));
            left -= left.min(4096);
            at += 8;
        }
        Some(pieces)
    }

    fn write_pages(&mut self, pieces: &[(u64, u64)], data: &[u8]) -> u16 {
        let mut data = data;
        for &(at, bytes) in pieces {
            let (piece, rest) = data.split_at(bytes as usize);
            data = rest;
            for (index, byte) in (0..).zip(piece) {
                let address: u64 = at + index;
                let Some(word) = self.word(address & !7) else {
                    self.faults.push(at);
                    return DATA_TRANSFER_ERROR;
                };
                let shift = 8 * (address % 8);
                *word = *word & !(0xff << shift) | u64::from(*byte) << shift;
            }
        }
        0
    }

    fn read_pages(&mut self, pieces: &[(u64, u64)]) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        for &(at, bytes) in pieces {
            for address in at..at + bytes {
                let Some(&mut word) = self.word(address & !7) else {
                    self.faults.push(at);
                    return None;
                };
                data.push(word.to_le_bytes()[(address % 8) as usize]);
            }
        }
        Some(data)
    }
}
