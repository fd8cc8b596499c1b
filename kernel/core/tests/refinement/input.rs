//! What is done to the kernel: what a thread says, a fault, an interrupt, an access of a device.

use sluice_abi::smmu::{Record, StreamId, event};
use sluice_abi::{Iova, MessageInfo, PhysAddr, Register, Syscall, VirtAddr, ipc_buffer};
use sluice_abstract::{Buffer, Cap, Deed, Event, Fault, Invocation, ReceivePath, RejectedCommand, Slot, State, Turn};
use sluice_core::object::Fault as ConcreteFault;
use sluice_core::{Kernel, VgicRegister};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;
use sluice_smmu::regs::offset;
use sluice_smmu_model::Faults;

use crate::abstraction::buffer_at;
use crate::boot::{SMMU_EVENTS, TIMER};
use crate::machine::{Machine, SMMU, list};

/// GERROR.SFM (IHI 0070, 6.3.19).
const SERVICE_FAILURE: u32 = 1 << 8;
/// Of CMDQ_PROD: the entry of a queue as large as boot makes it.
const COMMAND_INDEX: u32 = (1 << 10) - 1;

/// Where a thread goes on after whatever it does.
pub(crate) const NEXT: u64 = 0x40_0104;

/// A system call with everything that goes along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Say {
    pub(crate) number: u64,
    pub(crate) cptr: u64,
    pub(crate) label: u64,
    pub(crate) words: Vec<u64>,
    pub(crate) caps: Vec<u64>,
    pub(crate) receive: ReceivePath,
    /// What the message says it has, where that is not what it has.
    pub(crate) announced: Option<MessageInfo>,
}

impl Say {
    pub(crate) fn new(call: Syscall, cptr: u64, label: u64) -> Self {
        let (words, caps) = (vec![], vec![]);
        Self { number: call.word(), cptr, label, words, caps, receive: ReceivePath::default(), announced: None }
    }

    fn info(&self) -> u64 {
        let actual = MessageInfo::new(self.label, 0, self.caps.len() as u64, self.words.len() as u64);
        self.announced.unwrap_or(actual).word()
    }

    fn registers(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        let words = self.words.iter().copied().take(MessageInfo::REGISTERS);
        [(0, self.cptr), (1, self.info()), (7, self.number)].into_iter().chain((2..).zip(words))
    }

    fn buffer(&self) -> Buffer {
        let words = self.words.iter().skip(MessageInfo::REGISTERS).copied().collect();
        let mut buffer = Buffer { words, caps: self.caps.clone(), receive: self.receive };
        for trimmed in [&mut buffer.words, &mut buffer.caps] {
            trimmed.truncate(trimmed.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1));
        }
        buffer
    }
}

/// What is tried in a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// The running thread asks the kernel for this, if it has the capability pointers to.
    Invoke(Invocation),
    /// The running thread says this.
    Say(Say),
    /// The running thread cannot go on.
    Fault(Fault),
    /// An interrupt comes, if it can.
    Interrupt(u32),
    /// The running thread does this without the kernel, if it is a guest.
    Guest(Deed),
    /// A device reads or writes, and its SMMU reports what it has to.
    Access { stream: StreamId, iova: Iova, write: bool },
    /// The running thread asks for this, and the SMMU does not understand commands with this opcode meanwhile.
    Rejecting { invocation: Invocation, command: u64 },
    /// Somebody writes a word of memory that is its own.
    Write { at: PhysAddr, value: u64 },
    /// The SMMU reports that it works no more.
    GiveUp,
    /// Time passes.
    Tick,
}

impl From<Invocation> for Act {
    fn from(invocation: Invocation) -> Self {
        Self::Invoke(invocation)
    }
}

/// What is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Say(Say),
    Fault(Fault),
    Interrupt(u32),
    Guest(Deed),
    Access { sid: u32, iova: Iova, write: bool },
    Rejecting { say: Say, command: u64 },
    Write { at: PhysAddr, value: u64 },
    GiveUp,
    Tick,
}

