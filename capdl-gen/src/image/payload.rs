//! The payload behind the root task: the encoded system and the files it names, at page boundaries.

use sluice_abi::PAGE_SIZE;
use sluice_spec::{Blob, PayloadHeader, System};

/// A file for the payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// The payload with `system` and `files`, whole pages. Positions of files are those of `System::blobs`.
#[must_use]
pub fn pack(system: &System, files: &[File]) -> Vec<u8> {
    let mut system = system.clone();
    let mut encoded = Vec::new();
    let mut end = 0;
    // Offsets are encoded with as many bytes as they need, so a longer system can push the files to offsets that make
    // it longer still. Offsets only grow from one round to the next, and there is an end to what a u64 needs.
    loop {
        let blobs = place(files, PayloadHeader::LEN as u64 + encoded.len() as u64);
        end = blobs.last().map_or(end, |blob| blob.offset + blob.len);
        system.blobs = blobs;
        let Ok(next) = system.encode() else {
            unreachable!("a system always serialises");
        };
        if next.len() == encoded.len() {
            encoded = next;
            break;
        }
        encoded = next;
    }
    let system_offset = PayloadHeader::LEN as u64;
    let system_len = encoded.len() as u64;
    let total_len = end.max(system_offset + system_len);
    let header = PayloadHeader { total_len, system_offset, system_len };
    let mut bytes = vec![0; total_len.next_multiple_of(PAGE_SIZE) as usize];
    bytes[..PayloadHeader::LEN].copy_from_slice(&header.encode());
    bytes[PayloadHeader::LEN..PayloadHeader::LEN + encoded.len()].copy_from_slice(&encoded);
    for (blob, file) in system.blobs.iter().zip(files) {
        let at = blob.offset as usize;
        bytes[at..at + file.bytes.len()].copy_from_slice(&file.bytes);
    }
    bytes
}

/// Where each file goes when everything before the files ends at `start`.
fn place(files: &[File], start: u64) -> Vec<Blob> {
    let mut next = start.next_multiple_of(PAGE_SIZE);
    files
        .iter()
        .map(|file| {
            let len = file.bytes.len() as u64;
            let blob = Blob { name: file.name.clone(), offset: next, len };
            next = (next + len).next_multiple_of(PAGE_SIZE);
            blob
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, len: usize, byte: u8) -> File {
        File { name: name.to_owned(), bytes: vec![byte; len] }
    }

    #[test]
    fn a_reader_finds_the_system_and_every_file() {
        let files = [file("a", 1, 0xaa), file("b", 5000, 0xbb), file("c", 4096, 0xcc)];
        let system = System { platform: "x".repeat(4000), ..System::default() };
        let bytes = pack(&system, &files);
        assert_eq!(bytes.len() % PAGE_SIZE as usize, 0);
        let header = PayloadHeader::decode(&bytes).expect("a header");
        let at = header.system_offset as usize;
        let decoded = System::decode(&bytes[at..at + header.system_len as usize]).expect("a system");
        assert_eq!(decoded.platform, system.platform);
        assert_eq!(decoded.blobs.len(), 3);
        for (blob, file) in decoded.blobs.iter().zip(&files) {
            assert_eq!(blob.offset % PAGE_SIZE, 0);
            assert!(blob.offset >= header.system_offset + header.system_len);
            assert_eq!(bytes[blob.offset as usize..(blob.offset + blob.len) as usize], file.bytes);
        }
        assert!(header.total_len <= bytes.len() as u64);
    }

    #[test]
    fn a_system_that_just_crosses_a_page_pushes_the_files_on() {
        for length in 3900..4100 {
            let system = System { platform: "x".repeat(length), ..System::default() };
            let bytes = pack(&system, &[file("a", 3, 1)]);
            let header = PayloadHeader::decode(&bytes).expect("a header");
            let at = header.system_offset as usize;
            let decoded = System::decode(&bytes[at..at + header.system_len as usize]).expect("a system");
            assert!(decoded.blobs[0].offset >= header.system_offset + header.system_len, "{length}");
        }
    }

    #[test]
    fn without_files_there_is_only_the_system() {
        let bytes = pack(&System::default(), &[]);
        let header = PayloadHeader::decode(&bytes).expect("a header");
        assert_eq!(header.total_len, header.system_offset + header.system_len);
    }
}
