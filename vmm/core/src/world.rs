//! What the machine needs of the real world: capabilities in the VMM, fakes in tests.

use crate::gic::{Injection, Progress};
use crate::memory::GuestMemory;
use crate::pci::Effect;
use crate::processor::Processor;
use crate::smmu::Stage1;

/// The real world, as far as the machine acts on it.
pub trait World {
    /// The guest's memory.
    type Memory: GuestMemory;
    /// The contexts of its streams.
    type Contexts: Contexts;

    /// Both of them, to be used at once.
    fn outside(&mut self) -> (&mut Self::Memory, &mut Self::Contexts);
    /// Prints bytes of the guest's UART.
    fn print(&mut self, bytes: &[u8]);
    /// Puts an interrupt into a list register; whether that was free.
    fn inject(&mut self, processor: Processor, injection: Injection) -> bool;
    /// Lets the virtual timer of a processor fire again.
    fn rearm_timer(&mut self, processor: Processor);
    /// Lets the physical interrupt of the function at `slot` come again.
    fn rearm_function(&mut self, slot: u8);
    /// Whether two functions have the same physical interrupt.
    fn share_interrupt(&self, slot: u8, other: u8) -> bool;
    /// Has the physical interrupt of the function at `slot` put this into a list register whenever it comes, and come again when
    /// the guest has ended it; whether that is done.
    fn forward(&mut self, processor: Processor, injection: Injection, slot: u8) -> bool;
    /// Ends [`World::forward`]. An interrupt that has come is not let come again, until [`World::rearm_function`].
    fn take_back(&mut self, processor: Processor, list_register: u8) -> Progress;
    /// Makes true what the guest wrote into configuration space. Interrupts are gated by the machine.
    fn apply(&mut self, effect: Effect);
}

/// Contexts of the guest's streams, and the frames in which it reads the registers of its SMMU: see
/// [`Backend`](crate::smmu::Backend).
pub trait Contexts {
    /// Has a stream do `stage1` from now on.
    fn set_stage1(&mut self, stream: usize, stage1: Stage1);
    /// Has commands take effect on the context of a stream.
    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]);
    /// Lets the guest read `value` at `offset`.
    fn publish(&mut self, offset: u64, value: u32);
}

/// General-purpose registers of the processor that came back. They are read when they are needed, each once.
pub trait Registers {
    /// x`number`, 0 to 30.
    fn get(&mut self, number: usize) -> u64;
}
