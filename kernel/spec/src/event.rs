//! Everything that can happen, and what becomes of the state: entry into the machine.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sluice_abi::smmu::Record;
use sluice_abi::{Label, LookupFailure, MessageInfo, PhysAddr, Register, Syscall};

use crate::message::Request;
use crate::transfer::Said;
use crate::{Buffer, Cap, Deed, Doing, Fault, Sending, Slot, State};

/// Something that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The running thread makes the system call its registers say, with this in its buffer.
    SystemCall(Buffer),
    /// The running thread cannot go on.
    Fault(Fault),
    /// An interrupt comes that is nobody's but its handler's or a guest's.
    Interrupt(u32),
    /// An SMMU reports these, oldest first.
    Reports(Vec<Record>),
    /// The running thread, a guest, does something without the kernel.
    Guest(Deed),
    /// An SMMU reports errors of its own, as bits of GERROR.
    Fails {
        /// Which.
        smmu: u8,
        /// The bits.
        errors: u64,
        /// Whether it translates no more.
        gives_up: bool,
    },
    /// Time passes.
    Tick,
}

/// What has become of a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// The state. Who runs in it is not decided yet; see [`State::may_run`].
    pub state: State,
    /// Words of the messages that arrived, by thread.
    pub words: BTreeMap<PhysAddr, Vec<u64>>,
    /// Badges that arrived instead of capabilities, by thread and position.
    pub badges: BTreeMap<(PhysAddr, usize), u64>,
}

/// Whether the caller waits until its message is taken, and whether it wants an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Manner {
    blocking: bool,
    call: bool,
}

impl State {
    /// What becomes of the state.
    #[must_use]
    pub fn after_event(&self, event: &Event) -> Happening {
        let mut happening = Happening { state: self.clone(), words: BTreeMap::new(), badges: BTreeMap::new() };
        if let Event::Guest(deed) = event {
            happening.state.done_by_guest(*deed);
            return happening;
        }
        if let Some(thread) = self.running.and_then(|thread| happening.state.thread_mut(thread)) {
            // An instruction that makes a system call is done when the kernel is entered; others are not.
            let back = if matches!(event, Event::SystemCall(_)) { 4 } else { 0 };
            thread.registers.set(Register::Pc, thread.next.wrapping_sub(back));
        }
        match (event, self.running) {
            (Event::SystemCall(buffer), Some(thread)) => happening.system_call(thread, buffer),
            (Event::Fault(fault), Some(thread)) => happening.raise(thread, *fault),
            (Event::Interrupt(intid), _) => happening.interrupted(*intid),
            (Event::Reports(records), _) => records.iter().for_each(|record| happening.state.reported(*record)),
            (Event::Fails { smmu, errors, gives_up }, _) => happening.state.failed(*smmu, *errors, *gives_up),
            (Event::Guest(_) | Event::Tick, _) | (_, None) => {}
        }
        happening
    }
}

impl Happening {
    fn system_call(&mut self, thread: PhysAddr, buffer: &Buffer) {
        let number = self.state.thread(thread).map_or(0, |thread| thread.registers.get(Register::X(7)));
        let is_guest = self.state.thread(thread).is_some_and(|thread| thread.vcpu.is_some());
        match Syscall::from_word(number) {
            Some(Syscall::Call) => self.invoke(thread, buffer, Manner { blocking: true, call: true }),
            Some(Syscall::Send) => self.invoke(thread, buffer, Manner { blocking: true, call: false }),
            Some(Syscall::NbSend) => self.invoke(thread, buffer, Manner { blocking: false, call: false }),
            Some(Syscall::Recv) => self.listen(thread, buffer, true),
            Some(Syscall::NbRecv) => self.listen(thread, buffer, false),
            Some(Syscall::Reply) => self.reply_to_caller(thread, buffer),
            Some(Syscall::ReplyRecv) => {
                self.reply_to_caller(thread, buffer);
                self.listen(thread, buffer, true);
            }
            // Kernels that measure are others, and neither do released ones have calls for debugging, nor guests.
            Some(call) if call.is_benchmark() || call.is_debug() && (is_guest || !cfg!(debug_assertions)) => {
                self.raise(thread, Fault::UnknownSystemCall(number));
            }
            // Yielding is about turns; the others are about the console.
            Some(_) => {}
            None => self.raise(thread, Fault::UnknownSystemCall(number)),
        }
    }

