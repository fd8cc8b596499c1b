//! Has what the operator types arrive at the guest.

use sluice_manifest::console::READ_BYTES;
use sluice_rt::terminal::Terminal;
use sluice_rt::{Env, println};
use sluice_vmm::keyboard::Keyboard;
use sluice_vmm::machine::Machine;

use crate::world::Real;

/// The VMM's end of the terminal, and what is on its way.
pub(crate) struct Keys {
    terminal: Option<Terminal>,
    keyboard: Keyboard,
}

impl Keys {
    /// Those of the VMM; none come where the spec gives it no console that signals.
    pub(crate) fn of(env: &Env) -> Self {
        Self { terminal: Terminal::of(env).ok(), keyboard: Keyboard::new() }
    }

    /// Signals came, this one perhaps among them.
    pub(crate) fn signals(&mut self, bits: u64) {
        if self.terminal.is_some_and(|terminal| terminal.signal().bits() & bits != 0) {
            self.keyboard.ring();
        }
    }

    /// Gives the guest what it has room for.
    pub(crate) fn pass(&mut self, machine: &mut Machine, real: &mut Real<'_>) {
        while !self.keyboard.is_idle() {
            machine.typed(real, self.keyboard.waiting());
            if !self.keyboard.asks() {
                break;
            }
            let mut bytes = [0; READ_BYTES];
            match self.terminal.map(|terminal| terminal.read(&mut bytes)) {
                Some(Ok(typed)) => {
                    if typed.lost > 0 {
                        println!("{} bytes that were typed are lost", typed.lost);
                    }
                    self.keyboard.came(bytes.get(..typed.count).unwrap_or_default(), bytes.len());
                }
                // When the server died there is a signal too, and its next life is asked then.
                Some(Err(_)) | None => self.keyboard.came(&[], bytes.len()),
            }
        }
    }
}
