//! Messages of clients.

use sluice_manifest::console::{MAX_BYTES, READ, READ_BYTES, WRITE};

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

/// How many typed bytes a message has room for.
///
/// # Errors
/// When it does not ask for any.
pub fn room(label: u64, words: &[u64]) -> Result<usize, Refusal> {
    if label != READ {
        return Err(Refusal::Label);
    }
    let wanted = words.first().copied().ok_or(Refusal::Count)?;
    Ok(usize::try_from(wanted).map_or(READ_BYTES, |wanted| wanted.min(READ_BYTES)))
}

/// Words of the answer to a client that asked for typed bytes.
#[must_use]
pub fn answer(bytes: &[u8], lost: u64, attached: bool) -> [u64; 3 + READ_BYTES / 8] {
    let mut words = [0; 3 + READ_BYTES / 8];
    [words[0], words[1], words[2]] = [bytes.len() as u64, lost, u64::from(attached)];
    for (word, chunk) in words[3..].iter_mut().zip(bytes.chunks(8)) {
        *word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
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
    fn no_client_gets_more_than_a_message_carries() {
        assert_eq!(room(READ, &[5]), Ok(5));
        assert_eq!(room(READ, &[u64::MAX]), Ok(READ_BYTES));
        assert_eq!(room(READ, &[]), Err(Refusal::Count));
        assert_eq!(room(WRITE, &[5]), Err(Refusal::Label));
        let words = answer(b"abcdefghi", 7, true);
        assert_eq!(words[..5], [9, 7, 1, u64::from_le_bytes(*b"abcdefgh"), u64::from(b'i')]);
        assert_eq!(answer(&[b'x'; READ_BYTES], 0, false)[words.len() - 1], u64::from_le_bytes([b'x'; 8]));
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