    fn cap_fault(&mut self, thread: PhysAddr, cptr: u64, receiving: bool, failure: LookupFailure) {
        self.raise(thread, Fault::Capability { cptr, receiving, failure });
    }

    fn invoke(&mut self, thread: PhysAddr, buffer: &Buffer, manner: Manner) {
        let cptr = self.state.thread(thread).map_or(0, |thread| thread.registers.get(Register::X(0)));
        let Said { info, words } = self.state.said(thread, buffer);
        let found = self.state.lookup(thread, cptr).map_err(|failure| (cptr, failure));
        let found = found.and_then(|slot| Ok((slot, self.state.named_caps(thread, buffer, info.extra_caps())?)));
        let (slot, caps) = match found {
            Ok(found) => found,
            Err((cptr, failure)) if manner.blocking => return self.cap_fault(thread, cptr, false, failure),
            Err(_) => return,
        };
        // Until it is answered, the thread would start over.
        self.state.set_doing(thread, Doing::StartingOver);
        let answer = match self.state.cap(slot) {
            Some(Cap::Endpoint { object, badge, rights }) if rights.write => {
                let (endpoint, buffer) = (object, buffer.clone());
                let (grant, grant_reply, call) = (rights.grant, rights.grant_reply, manner.call);
                self.send(thread, Sending { endpoint, badge, grant, grant_reply, call, buffer }, manner.blocking);
                (0, Vec::new())
            }
            Some(Cap::Notification { object, badge, rights }) if rights.write => {
                self.state.signal(object, badge);
                (0, Vec::new())
            }
            Some(Cap::Reply { master: false, .. }) => {
                self.reply(thread, buffer, slot);
                (0, Vec::new())
            }
            _ => self.of_kernel(thread, slot, info, &words, &caps),
        };
        if self.state.thread(thread).is_some_and(|thread| thread.doing == Doing::StartingOver) {
            if manner.call {
                self.deliver(thread, 0, MessageInfo::new(answer.0, 0, 0, 0), answer.1);
            }
            self.state.set_doing(thread, Doing::Running);
        }
    }

    /// An invocation of what is the kernel's: label and words of the answer.
    fn of_kernel(
        &mut self,
        caller: PhysAddr,
        slot: Slot,
        info: MessageInfo,
        words: &[u64],
        caps: &[Slot],
    ) -> (u64, Vec<u64>) {
        let label = Label::from_word(info.label());
        let request = Request { state: &self.state, slot, label, words, caps };
        match request.decode().and_then(|invocation| self.state.after(caller, &invocation)) {
            Ok(answer) => {
                self.state = answer.state;
                (0, answer.words)
            }
            Err(refused) => {
                let (error, words) = refused.answer();
                (error as u64, words)
            }
        }
    }

    fn listen(&mut self, thread: PhysAddr, buffer: &Buffer, blocking: bool) {
        let cptr = self.state.thread(thread).map_or(0, |thread| thread.registers.get(Register::X(0)));
        let slot = match self.state.lookup(thread, cptr) {
            Ok(slot) => slot,
            Err(failure) => return self.cap_fault(thread, cptr, true, failure),
        };
        match self.state.cap(slot) {
            Some(Cap::Endpoint { object, rights, .. }) if rights.read => {
                self.state.delete(Slot::Thread { thread, which: crate::ThreadSlot::Caller });
                self.receive(thread, object, rights, buffer, blocking);
            }
            Some(Cap::Notification { object, rights, .. }) if rights.read && self.state.may_wait(thread, object) => {
                self.state.wait_for(thread, object, blocking);
            }
            _ => self.cap_fault(thread, cptr, true, LookupFailure::MissingCapability { bits_left: 0 }),
        }
    }
}
