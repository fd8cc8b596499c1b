//! Whom guests talk to on the network: QEMU starts it for each connection, with the connection as input and output.
//!
//! The guest sends a number of bytes as a line, then as many bytes. It is answered with a line that has their SHA-256 and with the
//! bytes. What came is kept in a file, for the host to look at once the machine is off.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

/// Most bytes that a guest can make the host keep.
const MOST: u64 = 64 << 20;

/// Serves one connection.
///
/// # Errors
/// When the connection breaks, the guest says something else, or the file cannot be written.
pub fn serve(input: &mut impl BufRead, output: &mut impl Write, kept: &Path) -> Result<()> {
    let mut line = Vec::new();
    input.take(32).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let bytes: u64 = line.trim_end().parse().with_context(|| format!("`{}` is no number", line.escape_debug()))?;
    ensure!(bytes <= MOST, "{bytes} bytes are too many");
    let mut came = Vec::new();
    input.take(bytes).read_to_end(&mut came)?;
    std::fs::write(kept, &came).with_context(|| format!("cannot write {}", kept.display()))?;
    let digest: String = Sha256::digest(&came).iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(output, "{digest}")?;
    output.write_all(&came)?;
    output.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &[u8]) -> (Result<()>, Vec<u8>, Option<Vec<u8>>) {
        let kept = std::env::temp_dir().join(format!("sluice-peer-{}-{}", std::process::id(), said.len()));
        let mut answer = Vec::new();
        let outcome = serve(&mut &said[..], &mut answer, &kept);
        let content = std::fs::read(&kept).ok();
        std::fs::remove_file(&kept).ok();
        (outcome, answer, content)
    }

    #[test]
    fn what_was_sent_comes_back_behind_its_digest_and_is_kept() {
        let (outcome, answer, kept) = told(b"3\nabcdef");
        outcome.unwrap();
        assert_eq!(answer, b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nabc");
        assert_eq!(kept.as_deref(), Some(&b"abc"[..]));
    }

    #[test]
    fn other_words_and_too_much_are_refused() {
        for said in [&b"three\nabc"[..], b"", b"99999999999\nabc", b"18446744073709551616000000000000000000000000\n"] {
            let (outcome, answer, kept) = told(said);
            assert!(outcome.is_err() && answer.is_empty() && kept.is_none());
        }
    }
}
