//! Messages of clients.

use sluice_manifest::timer::SET;

/// Why a message is answered with an error; the number is the label of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Refusal {
    /// The label is no request.
    Label = 1,
    /// The message has no deadline.
    Deadline = 2,
    /// The sender is none of the channel's clients.
    Client = 3,
}

/// The moment that a message asks to be woken at.
///
/// # Errors
/// When it is no such message.
pub fn deadline(label: u64, words: &[u64]) -> Result<u64, Refusal> {
    if label != SET {
        return Err(Refusal::Label);
    }
    words.first().copied().ok_or(Refusal::Deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_label_and_a_deadline() {
        assert_eq!(deadline(SET, &[7]), Ok(7));
        assert_eq!(deadline(SET, &[u64::MAX, 3]), Ok(u64::MAX));
        assert_eq!(deadline(SET, &[]), Err(Refusal::Deadline));
        assert_eq!(deadline(SET + 1, &[7]), Err(Refusal::Label));
        assert_eq!(deadline(0, &[7]), Err(Refusal::Label));
    }
}
