//! Who is shown how, and who gets what is typed.
//!
//! At most one client is *attached*: it has the terminal. Its bytes are shown as they come, without its name, and it
//! gets what is typed. Everybody else's text appears as whole lines behind its sender's name; a line that is not
//! finished is kept until it is, or until its client is attached. Every such line starts in the first column, so an
//! attached client that has left the cursor elsewhere only has its own text broken off.

use alloc::vec::Vec;

use crate::assembly::Assembly;
use crate::keyboard::{Key, Keyboard, key_of};
use crate::typed::Typed;

/// Columns of the name before each line.
const NAME_COLUMNS: usize = 8;

/// Everything about the terminal but its registers.
#[derive(Clone, Debug)]
pub struct Desk<'a> {
    own: &'a str,
    clients: Vec<Client<'a>>,
    attached: Option<usize>,
    keyboard: Keyboard,
    /// The last byte of the attached client, when it left its line unfinished.
    last: Option<u8>,
}

#[derive(Clone, Debug)]
struct Client<'a> {
    name: &'a str,
    assembly: Assembly,
    typed: Typed,
    /// It has not been told of what was typed, or of being attached or detached.
    news: bool,
}

impl<'a> Desk<'a> {
    /// A terminal of the server `own` with nobody attached.
    pub fn new(own: &'a str, names: impl Iterator<Item = &'a str>) -> Self {
        let client = |name| Client { name, assembly: Assembly::default(), typed: Typed::default(), news: false };
        Self { own, clients: names.map(client).collect(), attached: None, keyboard: Keyboard::default(), last: None }
    }

    /// Shows text of a client.
    pub fn write(&mut self, client: usize, text: impl Iterator<Item = u8>, put: &mut impl FnMut(u8)) {
        if self.attached == Some(client) {
            text.for_each(|byte| self.raw(byte, put));
            return;
        }
        let Some(Client { name, assembly, .. }) = self.clients.get_mut(client) else { return };
        for byte in text {
            assembly.push(byte, &mut |text| line(name, text, &mut self.last, put));
        }
    }

    /// Takes a byte that was typed.
    pub fn press(&mut self, byte: u8, put: &mut impl FnMut(u8)) {
        match self.keyboard.press(byte) {
            Some(Key::Byte(byte)) => {
                if let Some(client) = self.attached.and_then(|client| self.clients.get_mut(client)) {
                    client.typed.push(byte);
                    client.news = true;
                }
            }
            Some(Key::Attach(client)) => self.attach(client, put),
            Some(Key::Detach) => self.detach(put),
            Some(Key::List) => self.list(put),
            None => {}
        }
    }

    /// Counts typed bytes that the device lost.
    pub fn lost(&mut self, bytes: u64) {
        if let Some(client) = self.attached.and_then(|client| self.clients.get_mut(client)) {
            client.typed.lose(bytes);
        }
    }

    /// Attaches to the client called `name`; whether there is one.
    pub fn attach_to(&mut self, name: &str, put: &mut impl FnMut(u8)) -> bool {
        let client = self.clients.iter().position(|client| client.name == name);
        if let Some(client) = client {
            self.attach(client, put);
        }
        client.is_some()
    }

    /// Takes what was typed for a client: how many bytes, how many were lost, and whether it is attached.
    pub fn read(&mut self, client: usize, into: &mut [u8]) -> (usize, u64, bool) {
        let Some(entry) = self.clients.get_mut(client) else { return (0, 0, false) };
        let (count, lost) = entry.typed.take(into);
        (count, lost, self.attached == Some(client))
    }

    /// The clients that are to be signalled; each is named once.
    pub fn take_news(&mut self) -> impl Iterator<Item = usize> {
        let clients = self.clients.iter_mut().enumerate();
        clients.filter_map(|(index, client)| core::mem::take(&mut client.news).then_some(index))
    }

    /// A line of the server's own.
    pub fn say(&mut self, text: &str, put: &mut impl FnMut(u8)) {
        line(self.own, text.as_bytes(), &mut self.last, put);
    }

    fn attach(&mut self, index: usize, put: &mut impl FnMut(u8)) {
        if self.attached == Some(index) {
            return;
        }
        let Some(name) = self.clients.get(index).map(|client| client.name) else {
            self.say("there is no such client; Ctrl-] ? lists them", put);
            return;
        };
        self.detach(put);
        self.say(&alloc::format!("{name} has the terminal; Ctrl-] 0 takes it back"), put);
        self.attached = Some(index);
        let Some(client) = self.clients.get_mut(index) else { return };
        client.news = true;
        // What it left unfinished may be a prompt.
        let begun = core::mem::take(&mut client.assembly);
        begun.unfinished().iter().for_each(|byte| self.raw(*byte, put));
    }

    fn detach(&mut self, put: &mut impl FnMut(u8)) {
        let Some(index) = self.attached.take() else { return };
        let Some(client) = self.clients.get_mut(index) else { return };
        client.news = true;
        let name = client.name;
        self.say(&alloc::format!("{name} has the terminal no more"), put);
    }

    fn list(&mut self, put: &mut impl FnMut(u8)) {
        for index in 0..self.clients.len() {
            let attached = if self.attached == Some(index) { " (has the terminal)" } else { "" };
            let text = alloc::format!("Ctrl-] {} is {}{attached}", key_of(index), self.clients[index].name);
            self.say(&text, put);
        }
        self.say("Ctrl-] 0 is nobody, Ctrl-] Ctrl-] is Ctrl-] itself", put);
    }

