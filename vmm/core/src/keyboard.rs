//! What is typed to a guest, on its way from the console server to the guest's UART.
//!
//! The UART has room for a few bytes, and none while its driver has not enabled it. What does not fit waits here, and while
//! something waits no more is asked for: the console server keeps that, bounds it, and tells the operator what it drops.

use alloc::vec::Vec;

/// Bytes that wait for room in the UART.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keyboard {
    waiting: Vec<u8>,
    is_more: bool,
}

impl Keyboard {
    /// Nothing was typed.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: Vec::new(), is_more: false }
    }

    /// The console server has something to tell.
    pub const fn ring(&mut self) {
        self.is_more = true;
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_more
    }

    /// Whether the console server is to be asked now.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.waiting.is_empty() && self.is_more
    }

    /// The server gave `bytes`, having been asked for `most`: when it gave as many, there may be more.
    pub fn came(&mut self, bytes: &[u8], most: usize) {
        self.waiting.extend_from_slice(bytes);
        self.is_more = bytes.len() >= most;
    }

    /// What waits; the UART takes from the front.
    pub const fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has a UART with room for `room` bytes a turn take what a server has; the bytes in order, and how often it was asked.
    fn pass(typed: &[u8], most: usize, room: usize) -> (Vec<u8>, usize) {
        let (mut keyboard, mut server, mut taken, mut asked) = (Keyboard::new(), typed, Vec::new(), 0);
        keyboard.ring();
        while !keyboard.is_idle() {
            if keyboard.asks() {
                let (bytes, rest) = server.split_at(server.len().min(most));
                (server, asked) = (rest, asked + 1);
                keyboard.came(bytes, most);
            }
            let waiting = keyboard.waiting();
            let fits = waiting.len().min(room);
            taken.extend(waiting.drain(..fits));
        }
        (taken, asked)
    }

    #[test]
    fn everything_arrives_once_and_in_order() {
        let typed: Vec<u8> = (0..=255).collect();
        for (most, room) in [(1, 1), (7, 3), (256, 16), (300, 1)] {
            assert_eq!(pass(&typed, most, room).0, typed, "{most} {room}");
        }
    }

    #[test]
    fn the_server_is_asked_until_it_gives_less() {
        assert_eq!(pass(&[], 8, 8).1, 1);
        assert_eq!(pass(&[1; 7], 8, 8).1, 1);
        assert_eq!(pass(&[1; 8], 8, 8).1, 2);
    }

    #[test]
    fn nobody_is_asked_while_something_waits_or_unrung() {
        let mut keyboard = Keyboard::new();
        assert!(keyboard.is_idle() && !keyboard.asks());
        keyboard.ring();
        keyboard.came(&[1, 2], 2);
        assert!(!keyboard.is_idle() && !keyboard.asks());
        keyboard.waiting().clear();
        assert!(keyboard.asks());
    }
}
