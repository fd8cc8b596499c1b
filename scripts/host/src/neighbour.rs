//! Whether somebody read on while another died: in any few lives of the one, the other has told what a piece of its disk holds,
//! and it is what the disk holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::transcript::{Line, Piece};

/// Who reads on beside whom.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The component that starts again and again; a guest's own restarts count too.
    pub lives_of: String,
    /// The one that reads on.
    pub read_by: String,
    /// In so many lives, one after the other, at least one piece was read.
    pub within: u64,
}

impl Neighbour {
    /// What `lines` show, against the file that was read.
    ///
    /// # Errors
    /// When nobody died, the reader paused for too many lives, or a piece, whoever read it, is not what the file holds.
    pub fn compare(&self, lines: &[String], disk: &Path) -> Result<String> {
        ensure!(self.within > 0, "something is read within one life or more");
        let mut held = Held { file: File::open(disk)?, known: BTreeMap::new() };
        let (mut lives, mut pieces, mut paused) = (0u64, 0u64, 0u64);
        for line in lines {
            match Line::read(line) {
                Line::Life(name) if name == self.lives_of => {
                    lives += 1;
                    paused += 1;
                    ensure!(
                        paused <= self.within,
                        "{} read nothing in the {paused} lives of {name} before number {lives}",
                        self.read_by
                    );
                }
                Line::Piece(name, piece) => {
                    let wanted = held.digest(&piece)?;
                    if wanted != piece.hex {
                        bail!(
                            "{name} read SHA256 {} over {} bytes at {}; the disk has {wanted} there",
                            piece.hex,
                            piece.bytes,
                            piece.at
                        );
                    }
                    if name == self.read_by {
                        pieces += 1;
                        paused = 0;
                    }
                }
                Line::Life(_)
                | Line::Check(_)
                | Line::Result(_)
                | Line::OwnResult(..)
                | Line::Digest(_)
                | Line::Stop(_)
                | Line::Malformed(_)
                | Line::Other => {}
            }
        }
        ensure!(lives > 0, "{} was never started again", self.lives_of);
        ensure!(paused == 0, "{} read nothing in the last life", self.read_by);
        Ok(format!(
            "{} read {pieces} pieces of its disk, each as it is, in {lives} restarts of {}",
            self.read_by, self.lives_of
        ))
    }
}

/// What the disk holds.
struct Held {
    file: File,
    known: BTreeMap<(u64, u64), String>,
}

impl Held {
    fn digest(&mut self, piece: &Piece) -> Result<String> {
        let place = (piece.at, piece.bytes);
        if let Some(known) = self.known.get(&place) {
            return Ok(known.clone());
        }
        let size = self.file.metadata()?.len();
        let inside = piece.bytes > 0 && piece.at.checked_add(piece.bytes).is_some_and(|end| end <= size);
        ensure!(inside, "the disk has no {} bytes at {}", piece.bytes, piece.at);
        let mut bytes = vec![0; usize::try_from(piece.bytes)?];
        self.file.seek(SeekFrom::Start(piece.at))?;
        self.file.read_exact(&mut bytes).context("the disk does not read")?;
        let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.known.insert(place, hex.clone());
        Ok(hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: &str = "root    | guest0 starts life 1: 1 KiB left, as at first";

    fn verdict(lines: &[&str]) -> Result<String, String> {
        let path = std::env::temp_dir().join(format!(
            "sluice-neighbour-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, b"xabc").unwrap();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let neighbour = Neighbour { lives_of: "guest0".into(), read_by: "guest1".into(), within: 2 };
        let outcome = neighbour.compare(&lines, &path).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        outcome
    }

    fn piece(who: &str, at: u64) -> String {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        format!("{who}  | SHA256 {hex} 3 at {at}")
    }

    #[test]
    fn who_reads_on_is_believed_when_the_disk_agrees() {
        let (good, wrong, outside) = (piece("guest1", 1), piece("guest1", 0), piece("guest1", 2));
        let said = verdict(&[LIFE, LIFE, &good, LIFE, &good]).unwrap();
        assert!(said.contains("2 pieces") && said.contains("3 restarts"), "{said}");
        assert!(verdict(&[LIFE, &good, &wrong]).unwrap_err().contains("at 0; the disk has"));
        assert!(verdict(&[LIFE, &good, &outside]).unwrap_err().contains("has no 3 bytes"));
        assert!(verdict(&[LIFE, &piece("guest2", 0), &good]).is_err(), "whoever reads, reads right");
    }

    #[test]
    fn a_pause_is_noticed_wherever_it_is() {
        let (good, other) = (piece("guest1", 1), piece("guest2", 1));
        assert!(verdict(&[LIFE, LIFE, LIFE, &good]).unwrap_err().contains("nothing in the 3 lives"));
        assert!(verdict(&[LIFE, &good, LIFE]).unwrap_err().contains("in the last life"));
        assert!(verdict(&[LIFE, &other, LIFE, &other, LIFE, &good]).is_err(), "another's pieces do not count");
        assert!(verdict(&[&good]).unwrap_err().contains("never started again"));
    }
}
