//! Somebody outside of the machine who stops it and changes its memory: the other end of QEMU's debugger port.
//!
//! The protocol is GDB's (Debugging with GDB, appendix E, Remote Serial Protocol), in the few packets that this takes, with
//! QEMU's `Qqemu.PhyMemMode`, after which addresses are physical.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};

/// A machine behind a debugger port. It is stopped by whoever connects.
pub struct Machine<S> {
    port: S,
}

impl<S: Read + Write> Machine<S> {
    /// Takes over a machine; its memory is from now on addressed as it is in hardware.
    ///
    /// # Errors
    /// When the other end is no QEMU that can do that.
    pub fn attach(port: S) -> Result<Self> {
        let mut machine = Self { port };
        ensure!(machine.ask("Qqemu.PhyMemMode:1")? == "OK", "the debugger port knows no physical addresses");
        Ok(machine)
    }

    /// Lets the machine run.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn go(&mut self) -> Result<()> {
        self.send("c")
    }

    /// Stops a machine that runs.
    ///
    /// # Errors
    /// When it does not say that it has stopped.
    pub fn stop(&mut self) -> Result<()> {
        self.port.write_all(&[0x03])?;
        let said = self.receive()?;
        ensure!(said.starts_with(['T', 'S']), "the machine says `{said}` instead of stopping");
        Ok(())
    }

    /// The word at a physical address of a machine that is stopped.
    ///
    /// # Errors
    /// When there is no memory, or the connection fails.
    pub fn word(&mut self, at: u64) -> Result<u64> {
        let said = self.ask(&format!("m{at:x},8"))?;
        let word = u64::from_str_radix(&said, 16).ok().filter(|_| said.len() == 16);
        // Bytes come in the order of memory.
        word.map(u64::swap_bytes).with_context(|| format!("memory at {at:#x} reads `{said}`"))
    }

    /// Makes `word` the word there.
    ///
    /// # Errors
    /// As [`word`](Self::word), or when it does not read back.
    pub fn set_word(&mut self, at: u64, word: u64) -> Result<()> {
        let said = self.ask(&format!("M{at:x},8:{:016x}", word.swap_bytes()))?;
        ensure!(said == "OK", "memory at {at:#x} takes no word: `{said}`");
        ensure!(self.word(at)? == word, "memory at {at:#x} is not what was written");
        Ok(())
    }

    /// Ends a machine that is stopped.
    ///
    /// # Errors
    /// When the connection fails before.
    pub fn kill(&mut self) -> Result<()> {
        self.send("k")
    }

    fn ask(&mut self, packet: &str) -> Result<String> {
        self.send(packet)?;
        self.receive()
    }

    fn send(&mut self, packet: &str) -> Result<()> {
        self.port.write_all(format!("${packet}#{:02x}", sum(packet.as_bytes())).as_bytes())?;
        self.port.flush()?;
        Ok(())
    }

    /// The next packet; acknowledgements before it are passed over, since a local connection loses nothing.
    fn receive(&mut self) -> Result<String> {
        loop {
            match self.byte()? {
                b'+' => {}
                b'$' => break,
                other => bail!("byte {other:#04x} where a packet should begin"),
            }
        }
        let mut packet = Vec::new();
        loop {
            match self.byte()? {
                b'#' => break,
                byte => packet.push(byte),
            }
        }
        let check = [self.byte()?, self.byte()?];
        let check = std::str::from_utf8(&check).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        ensure!(check == Some(sum(&packet)), "a packet was damaged");
        self.port.write_all(b"+")?;
        String::from_utf8(packet).context("a packet that is no text")
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.port.read_exact(&mut byte).context("the debugger port says nothing")?;
        Ok(byte[0])
    }
}

fn sum(packet: &[u8]) -> u8 {
    packet.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A port that answers as written, and keeps what it is told.
    struct Port {
        answers: Cursor<Vec<u8>>,
        told: Vec<u8>,
    }

    impl Read for Port {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Port {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.told.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn port(answers: &str) -> Port {
        Port { answers: Cursor::new(answers.as_bytes().to_vec()), told: Vec::new() }
    }

    #[test]
    fn a_word_is_read_and_written_in_the_order_of_memory() {
        let word = "efcdab9078563412";
        let sum = sum(word.as_bytes());
        let answers = format!("+$OK#9a+${word}#{sum:02x}+$OK#9a+${word}#{sum:02x}+$T02thread:01;#04+");
        let mut machine = Machine::attach(port(&answers)).unwrap();
        assert_eq!(machine.word(0x4000_0008).unwrap(), 0x1234_5678_90ab_cdef);
        machine.set_word(0x4000_0008, 0x1234_5678_90ab_cdef).unwrap();
        machine.go().unwrap();
        machine.stop().unwrap();
        machine.kill().unwrap();
        let told = String::from_utf8(machine.port.told).unwrap();
        let read = "$m40000008,8#5d";
        assert_eq!(told, format!("$Qqemu.PhyMemMode:1#77+{read}+$M40000008,8:{word}#d9+{read}+$c#63\u{3}+$k#6b"));
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        for answers in ["", "$#00", "x", "$OK#00", "+$E01#a6"] {
            assert!(Machine::attach(port(answers)).is_err(), "{answers}");
        }
        for answer in ["$E14#aa", "$12#63", ""] {
            let mut machine = Machine::attach(port(&format!("$OK#9a{answer}"))).unwrap();
            assert!(machine.word(0).is_err(), "{answer}");
        }
        let mut machine = Machine::attach(port("$OK#9a$OK#9a$0000000000000000#00")).unwrap();
        assert!(machine.set_word(0, 1).is_err(), "it did not stay");
    }
}
