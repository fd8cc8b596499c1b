//! What the operator's keys mean.

/// Ctrl-]: the next key is for the server.
pub const ESCAPE: u8 = 0x1d;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A byte for the attached client.
    Byte(u8),
    /// Attach to the client of this number, from 0.
    Attach(usize),
    /// Attach to nobody.
    Detach,
    /// Who can be attached to.
    List,
}

/// The keys so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keyboard {
    escaped: bool,
}

impl Keyboard {
    /// What the next byte means: nothing, for an escape and for a key behind one that has no meaning.
    pub fn press(&mut self, byte: u8) -> Option<Key> {
        if !core::mem::take(&mut self.escaped) {
            self.escaped = byte == ESCAPE;
            return (!self.escaped).then_some(Key::Byte(byte));
        }
        match byte {
            ESCAPE => Some(Key::Byte(ESCAPE)),
            b'?' => Some(Key::List),
            b'0' => Some(Key::Detach),
            b'1'..=b'9' => Some(Key::Attach(usize::from(byte - b'1'))),
            b'a'..=b'z' => Some(Key::Attach(usize::from(byte - b'a') + 9)),
            _ => None,
        }
    }
}

/// The key that attaches to the client of this number; `?` when there is none.
#[must_use]
pub fn key_of(client: usize) -> char {
    match client {
        0..9 => char::from(b'1' + client as u8),
        9..35 => char::from(b'a' + (client - 9) as u8),
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keyboard = Keyboard::default();
        bytes.iter().filter_map(|byte| keyboard.press(*byte)).collect()
    }

    #[test]
    fn bytes_are_the_clients_but_for_the_key_behind_an_escape() {
        assert_eq!(keys(b"1\x1d1a?"), [Key::Byte(b'1'), Key::Attach(0), Key::Byte(b'a'), Key::Byte(b'?')]);
        assert_eq!(keys(b"\x1d0\x1d?"), [Key::Detach, Key::List]);
        assert_eq!(keys(b"\x1d\x1dx"), [Key::Byte(ESCAPE), Key::Byte(b'x')]);
        assert_eq!(keys(b"\x1d\rx\x1d"), [Key::Byte(b'x')]);
    }

    #[test]
    fn each_client_has_the_key_that_the_list_shows() {
        for client in 0..35 {
            let mut keyboard = Keyboard::default();
            assert_eq!(keyboard.press(ESCAPE), None);
            assert_eq!(keyboard.press(key_of(client) as u8), Some(Key::Attach(client)));
        }
        assert_eq!(key_of(35), '?');
    }
}
