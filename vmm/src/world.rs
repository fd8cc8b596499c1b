//! What the machine has the real world do, done with capabilities.

use alloc::vec::Vec;

use sluice_manifest::console;
use sluice_rt::{Env, print_at, println};
use sluice_sys::{Endpoint, Message, VirtualInterrupt};
use sluice_vmm::gic::{Injection, Progress};
use sluice_vmm::layout::intid;
use sluice_vmm::marker::Marker;
use sluice_vmm::pci::Effect;
use sluice_vmm::processor::Processor;
use sluice_vmm::world::World;

use crate::contexts::Contexts;
use crate::guest::{Cpu, Guest};
use crate::passed::Passed;
use crate::ram::Ram;
use crate::trial::Trial;

/// Bytes of output that are sent to the console at once, whether or not a line has ended.
const OUTPUT: usize = 256;

/// The guest's memory, processors, functions and console.
pub(crate) struct Real<'a> {
    guest: &'a Guest<'a>,
    pub(crate) ram: Ram,
    pub(crate) cpus: Vec<Cpu>,
    pub(crate) functions: Vec<Passed>,
    pub(crate) contexts: Contexts,
    /// Whether the guest has run before: its functions need a reset then.
    pub(crate) used: bool,
    /// Whether it does not run again: nobody is given its functions then, and one that cannot be reset is no loss.
    pub(crate) last: bool,
    /// What is waited for in the guest's output.
    pub(crate) marker: Marker,
    console: Option<Endpoint>,
    output: Vec<u8>,
}

impl<'a> Real<'a> {
    pub(crate) fn new(
        env: &Env,
        guest: &'a Guest<'a>,
        ram: Ram,
        (functions, contexts): (Vec<Passed>, Contexts),
    ) -> Self {
        let console = env.channel_client(console::CHANNEL).ok();
        let output = Vec::with_capacity(OUTPUT);
        let marker = Trial::marker(env);
        Self { guest, ram, cpus: Vec::new(), functions, contexts, used: false, last: false, marker, console, output }
    }

    /// Sends what there is of an unfinished line too: the guest waits, for input perhaps.
    pub(crate) fn flush(&mut self) {
        if self.output.is_empty() {
            return;
        }
        if let Some(console) = self.console {
            let mut words = [0; 1 + OUTPUT / 8];
            words[0] = self.output.len() as u64;
            for (word, bytes) in words[1..].iter_mut().zip(self.output.chunks(8)) {
                let mut eight = [0; 8];
                eight[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_le_bytes(eight);
            }
            let length = 1 + self.output.len().div_ceil(8);
            let message = Message::new(console::WRITE, words).shortened(length);
            if let Err(error) = print_at(console, &message) {
                println!("the console refuses the guest's output: {error}");
            }
        }
        self.output.clear();
    }
}

impl World for Real<'_> {
    type Memory = Ram;
    type Contexts = Contexts;

    fn outside(&mut self) -> (&mut Ram, &mut Contexts) {
        (&mut self.ram, &mut self.contexts)
    }

    fn print(&mut self, bytes: &[u8]) {
        self.marker.hear(bytes);
        for byte in bytes.iter().copied().filter(|byte| *byte != b'\r') {
            self.output.push(byte);
            if byte == b'\n' || self.output.len() == OUTPUT {
                self.flush();
            }
        }
    }

    fn inject(&mut self, processor: Processor, injection: Injection) -> bool {
        let Injection { list_register, intid, priority, group } = injection;
        let Some(cpu) = self.cpus.get(processor.index()) else { return false };
        cpu.vcpu.inject_irq(list_register, VirtualInterrupt { intid, priority, group }).is_ok()
    }

    fn rearm_timer(&mut self, processor: Processor) {
        if let Some(cpu) = self.cpus.get(processor.index())
            && let Err(failure) = cpu.vcpu.ack_vppi(u64::from(intid::VIRTUAL_TIMER))
        {
            println!("cannot rearm the timer of processor {}: {failure}", processor.index());
        }
    }

    fn rearm_function(&mut self, slot: u8) {
        if let Some(function) = self.functions.iter().find(|function| function.slot == slot) {
            function.rearm();
        }
    }

    fn share_interrupt(&self, slot: u8, other: u8) -> bool {
        let handler = |slot| self.functions.iter().find(|function| function.slot == slot).and_then(Passed::handler);
        handler(slot).is_some() && handler(slot) == handler(other)
    }

    fn forward(&mut self, processor: Processor, injection: Injection, slot: u8) -> bool {
        let Injection { list_register, intid, priority, group } = injection;
        let handler = self.functions.iter().find(|function| function.slot == slot).and_then(Passed::handler);
        let (Some(cpu), Some(handler)) = (self.cpus.get(processor.index()), handler) else { return false };
        cpu.vcpu.forward_irq(list_register, VirtualInterrupt { intid, priority, group }, handler).is_ok()
    }

    fn take_back(&mut self, processor: Processor, list_register: u8) -> Progress {
        let taken = self.cpus.get(processor.index()).map(|cpu| cpu.vcpu.take_back_irq(list_register));
        match taken {
            Some(Ok(sluice_sys::Progress::Active)) => Progress::Active,
            Some(Ok(sluice_sys::Progress::Idle)) => Progress::Idle,
            // As if it had come: it is let come again when the guest has ended it.
            Some(Ok(sluice_sys::Progress::Pending) | Err(_)) | None => Progress::Pending,
        }
    }

    fn apply(&mut self, effect: Effect) {
        let (Effect::BarPlaced { slot, .. }
        | Effect::Mastering { slot, .. }
        | Effect::Interrupt { slot, .. }
        | Effect::Reset { slot }) = effect;
        if let Some(function) = self.functions.iter_mut().find(|function| function.slot == slot)
            && let Err(reason) = function.apply(self.guest, effect, self.used)
        {
            if self.last {
                println!("{reason}");
            } else {
                self.contexts.broken = Some(reason);
            }
        }
    }
}