impl Input {
    /// What happens in the abstract machine, where the running thread's registers are prepared for it.
    pub(crate) fn event(&self, state: &mut State) -> Event {
        match self {
            Self::Say(say) | Self::Rejecting { say, .. } => {
                let running = state.running.expect("a running thread");
                let readable = matches!(
                    state.cap(Slot::Thread { thread: running, which: sluice_abstract::ThreadSlot::Buffer }),
                    Some(Cap::Frame { .. })
                );
                let thread = state.thread_mut(running).expect("a running thread");
                for (number, value) in say.registers() {
                    thread.registers.set(Register::X(number), value);
                }
                Event::SystemCall(if readable { say.buffer() } else { Buffer::default() })
            }
            Self::Fault(fault) => Event::Fault(*fault),
            Self::Interrupt(intid) => Event::Interrupt(*intid),
            Self::Guest(deed) => Event::Guest(*deed),
            Self::Access { sid, iova, write } => {
                Event::Reports(reported(state, *sid, *iova, *write).into_iter().collect())
            }
            Self::Write { .. } => Event::Reports(vec![]),
            Self::GiveUp => Event::Fails { smmu: 0, errors: SERVICE_FAILURE.into(), gives_up: true },
            Self::Tick => Event::Tick,
        }
    }

    /// What becomes of the running thread's turn.
    pub(crate) fn turn(&self) -> Turn {
        match self {
            Self::Say(say) if say.number == Syscall::Yield.word() => Turn::Given,
            Self::Tick => Turn::Open,
            Self::Say(_)
            | Self::Fault(_)
            | Self::Interrupt(_)
            | Self::Guest(_)
            | Self::Access { .. }
            | Self::Rejecting { .. }
            | Self::Write { .. }
            | Self::GiveUp => Turn::Kept,
        }
    }

    /// Does it to the kernel.
    pub(crate) fn put(&self, kernel: &mut Kernel<Machine>) {
        match self {
            Self::Say(say) => {
                speak(kernel, say);
                kernel.enter_syscall();
            }
            Self::Fault(fault) => kernel.enter_fault(match *fault {
                Fault::Capability { .. } | Fault::UnknownSystemCall(_) => panic!("{fault:?} comes from a system call"),
                Fault::Timer(_) | Fault::Maintenance(_) => panic!("{fault:?} comes from an interrupt"),
                Fault::Exception(number) => ConcreteFault::User { number, code: 0 },
                Fault::Page { address, syndrome, instruction } => ConcreteFault::Vm { address, syndrome, instruction },
                Fault::Guest(syndrome) => return kernel.enter_exception(syndrome),
            }),
            Self::Guest(deed) => do_as_guest(kernel, *deed),
            Self::Interrupt(intid) => {
                kernel.hal.interrupts.borrow_mut().active.insert(*intid);
                kernel.enter_interrupt(*intid);
            }
            Self::Access { sid, iova, write } => {
                // Where it led, or that it aborted, is compared as reach after every step.
                let _ = kernel.hal.model.access(*sid, *iova, *write);
                kernel.enter_interrupt(SMMU_EVENTS);
            }
            Self::Rejecting { say, command } => {
                kernel.hal.model.inject(Faults { rejected_opcode: Some(*command), ..Faults::default() });
                speak(kernel, say);
                kernel.enter_syscall();
                kernel.hal.model.inject(Faults::default());
            }
            Self::Write { at, value } => kernel.hal.model.store(*at, *value),
            Self::GiveUp => {
                kernel.hal.model.raise(SERVICE_FAILURE);
                kernel.enter_interrupt(SMMU_EVENTS);
            }
            Self::Tick => kernel.enter_interrupt(TIMER),
        }
    }

    /// In the state after this, what it makes the SMMU reject. The kernel, before it, has said nothing yet: the command is
    /// the first one, for the context whose invalidation is asked for.
    pub(crate) fn add_rejection(&self, after: &mut State, kernel: &Kernel<Machine>) {
        let Self::Rejecting { say, command } = self else { return };
        let accepted = after.running.and_then(|thread| after.thread(thread));
        let accepted = accepted.is_some_and(|thread| thread.registers.get(Register::X(1)) >> 12 == 0);
        let Some(Cap::Cb(context)) = after.running.and_then(|thread| after.cap(after.lookup(thread, say.cptr).ok()?))
        else {
            return;
        };
        if !accepted || !after.smmus.get(&0).is_some_and(|smmu| smmu.up) {
            return;
        }
        let index = kernel.hal.model.read32(SMMU.offset(offset::CMDQ_PROD)) & COMMAND_INDEX;
        let words = [u64::from(context.cb) << 32 | command, 0];
        after.command_rejected(0, RejectedCommand { error: 1, index: index.into(), words });
    }
}

