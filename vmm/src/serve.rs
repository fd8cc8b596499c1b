//! Answers what the guest's processors do, until the machine is switched off or starts again.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_abi::fault::FaultLabel;
use sluice_abi::vcpu::VcpuRegister;
use sluice_manifest::{self as manifest, slot, supervisor};
use sluice_rt::{Env, RtError, println};
use sluice_sys::{Endpoint, Event, Failure, Message, Received, Resume, Sid, VirtualInterrupt, reply};
use sluice_vmm::exit::{Exception, Exit, Interrupted};
use sluice_vmm::layout::{MAX_PROCESSORS, SMMU};
use sluice_vmm::machine::{Machine, Next};
use sluice_vmm::pci::PciHost;
use sluice_vmm::processor::Processor;
use sluice_vmm::smccc::{NOT_SUPPORTED, SUCCESS};
use sluice_vmm::smmu::{Delivery, Features, Smmu};
use sluice_vmm::world::Registers;

use crate::clock::Clock;
use crate::context::{self, Context};
use crate::contexts::{Contexts, Stream};
use crate::count::{Exits, Reason};
use crate::error::Error;
use crate::guest::{Cpu, Guest};
use crate::keys::Keys;
use crate::load::{Start, is_coherent};
use crate::passed;
use crate::ram::Ram;
use crate::targets::Targets;
use crate::trial::Trial;
use crate::world::Real;

/// Bytes of a call: of an `hvc`, which the kernel takes for a system call and tells the place of, and of an `smc`.
const CALL_BYTES: u64 = 4;
/// Words of faults that are looked at.
const FAULT_WORDS: usize = 4;
/// A list register that no machine has, to be told how many there are.
const NO_LIST_REGISTER: u8 = u8::MAX;

/// Why a guest's run is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It has powered off.
    Off,
    /// It wants to start again.
    Reset,
}

/// A guest, its machine, and who waits.
pub(crate) struct Serve<'a> {
    guest: &'a Guest<'a>,
    machine: Machine,
    real: Real<'a>,
    /// Processors that go on as soon as an interrupt is there for them.
    waiting: [bool; MAX_PROCESSORS],
    clock: Clock,
    keys: Keys,
    /// How often it came back since it was started.
    exits: Exits,
}

/// General-purpose registers, fetched from the thread when they are needed.
struct Fetched(Context);

impl Registers for Fetched {
    fn get(&mut self, number: usize) -> u64 {
        self.0.get(number)
    }
}

impl<'a> Serve<'a> {
    pub(crate) fn new(
        env: &'a Env,
        guest: &'a Guest<'a>,
        described: &manifest::Guest,
        ram: Ram,
    ) -> Result<Self, Error> {
        let mut behind_smmu = Vec::new();
        let mut passed = Vec::new();
        let mut functions = Vec::new();
        for numbered in described.devices.iter().enumerate() {
            functions.push(passed::function(numbered.1)?);
            passed.push(passed::take(env, guest, numbered, &mut behind_smmu)?);
        }
        let pci = PciHost::new(functions).map_err(|error| error.to_string())?;
        let (sids, streams): (Vec<u32>, Vec<Stream>) = behind_smmu.into_iter().unzip();
        let mut smmu = None;
        let mut pages = None;
        // The root task tells of the SMMU exactly when a device is nested.
        if let Some(physical) = described.smmu {
            let features = Features::of_physical(physical, is_coherent(described));
            smmu = Some(Smmu::new(features, &sids).map_err(|error| alloc::format!("streams: {error:?}"))?);
            pages = Some(guest.register_pages(SMMU)?);
        }
        let contexts = Contexts { streams, pages, broken: None };
        let mut real = Real::new(env, guest, ram, (passed, contexts));
        real.cpus = guest.make_processors()?;
        let first = real.cpus.first().ok_or(RtError::NoSlots)?;
        let lists = list_registers(*first);
        let machine = Machine::new(usize::from(described.vcpus), lists, ram.0.len() as u64, pci, smmu);
        let (waiting, exits) = ([false; MAX_PROCESSORS], Exits::default());
        Ok(Self { guest, machine, real, waiting, clock: Clock::of(env), keys: Keys::of(env), exits })
    }

