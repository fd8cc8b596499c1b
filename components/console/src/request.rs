//! Messages of clients.

use sluice_manifest::console::{MAX_BYTES, WRITE};

/// Why a message is answered with an error; the number is the label of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Refusal {
    /// The label is no request.
    Label = 1,
    /// The count is above the maximum, or above what the message has.
    Count = 2,
    /// The sender is none of the channel's clients.
    Client = 3,
}

/// The bytes that a message asks to print.
///
/// # Errors
/// When it is no such message.
pub fn text(label: u64, words: &[u64]) -> Result<impl Iterator<Item = u8> + '_, Refusal> {
    if label != WRITE {
        return Err(Refusal::Label);
    }
    let Some((count, words)) = words.split_first() else { return Err(Refusal::Count) };
    let count = usize::try_from(*count).map_err(|_| Refusal::Count)?;
    if count > MAX_BYTES || count > 8 * words.len() {
        return Err(Refusal::Count);
    }
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).take(count))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn bytes(label: u64, words: &[u64]) -> Result<Vec<u8>, Refusal> {
        text(label, words).map(Iterator::collect)
    }

    #[test]
    fn bytes_come_lowest_first_and_as_many_as_counted() {
        let word = u64::from_le_bytes(*b"abcdefgh");
        assert_eq!(bytes(WRITE, &[3, word]), Ok(b"abc".to_vec()));
        assert_eq!(bytes(WRITE, &[9, word, 0x69]), Ok(b"abcdefghi".to_vec()));
        assert_eq!(bytes(WRITE, &[0]), Ok(Vec::new()));
    }

    #[test]
    fn garbage_is_refused() {
        assert_eq!(bytes(0, &[1, 1]), Err(Refusal::Label));
        assert_eq!(bytes(WRITE + 1, &[1, 1]), Err(Refusal::Label));
        assert_eq!(bytes(WRITE, &[]), Err(Refusal::Count));
        assert_eq!(bytes(WRITE, &[9, 1]), Err(Refusal::Count), "more bytes than words");
        assert_eq!(bytes(WRITE, &[u64::MAX, 1]), Err(Refusal::Count));
        let long = [MAX_BYTES as u64 + 1; 119];
        assert_eq!(bytes(WRITE, &long), Err(Refusal::Count), "more bytes than a message may have");
    }
}