/// What the hardware of the running guest makes of what it does.
fn do_as_guest(kernel: &Kernel<Machine>, deed: Deed) {
    let change = |index: u8, from: u64, to: u64| {
        if let Some(word) = kernel.hal.vgic.borrow_mut().get_mut(&VgicRegister::List(index))
            && *word & list::STATE == from
            && *word != 0
        {
            *word = *word & !list::STATE | to;
        }
    };
    match deed {
        Deed::Takes(index) => change(index, list::PENDING, list::ACTIVE),
        Deed::Ends(index) => {
            let word = kernel.hal.vgic.borrow().get(&VgicRegister::List(index)).copied().unwrap_or(0);
            change(index, list::ACTIVE, 0);
            if word & (list::STATE | list::HARDWARE) == list::ACTIVE | list::HARDWARE {
                let device = (word & list::DEVICE) >> list::DEVICE.trailing_zeros();
                kernel.hal.interrupts.borrow_mut().active.remove(&(device as u32));
            }
        }
        Deed::Sets(register, value) => drop(kernel.hal.guest_registers.borrow_mut().insert(register, value)),
        Deed::Enters(pstate) => kernel.tcb(kernel.current().expect("a guest")).context.spsr.set(pstate),
    }
}

fn speak(kernel: &Kernel<Machine>, say: &Say) {
    let thread = kernel.current().expect("a running thread");
    if let Some(at) = buffer_at(kernel, thread) {
        let store = |offset, value| kernel.hal.model.store(at.offset(offset), value);
        for index in 0..MessageInfo::MAX_LENGTH as usize {
            let beyond = index >= MessageInfo::REGISTERS;
            store(ipc_buffer::message(index), say.words.get(index).copied().filter(|_| beyond).unwrap_or(0));
        }
        for index in 0..MessageInfo::MAX_EXTRA_CAPS as usize {
            store(ipc_buffer::cap_or_badge(index), say.caps.get(index).copied().unwrap_or(0));
        }
        let ReceivePath { root, index, depth } = say.receive;
        store(ipc_buffer::RECEIVE_CNODE, root);
        store(ipc_buffer::RECEIVE_INDEX, index);
        store(ipc_buffer::RECEIVE_DEPTH, depth);
    }
    for (number, value) in say.registers() {
        kernel.tcb(thread).context.x[usize::from(number)].set(value);
    }
}

/// The running thread has looked at what it was told and forgets it, and goes on where all threads do.
pub(crate) fn forget(kernel: &Kernel<Machine>) {
    if let Some(thread) = kernel.current() {
        let context = &kernel.tcb(thread).context;
        context.x.iter().for_each(|register| register.set(0));
        context.pc.set(NEXT);
        context.restart_pc.set(NEXT);
    }
}

/// As [`forget`], in the abstract machine.
pub(crate) fn forget_abstractly(state: &mut State) {
    if let Some(thread) = state.running.and_then(|thread| state.thread_mut(thread)) {
        (0..31).for_each(|number| thread.registers.set(Register::X(number), 0));
        thread.next = NEXT;
        thread.registers.set(Register::Pc, NEXT);
    }
}

/// What an SMMU has to report of an access.
fn reported(state: &State, sid: u32, iova: Iova, write: bool) -> Option<Record> {
    let stream = StreamId { smmu: 0, sid };
    if !state.smmus.get(&0)?.up {
        return None;
    }
    if !state.is_covered(stream) {
        return Some(Record { event: event::C_BAD_STREAMID, stream, iova: Iova(0), ipa: 0, flags: 0, dropped: 0 });
    }
    let Some(Cap::Cb(context)) = state.cap(Slot::Binding(stream)) else { return None };
    let space = state.space_of(context)?;
    let smmu = state.smmus.get(&0)?;
    if state.faults.get(&stream).is_some_and(|faults| faults.quarantined) {
        return None;
    }
    let event = match space.page_at(VirtAddr(iova.0)) {
        None => event::F_TRANSLATION,
        Some((_, page)) if if write { page.rights.write } else { page.rights.read } => return None,
        // Tables of stage 1 cannot say "no reads"; a page without rights has its access flag clear there.
        Some((_, page)) if !smmu.can.stage2 && !page.rights.read => event::F_ACCESS,
        Some(_) => event::F_PERMISSION,
    };
    let read = if write { 0 } else { Record::READ };
    // Where there is stage 2 there are intermediate addresses.
    let (stage, ipa) = if smmu.can.stage2 { (Record::STAGE2, iova.0 & !0xfff) } else { (0, 0) };
    let flags = read | stage | 2 << Record::CLASS_SHIFT;
    Some(Record { event, stream, iova, ipa, flags, dropped: 0 })
}

/// A word of somebody's buffer.
pub(crate) fn buffer_word(kernel: &Kernel<Machine>, thread: PhysAddr, offset: u64) -> u64 {
    let at = buffer_at(kernel, sluice_core::Handle::new(thread)).expect("a buffer");
    kernel.hal.load(at.offset(offset))
}
