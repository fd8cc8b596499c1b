//! What the machine has the real world do, done with capabilities.

use alloc::vec::Vec;

use sluice_manifest::console;
use sluice_rt::{Env, println};
use sluice_sys::{Endpoint, IrqHandler, Message, VirtualInterrupt};
use sluice_vmm::gic::Injection;
use sluice_vmm::layout::intid;
use sluice_vmm::machine::World;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::processor::Processor;

use crate::guest::Cpu;
use crate::ram::Ram;

/// Bytes of output that are sent to the console at once, whether or not a line has ended.
const OUTPUT: usize = 256;

/// The guest's memory, processors, lines and console.
pub(crate) struct Real {
    pub(crate) ram: Ram,
    pub(crate) cpus: Vec<Cpu>,
    /// Physical interrupts by the guest's INTID.
    pub(crate) lines: Vec<(u32, IrqHandler)>,
    console: Option<Endpoint>,
    output: Vec<u8>,
}

impl Real {
    pub(crate) fn new(env: &Env, ram: Ram) -> Self {
        let console = env.channel_client(console::CHANNEL).ok();
        Self { ram, cpus: Vec::new(), lines: Vec::new(), console, output: Vec::with_capacity(OUTPUT) }
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
            let answer = console.call(&Message::new(console::WRITE, words).shortened(length));
            if answer.label() != 0 {
                println!("the console refuses the guest's output ({})", answer.label());
            }
        }
        self.output.clear();
    }
}

impl GuestMemory for Real {
    fn read(&self, at: GuestPhysAddr, into: &mut [u8]) -> Result<(), OutsideRam> {
        self.ram.read(at, into)
    }

    fn write(&mut self, at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        self.ram.write(at, from)
    }

    fn read_u64(&self, at: GuestPhysAddr) -> Result<u64, OutsideRam> {
        self.ram.read_u64(at)
    }
}

impl World for Real {
    fn print(&mut self, bytes: &[u8]) {
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

    fn rearm_line(&mut self, intid: u32) {
        for (_, handler) in self.lines.iter().filter(|(line, _)| *line == intid) {
            if let Err(failure) = handler.ack() {
                println!("cannot acknowledge the interrupt behind line {intid}: {failure}");
            }
        }
    }
}
