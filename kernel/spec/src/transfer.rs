//! What arrives with a message: words, and capabilities.

use alloc::vec::Vec;

use sluice_abi::{MessageInfo, PhysAddr, Register};

use crate::{Cap, Doing, Happening, Sending, Slot, State, ThreadSlot};

/// What a thread has in its IPC buffer, beside what is in its registers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Buffer {
    /// Message words from the fifth on.
    pub words: Vec<u64>,
    /// Capability pointers to go along.
    pub caps: Vec<u64>,
    /// Where a capability should go that comes.
    pub receive: ReceivePath,
}

/// Names a slot: a CNode's capability pointer, an index below that, and how many of its bits count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the three words of the buffer")]
pub struct ReceivePath {
    pub root: u64,
    pub index: u64,
    pub depth: u64,
}

/// What somebody says.
pub(crate) struct Said {
    pub(crate) info: MessageInfo,
    /// As many as `info` says, or as many as there is room for without a buffer.
    pub(crate) words: Vec<u64>,
}

/// The general register that message word `index`, one of the first four, is in.
pub(crate) const fn message_register(index: usize) -> Register {
    Register::X(2 + index as u8)
}

impl State {
    /// Whether a thread's buffer can be read, or also be written.
    pub(crate) fn has_buffer(&self, thread: PhysAddr, to_write: bool) -> bool {
        let slot = Slot::Thread { thread, which: ThreadSlot::Buffer };
        matches!(self.cap(slot), Some(Cap::Frame { device: false, rights, .. })
            if rights.read && (rights.write || !to_write))
    }

    /// What a thread's registers and buffer say.
    pub(crate) fn said(&self, thread: PhysAddr, buffer: &crate::Buffer) -> Said {
        let register = |register| self.thread(thread).map_or(0, |thread| thread.registers.get(register));
        let info = MessageInfo::from_word(register(Register::X(1)));
        let long = self.has_buffer(thread, false);
        let length = if long { info.length() as usize } else { MessageInfo::REGISTERS.min(info.length() as usize) };
        let word = |index: usize| match index.checked_sub(MessageInfo::REGISTERS) {
            None => register(message_register(index)),
            Some(beyond) => buffer.words.get(beyond).copied().unwrap_or(0),
        };
        Said { info, words: (0..length).map(word).collect() }
    }

    /// The slots of the capabilities a thread's message names, or the first pointer that leads nowhere.
    pub(crate) fn named_caps(
        &self,
        thread: PhysAddr,
        buffer: &crate::Buffer,
        count: u64,
    ) -> Result<Vec<Slot>, (u64, sluice_abi::LookupFailure)> {
        if !self.has_buffer(thread, false) {
            return Ok(Vec::new());
        }
        let pointers = (0..count as usize).map(|index| buffer.caps.get(index).copied().unwrap_or(0));
        pointers.map(|pointer| self.lookup(thread, pointer).map_err(|failure| (pointer, failure))).collect()
    }

    /// The empty slot a thread that waits wants a capability in.
    pub(crate) fn wanted_slot(&self, thread: PhysAddr) -> Option<Slot> {
        match self.thread(thread)?.doing {
            Doing::Receiving { into, .. } | Doing::AwaitingReply { into } => self.receive_slot(thread, into),
            Doing::Nothing | Doing::Running | Doing::StartingOver | Doing::Sending(_) | Doing::Waiting(_) => None,
        }
    }

    /// The empty slot a thread wants a capability in.
    fn receive_slot(&self, thread: PhysAddr, into: ReceivePath) -> Option<Slot> {
        let root = self.cap(self.lookup(thread, into.root).ok()?);
        let slot = self.lookup_path(false, root, into.index, into.depth).ok()?;
        self.cap(slot).is_none().then_some(slot)
    }
}

impl Happening {
    /// Gives `receiver` what `sender` says: its fault if it has one, else its message.
    pub(crate) fn hand_over(&mut self, sender: PhysAddr, sending: &Sending, receiver: PhysAddr, into: ReceivePath) {
        if let Some(fault) = self.state.thread(sender).and_then(|thread| thread.fault) {
            let (label, words) = self.state.fault_message(sender, fault);
            return self.deliver(receiver, sending.badge, MessageInfo::new(label as u64, 0, 0, 0), words);
        }
        let Said { info, mut words } = self.state.said(sender, &sending.buffer);
        if !self.state.has_buffer(receiver, true) {
            words.truncate(MessageInfo::REGISTERS);
        }
        let named = || self.state.named_caps(sender, &sending.buffer, info.extra_caps());
        let caps = if sending.grant { named().unwrap_or_default() } else { Vec::new() };
        let (unwrapped, received) = self.pass_caps(&caps, sending.endpoint, receiver, into);
        self.deliver(receiver, sending.badge, MessageInfo::new(info.label(), unwrapped, received, 0), words);
    }

    /// Capabilities to the endpoint itself arrive as their badges, one other in the slot the receiver wants it in.
    /// Returns which did the former, and how many arrived.
    fn pass_caps(&mut self, caps: &[Slot], endpoint: PhysAddr, receiver: PhysAddr, into: ReceivePath) -> (u64, u64) {
        if caps.is_empty() || !self.state.has_buffer(receiver, true) {
            return (0, 0);
        }
        let mut place = self.state.receive_slot(receiver, into);
        let (mut unwrapped, mut received) = (0, 0);
        for (index, source) in caps.iter().copied().enumerate() {
            match self.state.cap(source) {
                Some(Cap::Endpoint { object, badge, .. }) if object == endpoint => {
                    self.badges.insert((receiver, index), badge);
                    unwrapped |= 1 << index;
                }
                Some(cap) => {
                    let (Ok(cap), Some(dest)) = (self.state.derived(source, cap), place.take()) else { break };
                    self.state.put_copy(source, cap, dest);
                }
                None => break,
            }
            received += 1;
        }
        (unwrapped, received)
    }

    /// A message arrives; `info` gets its length here, which is less where there is no room.
    pub(crate) fn deliver(&mut self, to: PhysAddr, badge: u64, info: MessageInfo, mut words: Vec<u64>) {
        if !self.state.has_buffer(to, true) {
            words.truncate(MessageInfo::REGISTERS);
        }
        let Some(thread) = self.state.thread_mut(to) else { return };
        let info = MessageInfo::new(info.label(), info.caps_unwrapped(), info.extra_caps(), words.len() as u64);
        thread.registers.set(Register::X(0), badge);
        thread.registers.set(Register::X(1), info.word());
        for (index, word) in words.iter().enumerate().take(MessageInfo::REGISTERS) {
            thread.registers.set(message_register(index), *word);
        }
        self.words.insert(to, words);
    }
}