    /// Runs the guest from its first instruction on.
    pub(crate) fn run(&mut self, start: Start, trial: &mut Trial) -> Result<End, Error> {
        self.waiting = [false; MAX_PROCESSORS];
        self.clock.reset();
        self.real.cpus = self.guest.make_processors()?;
        self.machine.reset(&mut self.real);
        self.real.used = true;
        self.exits = Exits::default();
        // The root task has the kernel look at what the guest reaches, where that is wanted: before its first instruction.
        let answer = Endpoint::from(slot::SUPERVISOR).call(&Message::new(supervisor::GUEST_MADE, []));
        if answer.label() != 0 {
            return Err(Error::Guest("what it reaches cannot be looked at".to_string()));
        }
        self.start(Processor::FIRST, start.entry, start.device_tree)?;
        loop {
            match self.guest.endpoint.recv_first() {
                Event::Message(received) => {
                    trial.exit(self.real.marker.has_come());
                    if let Some(end) = self.message(&received)? {
                        self.real.flush();
                        println!("{}", self.exits);
                        return Ok(end);
                    }
                }
                Event::Signal(bits) => {
                    self.signals(bits, &mut trial.targets);
                    self.keys.signals(bits);
                    self.wake()?;
                    if bits & self.clock.bits() != 0 {
                        self.clock.came()?;
                    }
                }
            }
            if let Some(reason) = self.real.contexts.broken.take() {
                return Err(Error::Guest(reason));
            }
            self.keys.pass(&mut self.machine, &mut self.real);
            self.wake()?;
        }
    }

    /// Takes processors, memory and interrupts from a guest whose run is over, so that nobody uses its memory any more.
    pub(crate) fn stop(&mut self, end: End) -> Result<(), Error> {
        self.real.flush();
        self.real.last = end == End::Off;
        self.guest.take_processors()?;
        self.real.cpus.clear();
        self.machine.stop(&mut self.real);
        // They have been reset: the next start needs no other.
        self.real.used = false;
        match self.real.contexts.broken.take() {
            Some(reason) => Err(Error::Guest(reason)),
            None => Ok(()),
        }
    }

    fn cpu(&self, processor: Processor) -> Result<Cpu, RtError> {
        self.real.cpus.get(processor.index()).copied().ok_or(RtError::NoSlots)
    }

    fn start(&self, processor: Processor, entry: u64, x0: u64) -> Result<(), RtError> {
        context::start(self.cpu(processor)?.thread, entry, x0)
    }

    /// Handles what arrived at the fault endpoint: a fault, or what a guest made look like one, which is its own loss.
    fn message(&mut self, received: &Received<FAULT_WORDS>) -> Result<Option<End>, RtError> {
        let index = received.badge().wrapping_sub(1);
        let processor = usize::try_from(index).ok().and_then(Processor::new);
        let Some(processor) = processor.filter(|processor| processor.index() < self.real.cpus.len()) else {
            return Ok(None);
        };
        let label = received.label();
        let is = |fault: FaultLabel| label == fault as u64;
        let thread = self.cpu(processor)?.thread;
        if is(FaultLabel::VgicMaintenance) {
            self.exits.count(Reason::Ended);
            self.machine.ended(&mut self.real, processor, u8::try_from(received.word(0)).ok());
            reply(&Message::new(0, []));
            return Ok(None);
        }
        if is(FaultLabel::VppiEvent) {
            self.exits.count(Reason::Timer);
            self.machine.timer(&mut self.real, processor);
            reply(&Message::new(0, []));
            return Ok(None);
        }
        let mut fetched = Fetched(Context::of(thread));
        let next = if is(FaultLabel::Vm) {
            let exit = Exit::decode(received.word(3) as u32);
            self.exits.count(Reason::of(exit));
            self.machine.exit(&mut self.real, processor, exit, received.word(1), &mut fetched)
        } else if is(FaultLabel::Vcpu) {
            let exit = Exit::decode(received.word(0) as u32);
            self.exits.count(Reason::of(exit));
            self.machine.exit(&mut self.real, processor, exit, 0, &mut fetched)
        } else if is(FaultLabel::UserException) {
            Next::Take(Exception::Undefined)
        } else {
            // It made a system call: it has no hypervisor that it could call, and nothing it could name.
            Next::Step { bytes: CALL_BYTES, load: Some((0, NOT_SUPPORTED)) }
        };
        self.proceed(processor, next, fetched.0)
    }