    /// A byte of the attached client. Native components end lines with a line feed alone, guests do both.
    fn raw(&mut self, byte: u8, put: &mut impl FnMut(u8)) {
        if byte == b'\n' && self.last != Some(b'\r') {
            put(b'\r');
        }
        put(byte);
        self.last = (byte != b'\n').then_some(byte);
    }
}

/// A whole line, in a row of its own.
fn line(name: &str, text: &[u8], last: &mut Option<u8>, put: &mut impl FnMut(u8)) {
    let end = last.take().map_or(b"".as_slice(), |_| b"\r\n");
    let padding = core::iter::repeat_n(b' ', NAME_COLUMNS.saturating_sub(name.len()));
    let head = end.iter().copied().chain(name.bytes()).chain(padding).chain(*b"| ");
    head.chain(text.iter().copied()).chain(*b"\r\n").for_each(put);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn desk() -> Desk<'static> {
        Desk::new("console", ["one", "two"].into_iter())
    }

    /// What is shown when each of `acts` happens.
    fn shown(desk: &mut Desk<'_>, act: impl FnOnce(&mut Desk<'_>, &mut dyn FnMut(u8))) -> String {
        let mut out = Vec::new();
        act(desk, &mut |byte| out.push(byte));
        String::from_utf8_lossy(&out).into_owned()
    }

    fn write(desk: &mut Desk<'_>, client: usize, text: &str) -> String {
        shown(desk, |desk, mut put| desk.write(client, text.bytes(), &mut put))
    }

    fn press(desk: &mut Desk<'_>, keys: &[u8]) -> String {
        shown(desk, |desk, mut put| keys.iter().for_each(|key| desk.press(*key, &mut put)))
    }

    fn read(desk: &mut Desk<'_>, client: usize) -> (String, bool) {
        let mut into = [0; 64];
        let (count, _, attached) = desk.read(client, &mut into);
        (String::from_utf8_lossy(&into[..count]).into_owned(), attached)
    }

    #[test]
    fn only_the_attached_client_gets_what_is_typed() {
        let mut desk = desk();
        press(&mut desk, b"nobody's");
        press(&mut desk, b"\x1d1first");
        assert_eq!(desk.take_news().collect::<Vec<_>>(), [0]);
        press(&mut desk, b"\x1d2second");
        assert_eq!(desk.take_news().collect::<Vec<_>>(), [0, 1], "who lost the terminal is told, too");
        press(&mut desk, b"\x1d0nobody's");
        assert_eq!(desk.take_news().collect::<Vec<_>>(), [1]);
        assert_eq!(desk.take_news().count(), 0);
        assert_eq!(read(&mut desk, 0), ("first".into(), false));
        assert_eq!(read(&mut desk, 1), ("second".into(), false));
        assert_eq!(read(&mut desk, 2), (String::new(), false));
    }

    #[test]
    fn the_attached_client_is_shown_as_it_is_and_at_once() {
        let mut desk = desk();
        assert_eq!(write(&mut desk, 0, "login: "), "", "an unfinished line waits");
        let attached = press(&mut desk, b"\x1d1");
        assert_eq!(attached, "console | one has the terminal; Ctrl-] 0 takes it back\r\nlogin: ");
        assert_eq!(write(&mut desk, 0, "\x1b[1mroot\nnext\r\n# "), "\x1b[1mroot\r\nnext\r\n# ");
        assert!(read(&mut desk, 0).1);
    }

    #[test]
    fn lines_of_others_start_in_the_first_column_behind_their_names() {
        let mut desk = desk();
        press(&mut desk, b"\x1d1");
        assert_eq!(write(&mut desk, 1, "wait"), "");
        assert_eq!(write(&mut desk, 0, "# "), "# ");
        assert_eq!(write(&mut desk, 1, " for\rme\n"), "\r\ntwo     | wait for?me\r\n");
        assert_eq!(write(&mut desk, 1, "more\n"), "two     | more\r\n", "no empty line when the row is fresh");
        assert_eq!(write(&mut desk, 0, "ls"), "ls");
        assert_eq!(press(&mut desk, b"\x1d0"), "\r\nconsole | one has the terminal no more\r\n");
        assert_eq!(write(&mut desk, 0, "\rroot    | RESULT\n"), "one     | ?root    | RESULT\r\n");
    }

    #[test]
    fn an_unfinished_line_is_shown_whole_once_it_is_finished_whoever_else_prints() {
        let mut desk = desk();
        assert_eq!(write(&mut desk, 0, "half"), "");
        assert_eq!(write(&mut desk, 1, "whole\n"), "two     | whole\r\n");
        assert_eq!(write(&mut desk, 0, "-done\n"), "one     | half-done\r\n");
    }

    #[test]
    fn keys_without_a_client_change_nothing() {
        let mut desk = desk();
        press(&mut desk, b"\x1d2");
        assert_eq!(press(&mut desk, b"\x1d3"), "console | there is no such client; Ctrl-] ? lists them\r\n");
        assert_eq!(press(&mut desk, b"\x1d2"), "", "it has the terminal already");
        press(&mut desk, b"x");
        assert_eq!(read(&mut desk, 1), ("x".into(), true));
        let list = press(&mut desk, b"\x1d?");
        assert!(list.contains("| Ctrl-] 1 is one\r\n") && list.contains("| Ctrl-] 2 is two (has the terminal)\r\n"));
    }

    #[test]
    fn the_command_line_attaches_by_name() {
        let mut desk = desk();
        assert!(!desk.attach_to("three", &mut |_| {}));
        assert!(desk.attach_to("two", &mut |_| {}));
        desk.lost(2);
        assert_eq!(desk.read(1, &mut [0; 4]), (0, 2, true));
    }
}