    /// Has a processor go on as decided.
    fn proceed(&mut self, processor: Processor, next: Next, context: Context) -> Result<Option<End>, RtError> {
        match next {
            Next::Step { bytes, load } => context.step(bytes, load, Resume::Now)?,
            Next::Wait { bytes, load } => {
                let cpu = self.cpu(processor)?;
                let now = self.machine.is_signalled(processor) || !self.clock.wait(processor, cpu)?;
                context.step(bytes, load, if now { Resume::Now } else { Resume::Later })?;
                self.waiting[processor.index()] = !now;
                if now {
                    self.machine.goes_on(processor);
                } else {
                    self.real.flush();
                }
            }
            Next::Take(exception) => self.take(processor, exception, context)?,
            // Nobody is left who could start another.
            Next::Stop if self.machine.psci.all_off() => return Ok(Some(End::Off)),
            Next::Stop => {}
            Next::Start { processor: other, entry, context: x0 } => {
                let value = match self.start(other, entry, x0) {
                    Ok(()) => {
                        self.machine.psci.started(other);
                        SUCCESS
                    }
                    Err(error) => {
                        println!("processor {} does not start: {error}", other.index());
                        self.machine.psci.not_started(other)
                    }
                };
                context.step(CALL_BYTES, Some((0, value)), Resume::Now)?;
            }
            Next::Off => return Ok(Some(End::Off)),
            Next::Reset => return Ok(Some(End::Reset)),
        }
        Ok(None)
    }

    /// Has a processor take an exception to EL1.
    fn take(&self, processor: Processor, exception: Exception, context: Context) -> Result<(), RtError> {
        let vcpu = self.cpu(processor)?.vcpu;
        let refused = |failure| RtError::refused("make a processor take an exception")(failure);
        let vbar = vcpu.read_register(VcpuRegister::Vbar).map_err(refused)?;
        let sctlr = vcpu.read_register(VcpuRegister::Sctlr).map_err(refused)?;
        let [pc, _, pstate] = context.state();
        let resumed = Interrupted { pc, pstate, vbar, sctlr }.take(exception);
        for (register, value) in [
            (VcpuRegister::ElrEl1, resumed.elr),
            (VcpuRegister::SpsrEl1, resumed.spsr),
            (VcpuRegister::Esr, resumed.esr),
        ] {
            vcpu.write_register(register, value).map_err(refused)?;
        }
        context.enter(resumed.pc, resumed.pstate)
    }

    /// Signals of devices: interrupts and fault records.
    fn signals(&mut self, bits: u64, targets: &mut Targets) {
        for index in 0..self.real.functions.len() {
            let function = &self.real.functions[index];
            let (slot, faults) = (function.slot, function.faults & bits != 0);
            if function.interrupt & bits != 0 {
                self.machine.raise(&mut self.real, slot);
            }
            if faults {
                self.faults(index, targets);
            }
        }
    }

    /// Takes the fault records of a function, and tells whom they are for.
    fn faults(&mut self, index: usize, targets: &mut Targets) {
        let function = &self.real.functions[index];
        let name = String::from(function.name());
        let (direct, nested) = (function.direct.map(|stream| stream.sid), function.nested);
        if let Some(sid) = direct {
            while let Ok(Some(record)) = sid.get_fault() {
                println!("{name}: {record:?}");
                targets.fault(&record);
            }
            collected(&name, sid);
        }
        let stream = nested.and_then(|index| Some((index, *self.real.contexts.streams.get(index)?)));
        if let Some((index, stream)) = stream {
            while let Ok(Some(record)) = stream.sid.get_fault() {
                match self.machine.fault(&mut self.real, index, &record) {
                    Delivery::Guest => {}
                    Delivery::Lost => println!("{name}: the guest's event queue has no room for {record:?}"),
                    Delivery::Owner => {
                        println!("{name}: {record:?}");
                        targets.fault(&record);
                    }
                }
            }
            collected(&name, stream.sid);
        }
    }

    /// Lets processors go on that have something to wake up for.
    fn wake(&mut self) -> Result<(), RtError> {
        for processor in Processor::first(self.real.cpus.len()) {
            let goes_on = self.machine.is_signalled(processor) || self.clock.is_due(processor);
            if self.waiting[processor.index()] && goes_on {
                self.waiting[processor.index()] = false;
                self.clock.wakes(processor);
                self.machine.goes_on(processor);
                self.cpu(processor)?.thread.resume().map_err(RtError::refused("wake a processor"))?;
            }
        }
        Ok(())
    }
}

/// Lets a stream that made more records than its budget go on: what it reaches is what it was given.
fn collected(name: &str, sid: Sid) {
    if let Err(failure) = sid.clear_fault() {
        println!("{name}: its faults cannot be cleared: {failure}");
    }
}

/// The list registers of the machine. The kernel tells their number when it refuses one that is not there.
fn list_registers(cpu: Cpu) -> usize {
    let nothing = VirtualInterrupt { intid: 0, priority: 0, group: 0 };
    match cpu.vcpu.inject_irq(NO_LIST_REGISTER, nothing) {
        Err(Failure::Range { max, .. }) => max as usize + 1,
        Ok(()) | Err(_) => 1,
    }
}
